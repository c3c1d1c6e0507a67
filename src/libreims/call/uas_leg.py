"""The caller's leg (MO): we are the server of its INVITE (RFC 3261 §13.3).

States: `new` (nothing final sent) -> `answered` (2xx sent, ACK missing) -> `confirmed` -> `ending`
-> `ended`.
"""

from __future__ import annotations

from libreims.call.body import SDP_TYPE, offer_of
from libreims.call.caller import Caller
from libreims.call.events import (
    Answered,
    Cause,
    ChangeRefused,
    Changing,
    Ended,
    Event,
    InfoAnswered,
    Informed,
    Offered,
    Progress,
    Refused,
    sip_reason,
)
from libreims.call.guard import guarded
from libreims.call.history import RINGING, START
from libreims.call.leg import CONFIRMED, ENDED, ENDING, NEW, Leg, hidden_by_nat
from libreims.call.leg_media import LegMedia
from libreims.call.media_policy import unheld
from libreims.call.modify import GLARE
from libreims.call.passing import passed_offer
from libreims.call.services import CallServices
from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import ALLOW, SUPPORTED
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request
from libreims.proto.sip.server_transaction import ServerTransaction

ANSWERED = "answered"


class UasLeg(Leg):
    """A dialog that the phone started."""

    def __init__(
        self, services: CallServices, media: LegMedia, transaction: ServerTransaction, caller: Caller
    ) -> None:
        request = transaction.request
        super().__init__(services, media, transaction.flow, caller.phone, behind_nat=False)
        self._transaction = transaction
        self._caller = caller
        self.tcp_threshold = caller.tcp_threshold
        media.hidden = caller.identity.hidden
        self._end: Cause | None = None  # to be sent as BYE as soon as the ACK is there
        self.modified_by(transaction.context)
        transaction.listener = self
        self.dialog = Dialog.from_request(request, transaction.local_tag)
        # `received` in Via tells nothing: with `rport` it is always there (RFC 3581 §4).
        routed = bool(self.dialog.route_set)
        self.behind_nat = not routed and hidden_by_nat(self.dialog.remote_target, transaction.flow)
        self.peer_allows = tuple(method.upper() for method in request.elements("Allow"))

    def start(self) -> None:
        """Tell the session about the call. Raises Reject on a bad offer, OutOfPorts."""
        request = self._transaction.request
        offer = offer_of(request, self.phone)
        if offer is not None:
            offer = self.media.admitted(offer)
            self.media.offered(offer)
            if not self.services.config.current.allow_hold_invite:
                offer = self._without_hold(offer)
        self.services.dialogs.enter(self)
        hidden = self._caller.identity.hidden
        agent = not self.services.config.current.force_user_agent
        self.notify(Offered(offer, passed_offer(request, hidden=hidden, user_agent=agent)))

    def _without_hold(self, offer: SessionDescription) -> SessionDescription:
        """`allow_hold_invite: false`: the callee is not to see that the caller begins on hold."""
        shown = unheld(offer)
        if shown is not offer:
            self.media.really_offered = offer
        return shown

    # -- the callee's side -----------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """An event of the callee."""
        if self.state in (CONFIRMED, ENDING, ENDED):
            super().handle(event)
            return
        match event:
            case Progress() if self.state == NEW:
                self._progress(event)
            case Answered() if self.state == NEW:
                self._answer(event)
            case Refused() if self.state == NEW:
                self._refuse(event.status, event.reason, event.headers)
            case Ended():
                self._hang_up_early(event.cause)
            case Changing():  # the callee is faster than the caller's ACK
                self.notify(ChangeRefused(GLARE))
            case Informed():
                self.notify(InfoAnswered(event.number, 480))
            case InfoAnswered():
                self.info.answer(event)
            case _:
                pass  # late provisional responses of a fork that lost

    def _progress(self, event: Progress) -> None:
        if event.status == 180:
            self.record.enter(RINGING)
        body = b""
        if event.description is not None:
            body = self.media.shown(event.description)
            self.media.preview()
        headers = (self.contact(), ("Allow", ALLOW), *self._caller.answer_headers, *event.headers)
        answer = Answer(event.status, headers=headers, body=body, content_type=SDP_TYPE if body else "")
        self.services.agent.respond(self._transaction, answer)

    def _answer(self, event: Answered) -> None:
        body = b""
        if event.description is not None:
            body = self.media.shown(event.description)
            if self._transaction.request.body:
                self.media.settle()
        self.state = ANSWERED
        self.record.enter(START)
        assert self.dialog is not None
        self.agent_name = tuple([("User-Agent", value) for name, value in event.headers if name == "Server"])
        headers = (
            self.contact(),
            ("Allow", ALLOW),
            ("Supported", SUPPORTED),
            *self._caller.answer_headers,
            *event.headers,
        )
        answer = Answer(200, headers=headers, body=body, content_type=SDP_TYPE if body else "")
        self.services.agent.respond(self._transaction, answer)

    def _refuse(self, status: int, reason: str | None, headers: tuple[tuple[str, str], ...]) -> None:
        self.services.agent.respond(self._transaction, Answer(status, reason, headers))
        self.close()

    def _hang_up_early(self, cause: Cause) -> None:
        if self.state == NEW:
            self._refuse(cause.status, None, cause.headers)
        else:  # RFC 3261 §15: no BYE before the ACK
            self._end = cause

    # -- the caller's side -------------------------------------------------------------------------

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """CANCEL of the first INVITE or of a re-INVITE; too late once a final response is out (§9.2)."""
        if transaction is not self._transaction:
            super().cancel_received(transaction, cancel)
        elif self.state == NEW:
            self._refuse(487, None, ())
            given = tuple(("Reason", value) for value in cancel.get_all("Reason"))
            reason = given or sip_reason(487, "Caller hung up")
            self.notify(Ended(Cause(f"{self.phone} cancelled the call", reason, 487)))

    def ack_received(self, ack: Request) -> None:
        """The ACK of our 2xx: the dialog is confirmed."""
        transaction = self._transaction
        if self.state != ANSWERED or ack.cseq.number != transaction.request.cseq.number:
            super().ack_received(ack)
            return
        transaction.acknowledged()
        self.confirm()
        if self._end is not None:
            self.hang_up(self._end)
            return
        if not transaction.request.body:
            self.answer_in_ack(ack)

    @guarded
    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """64*T1 without an ACK: the call ends (RFC 3261 §13.3.1.4)."""
        if self.state != ANSWERED:
            return
        self.confirm()
        if self._end is not None:
            self.hang_up(self._end)
        else:
            self.lost(f"{self.phone} never acknowledged our 200 OK (no ACK)")

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """Our final response did not leave and is not repeated any more: no ACK will come."""
        self.ack_timeout(transaction)

    def close(self) -> None:
        """The dialog is gone; an INVITE without final response gets one first."""
        if self.state == NEW and not self._transaction.answered:
            self.services.agent.respond(self._transaction, Answer(487))
        if self.state == ANSWERED:
            self._transaction.acknowledged()
        super().close()
