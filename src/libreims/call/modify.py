"""Changing a running call: re-INVITE and UPDATE in both directions, their answers and their glare.

One exchange at a time in a dialog (RFC 3261 §14, RFC 3311 §5.2):

| state    | the phone offers             | the far side offers      |
|----------|------------------------------|--------------------------|
| IDLE     | -> THEIRS, far side is asked | sent, -> OURS            |
| THEIRS   | 500 with Retry-After         | refused 491              |
| OURS     | 491                          | refused 491              |
| ACK_DUE  | 491 (its ACK is missing)     | refused 491              |
| RESTORING| 491                          | refused 491              |

THEIRS ends with the far side's answer (INVITE: via ACK_DUE until the ACK is there), OURS with the phone's.
RESTORING: the far side accepted what this phone had taken back, and is asked to go back as well.
An UPDATE without an offer changes no media and is answered in any state (RFC 3311 §5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libreims.base.errors import Reject
from libreims.call.body import SDP_TYPE, answer_of, offer_of
from libreims.call.events import (
    Acknowledged,
    ChangeCancelled,
    Changed,
    ChangeRefused,
    Changing,
    Event,
    Headers,
    Notify,
)
from libreims.call.guard import guarded
from libreims.call.passing import passed_refusal
from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import ALLOW
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from libreims.call.leg import Leg

IDLE = "idle"
THEIRS = "theirs"
OURS = "ours"
ACK_DUE = "ack due"
RESTORING = "restoring"

GLARE = 491
UNANSWERED = ("new", "calling", "cancelling")
"""States of a leg whose INVITE has no 2xx."""


class Modify:
    """The offer/answer exchange in the dialog of one leg."""

    __slots__ = (
        "_ack_for",
        "_client",
        "_leg",
        "_outcome",
        "_server",
        "_state",
        "_taken_back",
        "_unacknowledged",
    )

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._state = IDLE
        self._server: ServerTransaction | None = None
        self._client: ClientTransaction | None = None
        self._unacknowledged: Response | None = None  # a 2xx with an offer: its ACK waits for the answer
        self._ack_for: tuple[int, bytes] | None = (
            None  # CSeq and body of the last ACK, for repeats of its 2xx
        )
        self._outcome: Notify | None = None  # who wanted our change, when that was not the far side
        self._taken_back: Request | None = None  # cancelled by the phone, the far side has not answered yet

    @property
    def leg(self) -> Leg:
        """Whose dialog this changes."""
        return self._leg

    # -- the phone changes the call --------------------------------------------------------------

    def received(self, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE from the phone; raises Reject."""
        leg = self._leg
        request = transaction.request
        assert leg.dialog is not None
        confirmed = leg.state == "confirmed"
        if confirmed:
            leg.timer.check(request)
        if request.method == "UPDATE" and not request.body:
            leg.dialog.refresh_target(request)
            headers = self._headers() + (leg.timer.answer() if confirmed else ())
            leg.services.agent.respond(transaction, Answer(200, headers=headers))
            return
        early = not confirmed
        if self._state == THEIRS or (leg.state in UNANSWERED and not leg.offer_answered):
            # RFC 3261 §14.2; RFC 3311 §5.2: an offer is not answered yet
            wait = str(leg.services.tokens.integer(0, 10))
            raise Reject(
                500,
                f"{request.method} from {leg.phone} while its previous change is still being answered",
                headers=(("Retry-After", wait),),
            )
        if self._state != IDLE or (early and not (leg.offer_answered and request.method == "UPDATE")):
            raise Reject(GLARE, f"{request.method} from {leg.phone} crosses another exchange in this call")
        description = offer_of(request, leg.phone)
        if description is not None:
            description = leg.media.admitted(description)
            refresh = "Session-Expires" in request.fields and description == leg.media.agreed
            try:
                leg.media.offered(description)
            except Reject:
                leg.media.withdraw()
                raise
            if early or refresh:
                self._answer_here(transaction)
                return
        self._state = THEIRS
        self._server = transaction
        if request.method == "INVITE":
            transaction.listener = MissingAck(self)
            leg.services.agent.respond(transaction, Answer(100))
        leg.notify(Changing(request.method, description))

    def _answer_here(self, transaction: ServerTransaction) -> None:
        """An offer is this leg's affair alone: before the call is answered, and when it changes nothing."""
        leg = self._leg
        assert leg.dialog is not None
        body = leg.media.answered_here()
        leg.dialog.refresh_target(transaction.request)
        headers = self._headers()
        if leg.state == "confirmed":
            headers += leg.timer.answer()
        if transaction.request.method == "INVITE":
            self._state = ACK_DUE
            self._server = transaction
            transaction.listener = MissingAck(self)
        answer = Answer(200, headers=headers, body=body, content_type=SDP_TYPE)
        leg.services.agent.respond(transaction, answer)
        leg.renegotiated()

    def answer(self, event: Changed | ChangeRefused) -> None:
        """The far side has answered the phone's change."""
        transaction = self._server
        if self._state != THEIRS or transaction is None:
            self._answered_too_late(event)
            return
        leg = self._leg
        agent = leg.services.agent
        request = transaction.request
        if isinstance(event, ChangeRefused):
            self._state = IDLE
            self._server = None
            leg.media.withdraw()
            agent.respond(transaction, Answer(event.status, headers=event.headers))
            return
        assert leg.dialog is not None
        body = leg.media.shown(event.description) if event.description is not None else b""
        leg.dialog.refresh_target(request)
        if request.body:
            leg.media.settle()
        headers = self._headers() + leg.timer.answer()
        answer = Answer(200, headers=headers, body=body, content_type=SDP_TYPE if body else "")
        if request.method == "INVITE":
            self._state = ACK_DUE
        else:
            self._state = IDLE
            self._server = None
        agent.respond(transaction, answer)

    def _answered_too_late(self, event: Changed | ChangeRefused) -> None:
        """The phone has cancelled its change; a far side that accepted it all the same has to go back."""
        leg = self._leg
        request, self._taken_back = self._taken_back, None
        if self._state == RESTORING:
            self._state = IDLE
            if isinstance(event, ChangeRefused):
                leg.services.log.warn(
                    f"{leg.phone} cancelled a change that the other side accepted, and that side refuses to "
                    f"take it back ({event.status}): the two may differ in what they think is on hold"
                )
            return
        agreed = leg.media.agreed
        if request is None or agreed is None or isinstance(event, ChangeRefused):
            return
        if request.body:
            self._state = RESTORING
            leg.notify(Changing("INVITE", agreed))
        elif event.description is not None and len(event.description.media) == len(agreed.media):
            leg.notify(Acknowledged(agreed))
        else:
            leg.lost(
                f"{leg.phone} cancelled a request for an offer that the other side made all the same", 487
            )

    def ack_received(self, ack: Request) -> None:
        """The ACK of our 2xx; it carries the answer when the 2xx carried the offer."""
        transaction = self._server
        if (
            self._state != ACK_DUE
            or transaction is None
            or transaction.request.cseq.number != ack.cseq.number
        ):
            return
        transaction.acknowledged()
        self._server = None
        self._state = IDLE
        if not transaction.request.body:
            self._leg.answer_in_ack(ack)

    def cancel_received(self, transaction: ServerTransaction) -> None:
        """The phone takes its re-INVITE back."""
        if transaction is not self._server or self._state != THEIRS:
            return
        self._state = IDLE
        self._server = None
        self._taken_back = transaction.request
        self._leg.media.withdraw()
        self._leg.services.agent.respond(transaction, Answer(487))
        self._leg.notify(ChangeCancelled())

    def answer_lost(self) -> None:
        """A callflow modifier refused in the place of our 2xx: there is no ACK to wait for."""
        if self._state == ACK_DUE:
            self._state = IDLE
            self._server = None

    @guarded
    def ack_missing(self, transaction: ServerTransaction) -> None:
        """No ACK for our 2xx: the session ends (RFC 3261 §14.2 as §13.3.1.4).

        An ACK to a refusal is not missed.
        """
        if transaction is not self._server or self._state != ACK_DUE:
            return
        self._state = IDLE
        self._server = None
        self._leg.lost(f"{self._leg.phone} never acknowledged our 200 OK (no ACK)")

    # -- the far side changes the call -------------------------------------------------------------

    def offer(self, event: Changing, outcome: Notify | None = None) -> None:
        """Ask this phone for what the far side wants, or the server itself, which `outcome` then tells."""
        leg = self._leg
        early = leg.may_update and event.method == "UPDATE"
        if self._state != IDLE or not (early or leg.state == "confirmed"):
            (outcome or leg.notify)(ChangeRefused(GLARE))
            return
        method = event.method
        if method == "UPDATE" and not early and "UPDATE" not in leg.peer_allows:  # RFC 3311 §5.1
            method = "INVITE"
        body = b""
        headers = self._headers() if early else self._headers() + leg.timer.offer()
        if event.description is not None:
            try:
                body = leg.media.shown(event.description)
            except Reject:
                leg.media.withdraw()
                raise
            headers = (*headers, ("Content-Type", SDP_TYPE))
        self._state = OURS
        self._outcome = outcome
        self._client = leg.send(leg.request(method, headers, body), self)

    @guarded
    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The phone answers our re-INVITE or UPDATE."""
        if response.status < 200:
            return
        if response.status < 300:
            self._accepted(transaction, response)
        elif transaction is self._client:
            if response.status == 422 and self._try_again(transaction, response):
                return
            seen, _, headers = passed_refusal(response, in_dialog=True)
            self._refused(seen, headers, gone=response.status in (408, 481))

    def _try_again(self, transaction: ClientTransaction, response: Response) -> bool:
        """422: the same with a session timer that the phone takes (RFC 4028 §7.3)."""
        leg = self._leg
        headers = leg.timer.too_small(response)
        if headers is None:
            return False
        request = transaction.request
        headers = self._headers() + headers
        if request.body:
            headers = (*headers, ("Content-Type", SDP_TYPE))
        self._client = leg.send(leg.request(request.method, headers, request.body), self)
        return True

    def _accepted(self, transaction: ClientTransaction, response: Response) -> None:
        leg = self._leg
        request = transaction.request
        if transaction is not self._client:
            self.repeat_ack(request)
            return
        self._client = None
        try:
            description = self._description(request, response)
        except Reject as reject:
            leg.services.log.error(reject.why)
            if request.method == "INVITE":
                self.send_ack(request.cseq.number, b"")
            self._state = IDLE
            leg.media.withdraw()
            self._tell(ChangeRefused(488))
            leg.lost(reject.why, 488)
            return
        assert leg.dialog is not None
        leg.dialog.refresh_target(response)
        if leg.state == "confirmed":
            leg.timer.accepted(response)
        if not request.body:
            self._unacknowledged = response  # it waits for the answer
        else:
            leg.media.settle()
            self._state = IDLE
            if request.method == "INVITE":
                self.send_ack(request.cseq.number, b"")
        self._tell(Changed(description))

    def _tell(self, event: Event) -> None:
        """The outcome of our request, to who wanted it."""
        outcome, self._outcome = self._outcome, None
        (outcome or self._leg.notify)(event)

    def _description(self, request: Request, response: Response) -> SessionDescription:
        """What a 2xx has to bring: the answer to our offer, else an offer (RFC 3261 §14.1). Raises Reject."""
        leg = self._leg
        if request.body:
            description = answer_of(response, leg.phone, leg.media.last_shown, leg.services.log)
            if description is not None:
                leg.media.answered(description)
        else:
            description = offer_of(response, leg.phone)
            if description is not None:
                description = leg.media.admitted(description)
                leg.media.offered(description)
        if description is None:
            raise Reject(488, f"{leg.phone} accepted a change of the call without SDP")
        return description

    def acknowledge(self, description: SessionDescription) -> None:
        """The far side's ACK brought the answer to the offer in this phone's 2xx."""
        response, self._unacknowledged = self._unacknowledged, None
        if response is None:
            return
        self._state = IDLE
        self.send_ack(response.cseq.number, self._leg.media.shown(description))
        self._leg.media.settle()

    def await_answer(self, response: Response) -> None:
        """The phone's 2xx to our first INVITE made an offer: its ACK waits for the answer."""
        self._state = OURS
        self._unacknowledged = response

    def send_ack(self, number: int, body: bytes) -> None:
        """ACK the 2xx of an INVITE, and remember how, for its retransmissions."""
        leg = self._leg
        assert leg.dialog is not None
        self._ack_for = (number, body)
        headers = (("Content-Type", SDP_TYPE),) if body else ()
        ack = leg.dialog.ack(number, headers, body)
        leg.services.agent.acknowledge(ack, leg.route(ack), leg.callflow)

    @property
    def has_answered_in_ack(self) -> bool:
        """Whether the last ACK carried an answer, which a repeated one has to carry again."""
        return self._ack_for is not None and bool(self._ack_for[1])

    def repeat_ack(self, request: Request) -> None:
        """The 2xx of this INVITE came again, its ACK was lost; or it came after the end of the call."""
        number = request.cseq.number
        if self._ack_for is not None and self._ack_for[0] == number:
            self.send_ack(*self._ack_for)
        elif self._unacknowledged is None and request.method == "INVITE":
            self.send_ack(number, b"")

    def _refused(self, status: int, headers: Headers = (), *, gone: bool = False) -> None:
        leg = self._leg
        self._client = None
        self._state = IDLE
        leg.media.withdraw()
        self._tell(ChangeRefused(status, headers))
        if gone:  # RFC 3261 §12.2.1.2
            leg.lost(f"{leg.phone} does not know the call any more, or does not answer", 481)

    def cancel(self) -> None:
        """The far side took its change back."""
        if self._client is not None and self._client.request.method == "INVITE":
            self._leg.services.agent.cancel(self._client, (), self._leg.callflow)

    @guarded
    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer at all."""
        if transaction is self._client:
            self._refused(504, gone=True)

    @guarded
    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """Our request did not leave."""
        if transaction is not self._client:
            return
        again = self._leg.send_as_datagram(transaction, self._leg.way, self)
        if again is not None:
            self._client = again
        else:
            self._refused(500)

    # -- the end ---------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """The dialog ends: a pending request of the phone is answered (RFC 3261 §15.1.2)."""
        transaction, self._server = self._server, None
        response, self._unacknowledged = self._unacknowledged, None
        if transaction is not None:
            if self._state == THEIRS:
                self._leg.services.agent.respond(transaction, Answer(487))
            else:
                transaction.acknowledged()
        if response is not None:
            self.send_ack(response.cseq.number, b"")
        self.cancel()  # the BYE makes the phone answer (§15.1.2), but not every phone does
        self._client = None
        self._outcome = None
        self._taken_back = None
        self._state = IDLE

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (self._leg.contact(), ("Allow", ALLOW), self._leg.supported())


class MissingAck:
    """Listens to the transaction of a re-INVITE for the ACK that does not come."""

    __slots__ = ("_modify",)

    def __init__(self, modify: Modify) -> None:
        self._modify = modify

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 have gone by."""
        self._modify.ack_missing(transaction)

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our response did not leave and is not repeated any more: no ACK will come."""
        self._modify.ack_missing(transaction)
