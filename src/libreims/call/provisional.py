"""Provisional responses to a caller that acknowledges them (RFC 3262): the server's side.

What the callee tells is taken in turn.  A response with our answer in it is waited for: nothing follows it,
not even the 200, before its PRACK is there.  Towards a phone with preconditions ringing and the 200 also wait
for its resources (`call.reservation`), and the answer goes ahead of them in a 183.  A 180 that comes before
there is any answer to show does not wait: the phone could not begin to reserve for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from libreims.base.clock import Cancellable
from libreims.base.errors import Reject
from libreims.call.body import SDP_TYPE, offer_of
from libreims.call.events import Answered, Progress
from libreims.call.guard import guarded
from libreims.cscf.answer import Answer
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.reliable import (
    FIRST_RSEQ_LIMIT,
    Due,
    Numbered,
    Provisional,
    ReliableProvisionals,
    Sdp,
)
from libreims.proto.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from libreims.call.uas_leg import UasLeg


class ReliableProgress:
    """What is on its way to one caller that has not been answered yet."""

    __slots__ = ("_answer_due", "_leg", "_over", "_reliable", "_timer", "_transaction", "_waiting")

    def __init__(self, leg: UasLeg, transaction: ServerTransaction) -> None:
        services = leg.services
        first = services.tokens.integer(1, FIRST_RSEQ_LIMIT)
        self._leg = leg
        self._transaction = transaction
        self._reliable = ReliableProvisionals(transaction.request, first, services.config.current.timer_t1)
        self._waiting: deque[Progress | Answered] = deque()
        self._answer_due = False  # our answer is out and not acknowledged
        self._timer: Cancellable | None = None
        self._over = False

    @property
    def leg(self) -> UasLeg:
        """Whose INVITE it is."""
        return self._leg

    @property
    def unsettled(self) -> bool:
        """Our answer is out, and not acknowledged."""
        return self._answer_due

    def take(self, event: Progress | Answered) -> None:
        """What the callee tells."""
        self._waiting.append(event)
        self.go_on()

    def go_on(self) -> None:
        """Send what may go out now."""
        leg = self._leg
        waiting = self._waiting
        while waiting and not self._over and not self._answer_due:
            event = waiting[0]
            reservation = leg.reservation
            description = None if leg.offer_answered else event.description
            rings = isinstance(event, Answered) or event.status == 180
            if rings and reservation is not None:
                if description is not None and reservation.in_use:
                    headers = event.headers if isinstance(event, Progress) else ()
                    self._send(Progress(183, description, headers))
                    continue
                if leg.offer_answered and not reservation.open:
                    reservation.waits()
                    return
            waiting.popleft()
            if isinstance(event, Progress):
                self._send(event)
            elif self._reliable.success():
                self._close()
                leg.accept(event)
                leg.renewed()

    def _send(self, event: Progress) -> None:
        leg = self._leg
        body = b""
        if event.description is not None and not leg.offer_answered:
            body = self._answer(event.description)
            self._answer_due = True
        headers = leg.progress_headers(event.headers)
        self._go_out(self._reliable.submit(Provisional(event.status, headers, body), self._now()))

    def _answer(self, description: SessionDescription) -> bytes:
        leg = self._leg
        body = leg.media.shown(description)
        leg.media.settle()
        leg.offer_answered = True
        return body

    def _go_out(self, numbered: Numbered | None) -> None:
        if numbered is not None:
            body = numbered.provisional.body
            answer = Answer(
                numbered.provisional.status,
                headers=numbered.headers,
                body=body,
                content_type=SDP_TYPE if body else "",
            )
            self._leg.services.agent.respond(self._transaction, answer)
        self._arm()

    # -- PRACK -------------------------------------------------------------------------------------------

    def acknowledged(self, transaction: ServerTransaction) -> None:
        """A PRACK. Raises Reject (400, 481)."""
        done = self._reliable.prack(transaction.request, self._now())
        leg = self._leg
        agent = leg.services.agent
        try:
            if done.refusal is not None:
                raise done.refusal
            body = self._offered(transaction) if done.sdp is Sdp.OFFER else b""
        except Reject as reject:
            leg.services.log.warn(reject.why)
            agent.respond(transaction, Answer(reject.status, reject.reason, reject.headers))
        else:
            agent.respond(transaction, Answer(200, body=body, content_type=SDP_TYPE if body else ""))
        if done.numbered.provisional.body:
            self._answer_due = False
        if self._over:
            return
        self._go_out(done.send)
        leg.renegotiated()

    def _offered(self, transaction: ServerTransaction) -> bytes:
        leg = self._leg
        offer = offer_of(transaction.request, leg.phone)
        assert offer is not None
        try:
            leg.media.offered(leg.media.admitted(offer))
        except Reject:
            leg.media.withdraw()
            raise
        return leg.media.answered_here()

    # -- time ----------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._leg.services.clock.time()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._reliable.due
        if due is not None and not self._over:
            self._timer = self._leg.services.clock.call_later(max(0.0, due - self._now()), self._late, due)

    @guarded
    def _late(self, due: float) -> None:
        self._timer = None
        outcome = self._reliable.timeout(due)
        if outcome is Due.EXPIRED:
            self._leg.unacknowledged()
            return
        if outcome is Due.REPEAT:
            transaction = self._transaction
            transaction.retransmitted(transaction.request, transaction.flow)  # the same octets again
        self._arm()

    def _close(self) -> None:
        self._over = True
        self._waiting.clear()
        self._arm()

    def close(self) -> None:
        """A final response has been given; a late PRACK is still answered."""
        self._reliable.close()
        self._close()
