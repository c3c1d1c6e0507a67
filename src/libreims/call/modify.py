"""Changing a running call: re-INVITE and UPDATE in both directions, their answers and their glare.

One exchange at a time in a dialog (RFC 3261 §14, RFC 3311 §5.2):

| state    | the phone offers             | the far side offers      |
|----------|------------------------------|--------------------------|
| IDLE     | -> THEIRS, far side is asked | sent, -> OURS            |
| THEIRS   | 500 with Retry-After         | refused 491              |
| OURS     | 491                          | refused 491              |
| ACK_DUE  | 491 (its ACK is missing)     | refused 491              |

THEIRS ends with the far side's answer (INVITE: via ACK_DUE until the ACK is there), OURS with the phone's.
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
)
from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import ALLOW, SUPPORTED
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

GLARE = 491


class Modify:
    """The offer/answer exchange in the dialog of one leg."""

    __slots__ = ("_ack_for", "_client", "_leg", "_server", "_state", "_unacknowledged")

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._state = IDLE
        self._server: ServerTransaction | None = None
        self._client: ClientTransaction | None = None
        self._unacknowledged: Response | None = None  # a 2xx with an offer: its ACK waits for the answer
        self._ack_for: tuple[int, bytes] | None = (
            None  # CSeq and body of the last ACK, for repeats of its 2xx
        )

    # -- the phone changes the call --------------------------------------------------------------

    def received(self, transaction: ServerTransaction) -> None:
        """A re-INVITE or UPDATE from the phone; raises Reject."""
        leg = self._leg
        request = transaction.request
        if self._state == THEIRS:
            wait = str(leg.services.tokens.integer(0, 10))
            raise Reject(
                500,
                f"{request.method} from {leg.phone} while its previous change is still being answered",
                headers=(("Retry-After", wait),),
            )
        if self._state != IDLE or leg.state != "confirmed":
            raise Reject(GLARE, f"{request.method} from {leg.phone} crosses another exchange in this call")
        description = offer_of(request, leg.phone)
        assert leg.dialog is not None
        leg.dialog.refresh_target(request)
        if description is None and request.method == "UPDATE":
            leg.services.agent.respond(transaction, Answer(200, headers=self._headers()))
            return
        if description is not None:
            leg.media.offered(description)
        self._state = THEIRS
        self._server = transaction
        if request.method == "INVITE":
            transaction.listener = MissingAck(self)
            leg.services.agent.respond(transaction, Answer(100))
        leg.notify(Changing(request.method, description))

    def answer(self, event: Changed | ChangeRefused) -> None:
        """The far side has answered the phone's change."""
        transaction, self._server = self._server, None
        if self._state != THEIRS or transaction is None:
            return
        leg = self._leg
        agent = leg.services.agent
        if isinstance(event, ChangeRefused):
            self._state = IDLE
            leg.media.withdraw()
            agent.respond(transaction, Answer(event.status, headers=event.headers))
            return
        body = leg.media.shown(event.description) if event.description is not None else b""
        leg.media.settle()
        answer = Answer(200, headers=self._headers(), body=body, content_type=SDP_TYPE if body else "")
        if transaction.request.method == "INVITE":
            self._state = ACK_DUE
            self._server = transaction
        else:
            self._state = IDLE
        agent.respond(transaction, answer)

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
        description = answer_of(ack, self._leg.phone)
        if description is not None and not transaction.request.body:
            self._leg.media.answered(description)
            self._leg.notify(Acknowledged(description))

    def cancel_received(self, transaction: ServerTransaction) -> None:
        """The phone takes its re-INVITE back."""
        if transaction is not self._server or self._state != THEIRS:
            return
        self._state = IDLE
        self._server = None
        self._leg.media.withdraw()
        self._leg.services.agent.respond(transaction, Answer(487))
        self._leg.notify(ChangeCancelled())

    def ack_missing(self) -> None:
        """No ACK for our 2xx: the session ends (RFC 3261 §14.2 as §13.3.1.4)."""
        self._state = IDLE
        self._server = None
        self._leg.lost(f"{self._leg.phone} never acknowledged our 200 OK (no ACK)")

    # -- the far side changes the call -------------------------------------------------------------

    def offer(self, event: Changing) -> None:
        """Ask this phone for what the far side wants."""
        leg = self._leg
        if self._state != IDLE or leg.state != "confirmed":
            leg.notify(ChangeRefused(GLARE))
            return
        method = event.method
        if method == "UPDATE" and "UPDATE" not in leg.peer_allows:  # RFC 3311 §5.1
            method = "INVITE"
        body = leg.media.shown(event.description) if event.description is not None else b""
        headers = self._headers()
        if body:
            headers = (*headers, ("Content-Type", SDP_TYPE))
        self._state = OURS
        self._client = leg.send(leg.request(method, headers, body), self)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The phone answers our re-INVITE or UPDATE."""
        if response.status < 200:
            return
        if response.status < 300:
            self._accepted(transaction, response)
        elif transaction is self._client:
            self._refused(response.status, response)

    def _accepted(self, transaction: ClientTransaction, response: Response) -> None:
        leg = self._leg
        request = transaction.request
        if transaction is not self._client:
            self.repeat_ack(request)
            return
        self._client = None
        try:
            description = answer_of(response, leg.phone)
        except Reject as reject:
            if request.method == "INVITE":
                self.send_ack(request.cseq.number, b"")
            self._state = IDLE
            leg.media.withdraw()
            leg.notify(ChangeRefused(reject.status))
            leg.lost(reject.why)
            return
        assert leg.dialog is not None
        leg.dialog.refresh_target(response)
        if description is not None:
            leg.media.answered(description)
        leg.media.settle()
        if request.method != "INVITE":
            self._state = IDLE
        elif request.body:
            self._state = IDLE
            self.send_ack(request.cseq.number, b"")
        else:
            self._unacknowledged = response
        leg.notify(Changed(description))

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
        leg.services.agent.acknowledge(ack, leg.route(ack))

    def repeat_ack(self, request: Request) -> None:
        """The 2xx of this INVITE came again: its ACK was lost."""
        if self._ack_for is not None and self._ack_for[0] == request.cseq.number:
            self.send_ack(*self._ack_for)

    def _refused(self, status: int, response: Response | None) -> None:
        leg = self._leg
        self._client = None
        self._state = IDLE
        leg.media.withdraw()
        retry = response.get("Retry-After") if response is not None else None
        leg.notify(ChangeRefused(status, (("Retry-After", retry),) if retry else ()))
        if status in (408, 481):  # RFC 3261 §12.2.1.2: the dialog is gone
            leg.lost(f"{leg.phone} does not know the call any more ({status})")

    def cancel(self) -> None:
        """The far side took its change back."""
        if self._client is not None and self._client.request.method == "INVITE":
            self._client.cancel()

    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer at all."""
        if transaction is self._client:
            self._refused(408, None)

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """Our request did not leave."""
        if transaction is self._client:
            self._refused(503, None)

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
        self._client = None
        self._state = IDLE

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (self._leg.contact(), ("Allow", ALLOW), ("Supported", SUPPORTED))


class MissingAck:
    """Listens to the transaction of a re-INVITE for the ACK that does not come."""

    __slots__ = ("_modify",)

    def __init__(self, modify: Modify) -> None:
        self._modify = modify

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 have gone by."""
        self._modify.ack_missing()

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our response did not leave; the missing ACK will tell."""
