"""Steps for a phone from words on a command line: `register call 1002 wait 3 hangup`.

`_STEPS` is the one table of them: it parses, explains (`--help`) and runs.  A step that fails raises
`LibreImsError` with a plain sentence, and the script stops there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libreims.base.errors import LibreImsError
from libreims.ue.agent import explain
from libreims.ue.call import Call, CallState
from libreims.ue.phone import Phone
from libreims.ue.report import heard
from libreims.ue.short_message import ShortMessage, status_text
from libreims.ue.stream import StreamCounts

ANSWER_TIMEOUT = 60.0
"""Seconds to wait for a call to be answered, or for one to come in."""


_PACKET = 0.02
"""Seconds of voice in a packet."""


class StepError(LibreImsError):
    """A step that did not come about, or words that are no steps; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step with its arguments."""

    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step."""

    step: Step
    ok: bool
    text: str
    seconds: float


class Script:
    """Runs steps on one phone."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.results: list[StepResult] = []
        self.listener: Callable[[StepResult], None] | None = None
        self._read = 0
        self._marks: tuple[Call | None, StreamCounts] = (None, StreamCounts())

    async def run(self, steps: Sequence[Step]) -> bool:
        """Run the steps until one fails; True when none did."""
        for step in steps:
            result = await self._run_one(step)
            self.results.append(result)
            if self.listener is not None:
                self.listener(result)
            if not result.ok:
                return False
        return True

    async def _run_one(self, step: Step) -> StepResult:
        clock = self.phone.agent.clock
        began = clock.time()
        try:
            text = await _STEPS[step.name].run(self, *step.arguments)
            ok = True
        except (LibreImsError, ValueError) as error:
            text, ok = str(error), False
        return StepResult(step, ok, text, clock.time() - began)

    async def tidy_up(self) -> None:
        """Hang up and de-register, so that nothing is left at the server; what fails is only recorded."""
        phone = self.phone
        try:
            for call in phone.calls:
                call.hang_up()
            async with asyncio.timeout(5):
                for call in phone.calls:
                    await call.wait_ended(5)
                if phone.is_registered:
                    await phone.deregister()
        except (LibreImsError, TimeoutError) as error:
            phone.recorder.note(f"while tidying up: {error or 'no answer within 5 s'}")

    async def next_sms(self, seconds: float) -> ShortMessage:
        """The oldest short message or text that no step has seen yet. Raises StepError."""
        sms = self.phone.sms
        if not await sms.changes.until(lambda: sms.came > self._read, seconds):
            raise StepError(f"no short message came within {seconds:g} s")
        waiting = min(sms.came - self._read, len(sms.inbox))  # the inbox keeps the newest ones only
        self._read = sms.came - waiting + 1
        return sms.inbox[-waiting]

    # -- what steps use ----------------------------------------------------------------------------

    @property
    def call(self) -> Call:
        """The newest call. Raises StepError."""
        if not self.phone.calls:
            raise StepError("there has been no call yet: use `call` or `listen` first")
        return self.phone.active_call or self.phone.calls[-1]

    def _audio(self, call: Call) -> StreamCounts:
        return call.counts.get("audio", StreamCounts())

    def mark(self) -> None:
        """Count audio from here on."""
        call = self.call
        self._marks = (call, self._audio(call))

    def _since_mark(self, call: Call) -> tuple[int, int]:
        now = self._audio(call)
        then = self._marks[1] if self._marks[0] is call else StreamCounts()
        return now.packets - then.packets, now.own - then.own

    async def expect_audio(self, wanted: int, *, own: bool) -> str:
        """Wait until `wanted` more packets have been heard. Raises StepError."""
        call = self.call
        timeout = 3 + 2 * wanted * _PACKET
        clock = self.phone.agent.clock
        end = clock.time() + timeout
        while True:
            packets, echoed = self._since_mark(call)
            if (echoed if own else packets) >= wanted:
                self.mark()
                what = "packets of our own voice came back" if own else "audio packets heard"
                return f"{echoed if own else packets} {what} ({self._audio(call).lost} lost so far)"
            if clock.time() >= end or call.is_over:
                state = f"the call is {call.state.value}"
                raise StepError(
                    f"{packets} audio packets heard ({echoed} of our own voice) in {timeout:.0f} s, "
                    f"{wanted} expected; {state}"
                )
            await asyncio.sleep(_PACKET)


async def _register(script: Script) -> str:
    await script.phone.register()
    registration = script.phone.registration
    how = f" with {registration.algorithm}" if registration.algorithm else " without authentication"
    names = ", ".join(registration.associated) or "no further identities"
    return f"registered{how}{_protection(script)} for {registration.expires} s as {names}"


async def _reregister(script: Script, fresh: str = "") -> str:
    await script.phone.reregister(fresh=bool(fresh))
    return f"registration renewed for {script.phone.registration.expires} s{_protection(script)}"


def _protection(script: Script) -> str:
    security = script.phone.agent.security
    return f", through IPsec with {security.pair}" if security is not None else ""


async def _deregister(script: Script) -> str:
    await script.phone.deregister()
    return "de-registered"


async def _subscribe(script: Script) -> str:
    subscription = script.phone.subscription
    before = subscription.notified
    await subscription.subscribe()
    if not await subscription.changes.until(lambda: subscription.notified > before, 10):
        raise StepError("no NOTIFY came within 10 s after SUBSCRIBE was accepted")
    states = [f"{each.uri} {each.state} ({each.event})" for each in subscription.contacts.values()]
    return f"notified: {'; '.join(states) or 'no contact'}"


async def _dial(script: Script, target: str, *kinds: str) -> str:
    unknown = set(kinds) - {"video", "text"}
    if unknown:
        raise StepError(f"media {', '.join(unknown)}: use video or text")
    script.phone.call(target, video="video" in kinds, text="text" in kinds)
    script.mark()
    return f"calls {script.call.name}"


async def _call(script: Script, target: str, *kinds: str) -> str:
    await _dial(script, target, *kinds)
    await script.call.wait_answered(ANSWER_TIMEOUT)
    script.mark()
    return f"answered, {_codecs(script.call)}"


def _codecs(call: Call) -> str:
    return ", ".join(f"{kind} with {name}" for kind, name in call.media.codecs.items())


async def _expect_ringing(script: Script, seconds: str = "30") -> str:
    await script.call.wait_state(CallState.RINGING, CallState.ESTABLISHED, timeout=float(seconds))
    return "it rings at the other side"


async def _expect_refused(script: Script, status: str) -> str:
    call = script.call
    outcome = await call.wait_ended(ANSWER_TIMEOUT)
    if outcome.status != int(status):
        raise StepError(f"expected {status}, but: {outcome.text}")
    return f"refused: {outcome.text}"


async def _listen(script: Script, seconds: str = str(ANSWER_TIMEOUT)) -> str:
    call = await script.phone.incoming(float(seconds))
    await call.wait_answered(ANSWER_TIMEOUT)
    script.mark()
    return f"{call.name} called and was answered, {_codecs(call)}"


async def _expect_call(script: Script, seconds: str = str(ANSWER_TIMEOUT)) -> str:
    call = await script.phone.incoming(float(seconds))
    script.mark()
    return f"{call.name} calls"


async def _answer(script: Script) -> str:
    script.call.answer()
    await script.call.wait_answered(ANSWER_TIMEOUT)
    script.mark()
    return f"picked up, {_codecs(script.call)}"


async def _reject(script: Script, status: str = "486") -> str:
    script.call.reject(int(status))
    return f"refused with {status}"


async def _hold(script: Script, method: str = "reinvite") -> str:
    await script.call.hold(_method(method))
    script.mark()
    return f"the other side is on hold, our direction {_directions(script.call)}"


async def _resume(script: Script, method: str = "reinvite") -> str:
    await script.call.resume(_method(method))
    script.mark()
    return f"the other side is back, our direction {_directions(script.call)}"


def _method(word: str) -> str:
    methods = {"reinvite": "INVITE", "invite": "INVITE", "update": "UPDATE"}
    if word.lower() not in methods:
        raise StepError(f"{word!r}: use reinvite or update")
    return methods[word.lower()]


def _directions(call: Call) -> str:
    return ", ".join(f"{kind} {direction}" for kind, direction in call.media.directions.items())


async def _expect_held(script: Script, seconds: str = "30") -> str:
    call = script.call
    if not await call.changes.until(lambda: call.media.held_by_peer or call.is_over, float(seconds)):
        raise StepError(f"not held within {seconds} s")
    _check_up(call)
    script.mark()
    return "held by the other side"


async def _expect_resumed(script: Script, seconds: str = "30") -> str:
    call = script.call
    if not await call.changes.until(lambda: not call.media.held_by_peer or call.is_over, float(seconds)):
        raise StepError(f"still held after {seconds} s")
    _check_up(call)
    script.mark()
    return "no longer held"


def _check_up(call: Call) -> None:
    if call.is_over:
        raise StepError(f"the call has ended: {call.outcome.text if call.outcome else ''}")


async def _expect_audio(script: Script, packets: str) -> str:
    return await script.expect_audio(int(packets), own=False)


async def _expect_own_audio(script: Script, packets: str) -> str:
    return await script.expect_audio(int(packets), own=True)


async def _expect_silence(script: Script, seconds: str = "1") -> str:
    # What is on its way still may arrive.
    await asyncio.sleep(0.2)
    call = script.call
    before = script._audio(call).packets
    await asyncio.sleep(float(seconds))
    packets = script._audio(call).packets - before
    if packets:
        raise StepError(f"{packets} audio packets heard in {seconds} s, silence expected")
    script.mark()
    return f"{seconds} s of silence"


async def _digits(script: Script, digits: str) -> str:
    for digit in digits:
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        response = await script.call.ask("INFO", [("Content-Type", "application/dtmf-relay")], body)
        if response.status >= 300:
            raise StepError(f"INFO: {explain(response)}")
    return f"{len(digits)} digits sent with INFO"


async def _expect_info(script: Script, seconds: str = "30") -> str:
    call = script.call
    if not await call.changes.until(lambda: bool(call.infos) or call.is_over, float(seconds)):
        raise StepError(f"no INFO came within {seconds} s")
    if not call.infos:
        _check_up(call)
    info = call.infos.pop(0)
    return f"INFO came: {info.content_type} {info.body.decode(errors='replace').strip()!r}"


async def _hang_up(script: Script) -> str:
    call = script.call
    if call.is_over:
        raise StepError(f"the call has ended already: {call.outcome.text if call.outcome else ''}")
    call.hang_up()
    outcome = await call.wait_ended(ANSWER_TIMEOUT)
    return f"{outcome.text}; {heard(call)}"


async def _expect_hangup(script: Script, seconds: str = str(ANSWER_TIMEOUT)) -> str:
    call = script.call
    outcome = await call.wait_ended(float(seconds))
    if outcome.by != "them":
        raise StepError(f"the call ended otherwise: {outcome.text}")
    return f"{outcome.text}; {heard(call)}"


async def _sms(script: Script, target: str, text: str, *report: str) -> str:
    phone = script.phone
    sent = await phone.sms.send(phone.uri_of(target), text, report=bool(report))
    parts = f" in {len(sent.references)} parts" if len(sent.references) > 1 else ""
    return f"the centre has accepted the message to {sent.to}{parts}"


async def _message(script: Script, target: str, text: str) -> str:
    phone = script.phone
    response = await phone.sms.send_text(phone.uri_of(target), text)
    return f"text sent: {response.status} {response.reason}"


async def _expect_sms(script: Script, seconds: str = str(ANSWER_TIMEOUT)) -> str:
    message = await script.next_sms(float(seconds))
    return f"{_quoted(message)} came from {message.sender}"


async def _expect_text(script: Script, text: str) -> str:
    message = await script.next_sms(ANSWER_TIMEOUT)
    if message.text != text:
        raise StepError(f"{_quoted(message)} came from {message.sender}, {text!r} expected")
    parts = f" in {message.parts} parts" if message.parts > 1 else ""
    return f"{text!r} came from {message.sender}{parts}"


def _quoted(message: ShortMessage) -> str:
    return f"{len(message.data)} octets of data" if message.data else repr(message.text)


async def _expect_report(script: Script, seconds: str = str(ANSWER_TIMEOUT)) -> str:
    sms = script.phone.sms
    if not await sms.changes.until(lambda: bool(sms.reports), float(seconds)):
        raise StepError(f"no status report came within {seconds} s")
    return status_text(sms.reports.popleft())


async def _memory_full(script: Script) -> str:
    script.phone.sms.memory_full = True
    return "short messages that come are refused from now on"


async def _memory_free(script: Script) -> str:
    await script.phone.sms.memory_available()
    return "the centre knows that there is memory again"


async def _wait(script: Script, seconds: str) -> str:
    del script
    await asyncio.sleep(float(seconds))
    return f"waited {seconds} s"


@dataclass(frozen=True, slots=True)
class _Spec:
    """A step: its arguments (those in brackets may be left out), what it does, how."""

    arguments: tuple[str, ...]
    text: str
    run: Callable[..., Awaitable[str]]


_SECONDS = ("[SECONDS]",)

_STEPS: dict[str, _Spec] = {
    "register": _Spec((), "register; the registration is renewed by itself", _register),
    "reregister": _Spec(("[fresh]",), "renew the registration now, with a fresh challenge", _reregister),
    "deregister": _Spec((), "end the registration", _deregister),
    "subscribe": _Spec((), "subscribe to the own registration state, wait for the first NOTIFY", _subscribe),
    "call": _Spec(("TARGET", "[video]", "[text]"), "call a number or URI, wait for the answer", _call),
    "dial": _Spec(("TARGET", "[video]", "[text]"), "call, but do not wait", _dial),
    "expect-ringing": _Spec(_SECONDS, "wait until it rings at the other side", _expect_ringing),
    "expect-refused": _Spec(("STATUS",), "wait until the call is refused with this status", _expect_refused),
    "listen": _Spec(_SECONDS, "wait for a call and its answer (see --answer)", _listen),
    "expect-call": _Spec(_SECONDS, "wait for a call that rings here", _expect_call),
    "answer": _Spec((), "pick up the call that rings here", _answer),
    "reject": _Spec(("[STATUS]",), "refuse the call that rings here (default 486)", _reject),
    "hold": _Spec(("[METHOD]",), "hold the other side, with reinvite (default) or update", _hold),
    "resume": _Spec(("[METHOD]",), "take the other side back", _resume),
    "expect-held": _Spec(_SECONDS, "wait until the other side holds us", _expect_held),
    "expect-resumed": _Spec(_SECONDS, "wait until the other side takes us back", _expect_resumed),
    "expect-audio": _Spec(("PACKETS",), "wait for so many more audio packets", _expect_audio),
    "expect-own-audio": _Spec(("PACKETS",), "the same, of our own voice (an echo)", _expect_own_audio),
    "expect-silence": _Spec(_SECONDS, "hear nothing for so long (default 1)", _expect_silence),
    "digits": _Spec(("DIGITS",), "send digits with INFO", _digits),
    "expect-info": _Spec(_SECONDS, "wait for an INFO in the call", _expect_info),
    "hangup": _Spec((), "end the call (give up, while it is not answered)", _hang_up),
    "expect-hangup": _Spec(_SECONDS, "wait until the other side hangs up", _expect_hangup),
    "sms": _Spec(("TARGET", "TEXT", "[report]"), "send a short message, wait for RP-ACK", _sms),
    "message": _Spec(("TARGET", "TEXT"), "send text to a URI, as soft phones do", _message),
    "expect-sms": _Spec(_SECONDS, "wait for a short message or a text", _expect_sms),
    "expect-text": _Spec(("TEXT",), "the same, and it says this", _expect_text),
    "expect-report": _Spec(_SECONDS, "wait for a status report", _expect_report),
    "memory-full": _Spec((), "refuse short messages that come", _memory_full),
    "memory-free": _Spec((), "take them again and tell the centre (SMMA)", _memory_free),
    "wait": _Spec(("SECONDS",), "wait", _wait),
}

_NUMBERS = ("SECONDS", "PACKETS", "STATUS")


def parse_steps(words: Sequence[str]) -> list[Step]:
    """Words to steps. Raises StepError that says what was expected."""
    steps = []
    place = 0
    while place < len(words):
        name = words[place]
        spec = _STEPS.get(name)
        if spec is None:
            raise StepError(f"{name!r} is no step; the steps are {', '.join(_STEPS)}")
        place += 1
        arguments = []
        for parameter in spec.arguments:
            word = words[place] if place < len(words) else None
            if parameter.startswith("["):
                if word is None or not _fits(word, parameter.strip("[]")):
                    continue
            elif word is None:
                raise StepError(f"{name} needs {parameter}")
            elif not _fits(word, parameter):
                raise StepError(f"{name} needs {parameter}, {word!r} is none")
            arguments.append(word)
            place += 1
        steps.append(Step(name, tuple(arguments)))
    return steps


def _fits(word: str, parameter: str) -> bool:
    if parameter in _NUMBERS:
        try:
            number = float(word)
        except ValueError:
            return False
        return 0 <= number < 1e6 and (parameter == "SECONDS" or number.is_integer())
    if parameter == "METHOD":
        return word.lower() in ("reinvite", "invite", "update")
    if parameter in ("fresh", "report", "text", "video"):
        return word == parameter
    if parameter == "TEXT":
        return True
    return word not in _STEPS


def steps_help() -> str:
    """The table of steps for `--help`."""
    lines = []
    for name, spec in _STEPS.items():
        usage = " ".join((name, *spec.arguments))
        lines.append(f"  {usage:<28} {spec.text}")
    return "\n".join(lines)
