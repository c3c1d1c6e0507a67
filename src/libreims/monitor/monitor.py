"""What can be typed: the commands of the manual (§8), and `users`, `echo`, `cevent`, `ipsec` and `license`.

Each asks the same table of commands as the remote API does and writes the answer as text; only what shows the
program itself (`log`, `echo`, `cevent`, `mme`) reads it directly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from libreims.api.client import Client, Frame
from libreims.api.counter_names import ERRORS, MESSAGES
from libreims.api.remote_api import RemoteApi
from libreims.base.errors import LibreImsError
from libreims.monitor import texts
from libreims.monitor.arguments import Arguments, WrongUsage, assignments
from libreims.monitor.completion import candidates
from libreims.users.impu import subject


@dataclass(frozen=True, slots=True)
class MonitorCommand:
    """One command."""

    usage: str
    """Arguments, as the manual writes them."""
    doc: str
    """One line for `help`."""
    run: Callable[[Monitor, Arguments], Awaitable[str]]
    more: str = ""
    """What `help COMMAND` says besides."""


class Monitor:
    """Carries out lines."""

    def __init__(self, api: RemoteApi) -> None:
        self._api = api
        self._services = api.services
        self._client = Client("monitor")
        self._listed: list[str] = []
        """Session ids in the order in which `dialog` showed them."""
        self.ended = False
        """Somebody typed `quit`."""

    async def execute(self, line: str) -> str:
        """Do what a line says; returns what there is to show."""
        arguments = Arguments(line)
        if not arguments.name:
            return ""
        command = COMMANDS.get(arguments.name)
        if command is None:
            return f"Unknown command: {arguments.name[:80]}. Type help for a list of commands."
        try:
            return await command.run(self, arguments)
        except WrongUsage:
            return syntax(arguments.name)
        except LibreImsError as error:
            return f"Error: {error}"

    def complete(self, text: str) -> tuple[str, list[str]]:
        """The word at the end of what has been typed, and what it may become."""
        return candidates(text, COMMANDS, self._callees)

    def _callees(self) -> Iterator[str]:
        """Users that are registered, by IMPI and number."""
        services = self._services
        for impi in dict.fromkeys(binding.impi for binding in services.bindings):
            yield impi
            subscriber = services.users.by_impi(impi)
            for entry in subscriber.impus if subscriber is not None else ():
                yield subject(entry.key)

    async def _ask(self, message: str, **parameters: Any) -> Frame:
        """The answer to a message. Raises LibreImsError where it is an error."""
        given = {name: value for name, value in parameters.items() if value is not None}
        answer = await self._api.dispatcher.ask(self._client, {"message": message, **given})
        if "error" in answer:
            raise LibreImsError(answer["error"])
        return answer

    # -- the commands ------------------------------------------------------------------------------

    async def _help(self, arguments: Arguments) -> str:
        words = arguments.exactly(0, 1)
        if not words:
            rows = [(f"{name} {command.usage}".rstrip(), command.doc) for name, command in COMMANDS.items()]
            return texts.table(rows)
        command = COMMANDS.get(words[0])
        if command is None:
            raise LibreImsError(f"there is no command {words[0]}")
        return "\n".join(filter(None, (syntax(words[0]), command.doc, command.more)))

    async def _log(self, arguments: Arguments) -> str:
        log = self._services.log
        if arguments.words:
            log.configure(arguments.after(0))
        return texts.log_state(log.options, self._services.config.current.log_filename)

    async def _mme(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        return "No MME is connected: SMS over SGs is not part of this version."

    async def _sms(self, arguments: Arguments) -> str:
        text = arguments.after(1)
        name = arguments.words[0]
        return texts.members(await self._ask("sms", impi=name, impu=name, text=text))

    async def _sms_flush(self, arguments: Arguments) -> str:
        (impi,) = arguments.exactly(1)
        return texts.members(await self._ask("sms_flush", impi=impi))

    async def _mms(self, arguments: Arguments) -> str:
        filename, sender, receiver = arguments.exactly(3)
        parameters = {"filename": filename, "from": sender, "to": receiver}
        return texts.members(await self._ask("mms", **parameters))

    async def _mms_server(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        return texts.members(await self._ask("mms_server"))

    async def _mt_call(self, arguments: Arguments) -> str:
        duration = _number(arguments.option("-d"))
        callee, *others = arguments.exactly(1, 2, 3)
        sip_file, caller = (*others, "", "")[:2]
        answer = await self._ask(
            "mt_call",
            **{self._kind_of(callee): callee},
            duration=duration,
            sip_file=sip_file or None,
            caller=caller or None,
        )
        return f"Session id: {answer['session_id']}"

    def _kind_of(self, callee: str) -> str:
        """What somebody named: `impi`, `contact` or `impu`."""
        if self._services.users.by_impi(callee) is not None:
            return "impi"
        return "contact" if self._services.bindings.by_contact(callee) is not None else "impu"

    async def _dialog(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        listed = (await self._ask("dialog_get"))["dialogs"]
        self._listed = [each["session_id"] for each in listed]
        return texts.dialogs(listed)

    async def _dialog_set(self, arguments: Arguments) -> str:
        if len(arguments.words) < 2:
            raise WrongUsage
        index, action, *others = arguments.words
        parameters: dict[str, Any] = dict(assignments(others))
        if "code" in parameters:
            parameters["code"] = _integer(parameters["code"])
        for name in ("rtp", "rtcp"):
            if name in parameters:
                parameters[name] = _boolean(parameters[name])
        session = await self._session(index)
        return texts.members(await self._ask("dialog_set", session_id=session, action=action, **parameters))

    async def _session(self, index: str) -> str:
        """The session id behind an index, which means the same until `dialog` is used again."""
        if not (index.isascii() and index.isdigit() and len(index) < 8):
            return index
        if not self._listed:
            self._listed = [each["session_id"] for each in (await self._ask("dialog_get"))["dialogs"]]
        if int(index) >= len(self._listed):
            raise LibreImsError(f"there is no dialog {index}; type dialog for a list")
        return self._listed[int(index)]

    async def _users(self, arguments: Arguments) -> str:
        every = arguments.flag("-a")
        arguments.exactly(0)
        listed = (await self._ask("users_get", registered_only=not every))["users"]
        if not listed:
            return f"None of {len(self._services.users)} users is registered. users -a shows all."
        return texts.users(listed)

    async def _echo(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        return texts.echo_numbers(self._services.users.echo)

    async def _cevent(self, arguments: Arguments) -> str:
        words = arguments.words
        if not words:
            counters = self._services.counters
            return texts.counters(counters.messages, counters.errors)
        names = {"msg": MESSAGES, "error": ERRORS}.get(words[-1])
        if words[0] != "help" or len(words) != 2 or names is None:
            raise WrongUsage
        return texts.table(sorted(names.items()))

    async def _license(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        return texts.members(await self._ask("license"))

    async def _ipsec(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        return texts.associations((await self._ask("ipsec"))["SAs"])

    async def _quit(self, arguments: Arguments) -> str:
        arguments.exactly(0)
        await self._ask("quit")
        self.ended = True
        return ""


COMMANDS: Final[dict[str, MonitorCommand]] = {
    "help": MonitorCommand("[command]", "Show the commands, or one of them in detail.", Monitor._help),
    "log": MonitorCommand(
        "[log_options]",
        "Show the log options, or change some.",
        Monitor._log,
        "The syntax is that of log_options in the configuration:\n"
        "  log sip.level=debug,sip.max_size=1,file.rotate=250M,file.path=/var/log/lte/",
    ),
    "mme": MonitorCommand("", "List the connections of MMEs.", Monitor._mme),
    "sms": MonitorCommand(
        "impi|impu text",
        "Send an SMS.",
        Monitor._sms,
        "The user is looked for by its IMPI, then by its IMPU:\n  sms 1008 See you at six",
    ),
    "sms_flush": MonitorCommand("impi", "Drop the SMS that wait for a user.", Monitor._sms_flush),
    "mms": MonitorCommand(
        "filename from to", "Send an MMS.", Monitor._mms, "Known are files named jpg, jpeg, png, gif and txt."
    ),
    "mms_server": MonitorCommand("", "Show the address of the MMS server.", Monitor._mms_server),
    "mt_call": MonitorCommand(
        "callee [-d duration] [sip_file] [caller]",
        "Call a phone.",
        Monitor._mt_call,
        "callee is an IMPI, an IMPU or a contact URI. duration is in seconds. sip_file has the SDP that is\n"
        'offered, instead of mt_call_sdp_file; "" leaves it out. caller is an IMPU, a number or any name.\n'
        '  mt_call 1008 -d 10\n  mt_call sip:bob "" Lab',
    ),
    "dialog": MonitorCommand("", "List the dialogs.", Monitor._dialog),
    "dialog_set": MonitorCommand(
        "dialog-index action [name=value...]",
        "Act on a dialog: stop, hold, reinvite and others.",
        Monitor._dialog_set,
        "dialog-index is the number that dialog showed, a session id, or * for the latest dialog.\n"
        "Actions and names are those of dialog_set in the remote API:\n"
        "  dialog_set 0 hold\n"
        '  dialog_set 0 stop code=16 reason="Normal call clearing" reason_protocol=Q.850',
    ),
    "users": MonitorCommand("[-a]", "Show who is registered; -a: all users.", Monitor._users),
    "echo": MonitorCommand("", "List the echo numbers.", Monitor._echo),
    "cevent": MonitorCommand(
        "[help msg|error]", "Show the event counters, or what is counted.", Monitor._cevent
    ),
    "ipsec": MonitorCommand("", "List the security associations.", Monitor._ipsec),
    "license": MonitorCommand("", "Show the license.", Monitor._license),
    "quit": MonitorCommand("", "Stop the program.", Monitor._quit),
}


def syntax(name: str) -> str:
    """How a command is written."""
    return f"Syntax: {name} {COMMANDS[name].usage}".rstrip()


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise WrongUsage from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise WrongUsage from None


def _boolean(text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false"):
        raise WrongUsage
    return text.lower() in ("1", "true")
