"""One call of a phone, as a table of states (RFC 3261 §13 to §15): what both kinds of call have in common.

What the peer can interrupt is synchronous: every message is an event, and the table of the class says what it
does in which state.  Scripts wait on top of it (`wait_answered`, `wait_ended`).  `outgoing` and `incoming`
add how a call begins; changes of a call that is up (hold, resume, re-INVITE) are in `modification`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ServerTransaction
from libreims.ue.agent import Agent, Header
from libreims.ue.changes import Changes
from libreims.ue.credentials import CannotAuthenticate
from libreims.ue.early import EarlyCallee, EarlyCaller
from libreims.ue.errors import CallError
from libreims.ue.media import MediaSession
from libreims.ue.modification import Modification
from libreims.ue.session_refresh import SessionRefresh
from libreims.ue.stream import StreamCounts

SDP = "application/sdp"


class CallState(Enum):
    """Where a call stands."""

    CALLING = "calling"
    RINGING = "ringing at the other side"
    CANCELLING = "given up, waiting for the end"
    OFFERED = "ringing here"
    ANSWERED = "answered, waiting for ACK"
    UNWANTED = "answered and given up, waiting for ACK"
    ESTABLISHED = "established"
    LEAVING = "hung up, waiting for the answer"
    ENDED = "ended"


class Event(Enum):
    """What can happen to a call."""

    PROGRESS = "1xx"
    ACCEPTED = "2xx"
    CHALLENGED = "401 or 407"
    REFUSED = "3xx to 6xx"
    FAILED = "no answer"
    CANCEL = "CANCEL"
    ACK = "ACK"
    NO_ACK = "no ACK"
    BYE = "BYE"
    HANG_UP = "we hang up"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    by: str
    """`us`, `them` or `network`."""
    text: str
    status: int = 0
    """The final response of a call that was not established, as the caller saw or the callee sent it."""


Message = Request | Response | None

Handler = Callable[[Any, Message, str], None]
"""A method of a call that handles an event: the message that it came with, or why there is none."""

Table = Mapping[tuple[CallState, Event], Handler]


class Call:
    """One call, made or received."""

    table: ClassVar[Table]
    """What is not in it means nothing in that state."""
    incoming: ClassVar[bool]
    early: EarlyCaller | EarlyCallee
    """What goes on before the answer."""

    def __init__(
        self, agent: Agent, media: MediaSession, changed: Callable[[], None], state: CallState
    ) -> None:
        self.agent = agent
        self.media = media
        self.modification = Modification(self)
        self.session_timer = SessionRefresh(self)
        self._phone_changed = changed
        self.changes = Changes()
        self.state = state
        self.peer = ""
        """Who is called or calls: a URI."""
        self.asserted: tuple[str, ...] = ()
        """Who calls as the network says it: P-Asserted-Identity (RFC 3325)."""
        self.call_id = ""
        self.local_tag = ""
        self.dialog: Dialog | None = None
        self.outcome: Outcome | None = None
        self.statuses: list[int] = []
        """Responses to our INVITE, retransmissions included."""
        self.infos: list[Request] = []
        """INFO requests received."""
        self.forks = 0
        """Further answers that were hung up at once."""
        self.established_at: float | None = None

    # -- events ------------------------------------------------------------------------------------

    def event(self, event: Event, message: Message = None, why: str = "") -> bool:
        """Feed an event; False when it means nothing in this state."""
        handler = self.table.get((self.state, event))
        if handler is None:
            return False
        handler(self, message, why)
        return True

    def _enter(self, state: CallState) -> None:
        if state is not self.state:
            self.state = state
            self.changes.notify()
            self._phone_changed()

    def _note(self, text: str) -> None:
        self.agent.recorder.note(text)

    def _established(self) -> None:
        self.established_at = self.agent.clock.time()
        self.media.talk()
        self._note(f"call with {self.name} established, {_spoken(self.media.codecs)}")
        self._enter(CallState.ESTABLISHED)

    def acknowledged(self, request: Request, transaction: ServerTransaction | None) -> None:
        """An ACK in our dialog; `transaction` is that of its INVITE where one still waits."""
        if transaction is not None:
            transaction.acknowledged()
            self.modification.acknowledged(request)

    # -- the end -----------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End the call, whatever it does; harmless when it is over."""
        self.event(Event.HANG_UP)

    def _on_hang_up(self, _: Message, __: str) -> None:
        self._bye("hung up")

    def _bye(self, text: str) -> None:
        outcome = Outcome("us", text)
        self._enter(CallState.LEAVING)
        self.session_timer.close()
        self.media.close()
        self.request("BYE", (), b"", lambda response, why: self._bye_done(outcome))

    def _bye_done(self, outcome: Outcome) -> None:
        if self.state is CallState.LEAVING:
            self._finish(outcome)

    def _on_bye(self, request: Message, _: str) -> None:
        assert isinstance(request, Request)
        reason = request.get("Reason")
        self._finish(
            Outcome("them", f"the other side hung up ({reason})" if reason else "the other side hung up")
        )

    def _finish(self, outcome: Outcome) -> None:
        self.early.close()
        self.session_timer.close()
        self.media.close()
        self.outcome = outcome
        if self.dialog is not None:
            self.dialog.terminate()
        self._note(f"call with {self.name} ended: {outcome.text}")
        self._enter(CallState.ENDED)
        self.modification.ended(outcome.text)

    # -- in the dialog -----------------------------------------------------------------------------

    def request(
        self,
        method: str,
        headers: Iterable[Header],
        body: bytes,
        done: Callable[[Response | None, str], None],
        attempts: int = 2,
    ) -> None:
        """Send a non-INVITE request in the dialog, answering a challenge; `done` is called once."""
        if self.dialog is None:
            raise CallError(f"no dialog for {method} yet")
        headers = list(headers)
        request = self.dialog.new_request(method, [*self.agent.common(), *headers], body)
        for name, value in self.agent.keyring.again(method, request.uri, body):
            request.add(name, value)

        def answered(response: Response | None, why: str) -> None:
            if response is not None and response.status in (401, 407) and attempts > 1:
                try:
                    self.agent.keyring.answer(response, request)
                except CannotAuthenticate as error:
                    why = str(error)
                else:
                    self.request(method, headers, body, done, attempts - 1)
                    return
            done(response, why)

        self.agent.start(request, self.agent.flow_for(request), answered)

    def dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that a request names, an early one too."""
        del request
        return self.dialog

    @property
    def is_early(self) -> bool:
        """Whether nobody has answered yet."""
        return self.state in (CallState.CALLING, CallState.RINGING, CallState.OFFERED)

    def lost(self, text: str) -> None:
        """The peer does not know the call any more, or is gone: leave (RFC 3261 §12.2.1.2)."""
        if self.state is CallState.ESTABLISHED:
            self._bye(text)

    # -- what scripts use --------------------------------------------------------------------------

    def answer(self) -> None:
        """Pick up. Raises CallError unless it rings here."""
        raise CallError(f"cannot answer a call that is {self.state.value}")

    def reject(self, status: int = 486) -> None:
        """Refuse. Raises CallError unless it rings here."""
        raise CallError(f"cannot refuse a call that is {self.state.value}")

    @property
    def name(self) -> str:
        """The other side, short enough to be read."""
        return self.peer.partition(";")[0].partition("@")[0]

    @property
    def is_established(self) -> bool:
        """Whether the two can talk."""
        return self.state is CallState.ESTABLISHED

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.state is CallState.ENDED

    @property
    def counts(self) -> dict[str, StreamCounts]:
        """RTP by media type."""
        return self.media.counts

    async def wait_answered(self, timeout: float | None = 60.0) -> None:
        """Wait until the call is established. Raises CallError when it is not."""
        if not await self.changes.until(lambda: self.is_established or self.is_over, timeout):
            raise CallError(f"not established after {timeout:g} s: {self.state.value}")
        if self.outcome is not None:
            raise CallError(self.outcome.text, self.outcome.status)

    async def wait_state(self, *states: CallState, timeout: float | None = 60.0) -> None:
        """Wait for one of these states. Raises CallError when the call ends without, or time is over."""
        if not await self.changes.until(lambda: self.state in states or self.is_over, timeout):
            raise CallError(f"after {timeout:g} s the call is {self.state.value}")
        if self.state not in states and self.outcome is not None:
            raise CallError(self.outcome.text, self.outcome.status)

    async def wait_ended(self, timeout: float | None = 60.0) -> Outcome:
        """Wait for the end. Raises CallError when it does not come."""
        if not await self.changes.until(lambda: self.is_over, timeout) or self.outcome is None:
            raise CallError(f"not ended after {timeout:g} s: {self.state.value}")
        return self.outcome

    async def ask(self, method: str, headers: Iterable[Header] = (), body: bytes = b"") -> Response:
        """Send INFO or the like in the dialog and wait for the final answer. Raises CallError."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def done(response: Response | None, why: str) -> None:
            if response is not None:
                future.set_result(response)
            else:
                future.set_exception(CallError(why))

        self.request(method, headers, body, done)
        return await future

    async def hold(self, method: str = "INVITE") -> None:
        """Hold the other side with re-INVITE or UPDATE. Raises CallError."""
        await self.modification.change(held=True, method=method)

    async def resume(self, method: str = "INVITE") -> None:
        """Take the other side back. Raises CallError."""
        await self.modification.change(held=False, method=method)


def _spoken(codecs: dict[str, str]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in codecs.items()) or "no media"


COMMON: Table = {
    (CallState.ESTABLISHED, Event.BYE): Call._on_bye,
    (CallState.ESTABLISHED, Event.HANG_UP): Call._on_hang_up,
    (CallState.LEAVING, Event.BYE): Call._on_bye,
}
"""What holds for both kinds of call."""
