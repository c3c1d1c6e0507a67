"""The table of commands: what can be asked of the server, declared once (manual §6.5, §6.6).

A `Command` is a name, its parameters, and a handler; the remote API, the monitor and `sim_events` all look
it up here, and `help` is made from it.  A handler gets the client and the parameters that were given, as
keyword arguments of the right types; it returns the members of the response, a `Deferred` for an answer that
comes later, or a coroutine.  A mistake of the caller is a LibreImsError with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from libreims.api.client import Client, Frame
from libreims.base.errors import LibreImsError
from libreims.config.declare import Invalid, Kind, Reader, Skip, from_json
from libreims.config.kinds import Anything, Boolean, Integer, Number
from libreims.config.source import Diagnosis

NAME_SHOWN: Final = 200
"""Characters of an unknown name in a response."""

IGNORED_SHOWN: Final = 10
"""Lines in the log about parameters that a message does not have."""

Members = dict[str, Any]
"""What a handler adds to a response."""


class Deferred:
    """An answer that comes later; `complete` gives it, once."""

    __slots__ = ("_answer", "_early", "cancel")

    def __init__(self, cancel: Callable[[], object]) -> None:
        self.cancel = cancel
        """Called where nobody waits for the answer any more."""
        self._answer: Callable[[Members], None] | None = None
        self._early: Members | None = None

    def then(self, answer: Callable[[Members], None]) -> None:
        """Say who gets the answer; at once where it is there already."""
        self._answer = answer
        if self._early is not None:
            answer(self._early)

    def complete(self, members: Members) -> None:
        """Give the answer."""
        if self._answer is None:
            self._early = members
        else:
            self._answer(members)


Result = Members | Deferred | Coroutine[Any, Any, Members]
Handler = Callable[..., Result]
"""`handler(client, **parameters)`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command."""

    name: str
    """Name in the message."""
    kind: Kind
    doc: str
    required: bool = False
    field: str = ""
    """Name of the handler's argument where it is another one."""
    secret: bool = False
    """Not to be shown in the log."""

    @property
    def argument(self) -> str:
        """Name of the handler's argument."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class Command:
    """One message that can be sent to the server."""

    name: str
    doc: str
    """One line that says what it does."""
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    rest: str = ""
    """Argument for all members that are no parameter, as a dict; "" where such members are ignored."""
    legacy: bool = False
    """Of an older version: works, but `help` does not list it."""
    later: bool = False
    """Known, and answered with an error: this version cannot do it."""
    quiet: bool = False
    """Leaves no line in the log when it is used, because it reads the log."""


REQUEST: Final = (
    Parameter("start_time", Number(0), "Seconds to wait before the message is processed."),
    Parameter("absolute_time", Boolean(), "`start_time` is a moment, on the scale of `time` in responses."),
    Parameter("standalone", Boolean(), "Goes on when the connection ends."),
    Parameter("loop_count", Integer(0, 1_000_000), "How many times the message is repeated."),
    Parameter("loop_delay", Number(0.1, 86400), "Seconds from one repetition to the next."),
)
"""What every request may have beside `message` and `message_id` (manual §6.1)."""
_ENVELOPE = frozenset(("message", "message_id", *(each.name for each in REQUEST)))


class UnknownMessage(LibreImsError):
    """There is no command of this name; the text is the manual's (§6.8)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown message: {name[:NAME_SHOWN]}")


class Table:
    """All commands, and the names of the events that clients can register for."""

    def __init__(self, commands: Iterable[Command] = (), events: Iterable[str] = ()) -> None:
        self._commands: dict[str, Command] = {}
        self.events = tuple(events)
        self.add(commands)

    def add(self, commands: Iterable[Command]) -> None:
        """Take in more commands; each name is there once."""
        for command in commands:
            if command.name in self._commands:
                raise ValueError(f"there are two commands {command.name}")
            self._commands[command.name] = command

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def find(self, name: str) -> Command:
        """The command of this name. Raises UnknownMessage."""
        command = self._commands.get(name)
        if command is None:
            raise UnknownMessage(name)
        return command

    @property
    def names(self) -> list[str]:
        """What `help` lists."""
        return [command.name for command in self if not command.legacy and not command.later]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command with the arguments of one request, ready to be called any number of times."""

    command: Command
    arguments: Mapping[str, Any]
    ignored: tuple[str, ...] = ()
    """Names of the members that mean nothing to it."""

    def __call__(self, client: Client) -> Result:
        """Do it."""
        return self.command.handler(client, **self.arguments)


def bind(command: Command, message: Frame, directory: str = "") -> Invocation:
    """Check a request against the declaration; `directory` is what file names are relative to.

    Raises LibreImsError that names each parameter that is missing or wrong, its value and what was expected.
    """
    arguments = read(command.parameters, message, directory)
    known = {each.name for each in command.parameters}
    others = {name: value for name, value in message.items() if name not in known and name not in _ENVELOPE}
    if command.rest:
        # null is the same as not given here too.
        arguments[command.rest] = {name: value for name, value in others.items() if value is not None}
        others = {}
    return Invocation(command, arguments, tuple(others))


def ignored(command: str, names: Iterable[str]) -> Iterator[str]:
    """Lines for the log about parameters that a message does not have; a few, whatever somebody sends."""
    left = iter(names)
    for name in islice(left, IGNORED_SHOWN):
        yield f"{command} has no parameter {name[:80]!r}, it is ignored"
    more = sum(1 for _ in left)
    if more:
        yield f"{command} does not have {more} more parameters either, they are ignored"


def read(parameters: Iterable[Parameter], message: Frame, directory: str = "") -> dict[str, Any]:
    """The values that were given, by argument; null is the same as not given. Raises LibreImsError."""
    diagnosis = Diagnosis()
    reader = Reader(diagnosis, directory)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for each in parameters:
        given = message.get(each.name)
        if given is None:
            if each.required:
                problems.append(f"{each.name}: {each.kind.name} expected, the parameter is missing")
            continue
        try:
            # What may be anything needs no tree, and a large one would be copied.
            plain = isinstance(each.kind, Anything)
            values[each.argument] = (
                given
                if plain
                else each.kind.read(from_json(given), reader, each.name if each.kind.nested else "")
            )
        except (Invalid, Skip) as wrong:
            problems.append(f"{each.name}: {wrong}")
    problems += [error.message for error in diagnosis.errors]
    if problems:
        raise LibreImsError("; ".join(problems[: Diagnosis.SHOWN]))
    return values
