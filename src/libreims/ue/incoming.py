"""A call that comes in (RFC 3261 §13.3, §15): ringing, answering, refusing, and the ACK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError, Reject
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ServerTransaction
from libreims.ue.agent import ALLOW, Agent, Header, explain
from libreims.ue.call import COMMON, SDP, Call, CallState, Event, Message, Outcome
from libreims.ue.early import EarlyCallee
from libreims.ue.media import MediaSession


@dataclass(frozen=True, slots=True)
class AnswerMode:
    """What a phone does with a call that comes in."""

    status: int | None = 200
    """The final response; None: it rings until someone answers (`Call.answer`) or gives up."""
    delay: float = 1.0
    """Seconds of ringing before it."""
    ring: bool = True
    """Send 180."""


ANSWER = AnswerMode()
RING = AnswerMode(status=None)
BUSY = AnswerMode(status=486, delay=0.0, ring=False)
DECLINE = AnswerMode(status=603)


class IncomingCall(Call):
    """One call received."""

    incoming = True

    def __init__(
        self,
        agent: Agent,
        media: MediaSession,
        changed: Callable[[], None],
        transaction: ServerTransaction,
    ) -> None:
        super().__init__(agent, media, changed, CallState.OFFERED)
        self._invite = transaction
        self._mode = ANSWER
        self.early: EarlyCallee = EarlyCallee(self, transaction)
        self._answer_body = b""
        self._offerless = False
        self._timer: Cancellable | None = None

    def offered(self, mode: AnswerMode) -> None:
        """An INVITE came. Raises Reject when it opens no dialog."""
        transaction = self._invite
        request = transaction.request
        self.peer = request.from_.uri_text
        self.asserted = tuple(request.elements("P-Asserted-Identity"))
        self.call_id, self.local_tag = request.call_id, transaction.local_tag
        self.dialog = Dialog.from_request(request, transaction.local_tag)
        self._note(f"{self.name} calls")
        try:
            self._answer_body = self._prepare_answer(request)
        except LibreImsError as error:
            self.reject(488, f"SDP: {error}")
            return
        self._mode = mode
        if self.early.begin(self._answer_body):
            self.ring()

    def ring(self) -> None:
        """Nothing stands in the way any more: do what the answer mode says."""
        mode = self._mode
        if mode.ring and not self.early.progress(180):
            self._respond(180)
        if mode.status is None:
            return
        if mode.delay:
            self._timer = self.agent.clock.call_later(mode.delay, self._decide, mode.status)
        else:
            self._decide(mode.status)

    def _prepare_answer(self, request: Request) -> bytes:
        if request.body:
            return self.media.offered(request.body)
        self._offerless = True
        return self.media.offer(("audio",))

    def _decide(self, status: int) -> None:
        if self.state is not CallState.OFFERED:
            return
        if status < 300:
            self.answer()
        else:
            self.reject(status)

    def answer(self) -> None:
        """Pick up, once preconditions let it ring. Raises CallError unless it comes in here."""
        if self.state is not CallState.OFFERED:
            return super().answer()
        self._stop_timer()
        if self.early.waiting:
            self._mode = replace(self._mode, status=200, delay=0.0)
        elif self.early.may_answer():
            self.pick_up()

    def pick_up(self) -> None:
        """Send the 200: nothing has to be acknowledged before it."""
        try:
            timer = self.session_timer.answer(self._invite.request)
        except Reject as reject:
            self._respond(reject.status, headers=reject.headers)
            self._finish(Outcome("us", reject.why, reject.status))
            return
        self._invite.listener = _AckListener(self)
        self._respond(200, headers=timer, body=b"" if self.early.answer_shown else self._answer_body)
        self.early.close()
        if self.dialog is not None:
            self.dialog.confirm()
        self._enter(CallState.ANSWERED)
        self.media.talk()

    def reject(self, status: int = 486, why: str = "") -> None:
        """Refuse. Raises CallError unless it rings here."""
        if self.state is not CallState.OFFERED:
            return super().reject(status)
        response = self._respond(status)
        self._finish(Outcome("us", why or f"refused with {explain(response)}", status))

    def _respond(self, status: int, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        lines = [*self.response_headers(body), *headers]
        response = Response.to_request(
            self._invite.request, status, tag=self.local_tag, headers=lines, body=body
        )
        self._invite.respond(response)
        return response

    def response_headers(self, body: bytes) -> tuple[Header, ...]:
        """Headers of our responses to the INVITE."""
        headers: list[Header] = [("Contact", self.agent.contact()), ("Allow", ALLOW)]
        if self.agent.is_volte:
            headers.append(("P-Access-Network-Info", dict(self.agent.about_us())["P-Access-Network-Info"]))
        if self.agent.supported:
            headers.append(("Supported", ", ".join(self.agent.supported)))
        if body:
            headers.append(("Content-Type", SDP))
        return tuple(headers)

    def _on_cancel(self, _: Message, __: str) -> None:
        self._respond(487)
        self._finish(Outcome("them", "the caller gave up", 487))

    def _on_early_bye(self, _: Message, __: str) -> None:
        self._respond(487)
        self._finish(Outcome("them", "the caller hung up before the answer", 487))

    def acknowledged(self, request: Request, transaction: ServerTransaction | None) -> None:
        """An ACK in our dialog; `transaction` is that of its INVITE where one still waits."""
        if transaction is self._invite:
            transaction.acknowledged()
            self.event(Event.ACK, request)
        else:
            super().acknowledged(request, transaction)

    def _on_ack(self, request: Message, _: str) -> None:
        assert isinstance(request, Request)
        if self._offerless:
            try:
                self.media.answered(request.body)
            except LibreImsError as error:
                self._bye(f"the ACK brings no answer to our offer: {error}")
                return
        self._established()

    def _on_unwanted_ack(self, _: Message, __: str) -> None:
        self._bye("hung up")

    def _on_no_ack(self, _: Message, __: str) -> None:
        self._bye("no ACK came for our 200")

    def _on_refuse(self, _: Message, __: str) -> None:
        self.reject(603)

    def _on_hang_up_early(self, _: Message, __: str) -> None:
        # The callee must not send BYE before the ACK (RFC 3261 §15).
        self._enter(CallState.UNWANTED)

    def _on_bye_before_ack(self, request: Message, why: str) -> None:
        # Who hangs up has seen our 200.
        self._invite.acknowledged()
        self._on_bye(request, why)

    def _finish(self, outcome: Outcome) -> None:
        self._stop_timer()
        super()._finish(outcome)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _AckListener:
    """Feeds the missing of an ACK into the table."""

    __slots__ = ("_call",)

    def __init__(self, call: IncomingCall) -> None:
        self._call = call

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 without ACK."""
        del transaction
        self._call.event(Event.NO_ACK)

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our 200 did not arrive."""
        del transaction
        self._call.event(Event.NO_ACK)


IncomingCall.table = {
    **COMMON,
    (CallState.OFFERED, Event.CANCEL): IncomingCall._on_cancel,
    (CallState.OFFERED, Event.BYE): IncomingCall._on_early_bye,
    (CallState.OFFERED, Event.HANG_UP): IncomingCall._on_refuse,
    (CallState.ANSWERED, Event.ACK): IncomingCall._on_ack,
    (CallState.ANSWERED, Event.NO_ACK): IncomingCall._on_no_ack,
    (CallState.ANSWERED, Event.BYE): IncomingCall._on_bye_before_ack,
    (CallState.ANSWERED, Event.HANG_UP): IncomingCall._on_hang_up_early,
    (CallState.UNWANTED, Event.ACK): IncomingCall._on_unwanted_ack,
    (CallState.UNWANTED, Event.NO_ACK): IncomingCall._on_no_ack,
    (CallState.UNWANTED, Event.BYE): IncomingCall._on_bye_before_ack,
}
