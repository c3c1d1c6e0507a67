"""What a phone does before the answer: 100rel (RFC 3262), preconditions (RFC 3312), early UPDATE.

`EarlyCaller` belongs to a call that is made: PRACK, and an UPDATE once our resources are there.
`EarlyCallee` belongs to one that comes in: 183 with the answer, ringing once every precondition is met.
The bearer is a delay (`PhoneConfig.bearer_delay`).  Without 100rel both do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError, Reject
from libreims.proto.sdp.precondition import Preconditions
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.message import Response
from libreims.proto.sip.reliable import (
    FIRST_RSEQ_LIMIT,
    UNACKNOWLEDGED,
    Due,
    Numbered,
    Provisional,
    ProvisionalAcknowledger,
    ReliableProvisionals,
    Sdp,
    Verdict,
    negotiate,
)
from libreims.proto.sip.stack import ServerTransaction
from libreims.ue.agent import ALLOW, explain

if TYPE_CHECKING:
    from libreims.ue.call import Call
    from libreims.ue.incoming import IncomingCall

_SDP = "application/sdp"
_LATER = (491, 500)
"""Answers to an UPDATE that crossed another offer (RFC 3311 §5.2)."""


def _answer_update(call: Call, dialog: Dialog, transaction: ServerTransaction) -> None:
    """An UPDATE before the answer: the other side says what it has. Raises Reject."""
    request = transaction.request
    headers = [("Contact", call.agent.contact()), ("Allow", ALLOW)]
    body = b""
    if request.body:
        try:
            body = call.media.offered(request.body)
        except LibreImsError as error:
            raise Reject(488, f"early UPDATE: {error}") from None
        headers.append(("Content-Type", _SDP))
    dialog.refresh_target(request)
    response = Response.to_request(request, 200, tag=call.local_tag, headers=headers, body=body)
    transaction.respond(response)


class _Bearer:
    """Our resources: there after a while, once the peer takes part in preconditions."""

    def __init__(self, call: Call, ready: Callable[[], None]) -> None:
        self._call = call
        self._ready = ready
        self._timer: Cancellable | None = None
        self._begun = False

    @property
    def preconditions(self) -> Preconditions | None:
        """Those of the call, where the peer has them too."""
        found = self._call.media.preconditions
        return found if found is not None and found.in_use else None

    def reserve(self) -> None:
        """Begin, the first time that there is something to reserve for."""
        if self.preconditions is None or self._begun:
            return
        self._begun = True
        agent = self._call.agent
        self._timer = agent.clock.call_later(agent.config.bearer_delay, self._done)

    def _done(self) -> None:
        self._timer = None
        if self.preconditions is not None:
            self.preconditions.reserve()
            self._call.agent.recorder.note("the dedicated bearer is there")
            self._ready()

    def close(self) -> None:
        """The call is over or answered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class EarlyCaller:
    """The time before the answer of a call that we make."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._acknowledger = ProvisionalAcknowledger()
        self._bearer = _Bearer(call, self._tell)
        self._dialog: Dialog | None = None
        self._retry: Cancellable | None = None
        self._pracks = 0
        self._waiting = False
        self._over = False

    def received(self, response: Response) -> tuple[bool, RAck | None]:
        """Whether to process a provisional response, and the RAck where it is acknowledged."""
        if "100rel" not in self._call.agent.supported:
            return True, None
        verdict, rack = self._acknowledger.received(response)
        return verdict in (Verdict.NEW, Verdict.UNRELIABLE), rack

    def processed(self, dialog: Dialog | None, rack: RAck | None) -> None:
        """The response has been processed: acknowledge it, and reserve what its answer needs."""
        if dialog is None:
            return
        agent = self._call.agent
        if rack is not None:
            prack = dialog.new_request("PRACK", [*agent.common(), ("RAck", str(rack))])
            self._pracks += 1
            agent.start(prack, agent.flow_for(prack), self._pracked)
        if not self._over and not self._call.media.offering:
            self._dialog = dialog
            self._bearer.reserve()

    def _pracked(self, response: Response | None, why: str) -> None:
        self._pracks -= 1
        if response is None or response.status >= 300:
            text = why if response is None else explain(response)
            self._call.agent.recorder.note(f"PRACK: {text}")
        if self._waiting and not self._pracks:
            self._tell()

    def _tell(self) -> None:
        """UPDATE with what we have now (RFC 3311; TS 24.229 §5.1.3.1).

        Not while a PRACK is under way: it would be out of order, should the UPDATE overtake it.
        """
        self._retry = None
        call, dialog = self._call, self._dialog
        if self._over or dialog is None:
            return
        self._waiting = self._pracks > 0
        if self._waiting:
            return
        body = call.media.reoffer()
        agent = call.agent
        headers = [("Contact", agent.contact()), ("Allow", ALLOW), ("Content-Type", _SDP)]
        update = dialog.new_request("UPDATE", [*agent.common(), *headers], body)
        agent.start(update, agent.flow_for(update), self._told)

    def _told(self, response: Response | None, why: str) -> None:
        call = self._call
        if self._over:
            return
        if response is not None and response.status < 300:
            try:
                call.media.answered(response.body)
            except LibreImsError as error:
                call.agent.recorder.note(f"200 to our UPDATE: {error}")
            return
        call.media.abandon(held=False)
        call.agent.recorder.note(f"early UPDATE: {explain(response) if response is not None else why}")
        if response is not None and response.status in _LATER:
            delay = call.agent.tokens.uniform(2.1, 4.0)  # RFC 3261 §14.1
            self._retry = call.agent.clock.call_later(delay, self._tell)

    def updated(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        """An UPDATE of the other side in an early dialog. Raises Reject."""
        if transaction.request.body and self._call.media.offering:
            raise Reject(491, "UPDATE while our own offer waits for its answer")  # RFC 3311 §5.2
        _answer_update(self._call, dialog, transaction)

    def pracked(self, transaction: ServerTransaction) -> None:
        """Nobody acknowledges anything to a caller."""
        raise Reject(481, "PRACK for nothing")

    def close(self) -> None:
        """Answered or over."""
        self._over = True
        self._bearer.close()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


class EarlyCallee:
    """The time before the answer of a call that comes in."""

    def __init__(self, call: IncomingCall, invite: ServerTransaction) -> None:
        self._call = call
        self._invite = invite
        self._bearer = _Bearer(call, self._resume)
        self._reliable: ReliableProvisionals | None = None
        self._timer: Cancellable | None = None
        self._last: Response | None = None
        self._suspended = False
        self.answer_shown = False
        """Whether a reliable response has brought our SDP: the 200 need not repeat it."""

    def begin(self, body: bytes) -> bool:
        """The offer has been answered with `body`: whether to ring at once. Raises Reject (420)."""
        agent, request = self._call.agent, self._invite.request
        if not negotiate(request, "supported" if "100rel" in agent.supported else "off"):
            return True
        first = agent.tokens.integer(1, FIRST_RSEQ_LIMIT)
        self._reliable = ReliableProvisionals(request, first, agent.stack.timers.t1)
        if self._bearer.preconditions is None:
            return True
        self._suspended = True
        self.progress(183, body)
        self._bearer.reserve()
        return False

    def progress(self, status: int, body: bytes = b"") -> bool:
        """Send a provisional response reliably; False when that is not agreed."""
        reliable = self._reliable
        if reliable is None or (reliable.needs_offer and not body):
            return False
        headers = self._call.response_headers(body)
        self._send(reliable.submit(Provisional(status, headers, body), self._call.agent.clock.time()))
        self.answer_shown = self.answer_shown or bool(body)
        return True

    def _send(self, numbered: Numbered | None) -> None:
        if numbered is not None:
            provisional = numbered.provisional
            self._last = Response.to_request(
                self._invite.request,
                provisional.status,
                tag=self._call.local_tag,
                headers=numbered.headers,
                body=provisional.body,
            )
            self._invite.respond(self._last)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        reliable, clock = self._reliable, self._call.agent.clock
        if reliable is not None and reliable.due is not None:
            self._timer = clock.call_later(max(0.0, reliable.due - clock.time()), self._timeout, reliable.due)

    def _timeout(self, due: float) -> None:
        self._timer = None
        assert self._reliable is not None
        outcome = self._reliable.timeout(due)
        if outcome is Due.EXPIRED:
            self._call.reject(UNACKNOWLEDGED, "no PRACK came")
            return
        if outcome is Due.REPEAT and self._last is not None:
            self._invite.respond(self._last)
        self._arm()

    def pracked(self, transaction: ServerTransaction) -> None:
        """A PRACK. Raises Reject."""
        if self._reliable is None:
            raise Reject(481, "PRACK for nothing")
        request = transaction.request
        done = self._reliable.prack(request, self._call.agent.clock.time())
        try:
            self._answer_prack(transaction, done.refusal, done.sdp)
        finally:
            self._send(done.send)
            if done.success:
                self._call.pick_up()
            else:
                self._resume()

    def _answer_prack(self, transaction: ServerTransaction, refusal: Reject | None, sdp: Sdp) -> None:
        if refusal is not None:
            raise refusal
        request, call = transaction.request, self._call
        body = b""
        try:
            if sdp is Sdp.OFFER:
                body = call.media.offered(request.body)
            elif sdp is Sdp.ANSWER:
                call.media.answered(request.body)
        except LibreImsError as error:
            raise Reject(488, f"PRACK: {error}") from None
        headers = [("Content-Type", _SDP)] if body else []
        transaction.respond(Response.to_request(request, 200, tag=call.local_tag, headers=headers, body=body))

    def updated(self, dialog: Dialog, transaction: ServerTransaction) -> None:
        """An UPDATE before our answer. Raises Reject."""
        if not self.answer_shown:
            raise Reject(500, "UPDATE before the offer is answered", headers=(("Retry-After", "1"),))
        _answer_update(self._call, dialog, transaction)
        self._resume()

    def _resume(self) -> None:
        """Ring, once every precondition is met and the 183 is acknowledged (RFC 3312 §6)."""
        preconditions, reliable = self._bearer.preconditions, self._reliable
        if not self._suspended or (reliable is not None and reliable.unacknowledged is not None):
            return
        if preconditions is None or preconditions.is_met():
            self._suspended = False
            self._call.ring()

    @property
    def waiting(self) -> bool:
        """Whether preconditions keep the phone from ringing, and so from being answered (RFC 3312 §7.2)."""
        return self._suspended

    def may_answer(self) -> bool:
        """Whether the 200 goes out now; else `pick_up` is called when it may."""
        return self._reliable is None or self._reliable.success()

    def close(self) -> None:
        """A final response went out: nothing is repeated any more."""
        self._bearer.close()
        self._suspended = False
        if self._reliable is not None:
            self._reliable.close()
            self._arm()
