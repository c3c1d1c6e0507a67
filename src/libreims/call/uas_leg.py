"""The caller's leg (MO): we are the server of its INVITE (RFC 3261 §13.3).

States: `new` (nothing final sent) -> `answered` (2xx sent, ACK missing) -> `confirmed` -> `ending`
-> `ended`.
"""

from __future__ import annotations

from libreims.base.errors import Reject
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
    Reserved,
    sip_reason,
)
from libreims.call.guard import guarded
from libreims.call.history import RINGING, START
from libreims.call.leg import CONFIRMED, ENDED, ENDING, NEW, Leg
from libreims.call.leg_change import LegChange
from libreims.call.leg_media import LegMedia
from libreims.call.media_policy import unheld
from libreims.call.modify import GLARE
from libreims.call.passing import passed_offer
from libreims.call.provisional import ReliableProgress
from libreims.call.reservation import Reservation
from libreims.call.services import CallServices
from libreims.cscf.answer import Answer, Headers
from libreims.cscf.modifiers import CallflowContext
from libreims.cscf.reach import hidden_by_nat
from libreims.cscf.user_agent import ALLOW
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.local_answer import same_media
from libreims.proto.sdp.offer_answer import has_preconditions
from libreims.proto.sdp.precondition import OPTION_TAG as PRECONDITION
from libreims.proto.sdp.precondition import Preconditions
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request
from libreims.proto.sip.reliable import UNACKNOWLEDGED, negotiate
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.users.profile import effective

ANSWERED = "answered"


class UasLeg(Leg):
    """A dialog that the phone started."""

    def __init__(
        self, services: CallServices, media: LegMedia, transaction: ServerTransaction, caller: Caller
    ) -> None:
        request = transaction.request
        profile = effective(services.config.current, caller.subscriber, caller.entry)
        super().__init__(services, media, transaction.flow, caller.phone, False, profile)
        self._transaction = transaction
        self._caller = caller
        self.tcp_threshold = caller.tcp_threshold
        media.hidden = caller.identity.hidden
        self._reliable: ReliableProgress | None = None
        self._correction: SessionDescription | None = None  # to be offered once the call is on
        self._silent = False  # provisional responses have to be reliable and cannot
        self._unshown: SessionDescription | None = None  # came in a 183 that is not sent (`use183`)
        self.early_media = profile.early_media
        self._end: Cause | None = None  # to be sent as BYE as soon as the ACK is there
        self.modified_by(transaction.context)
        transaction.listener = self
        self.dialog = Dialog.from_request(request, transaction.local_tag)
        # `received` in Via tells nothing: with `rport` it is always there (RFC 3581 §4).
        routed = bool(self.dialog.route_set)
        self.behind_nat = not routed and hidden_by_nat(self.dialog.remote_target, transaction.flow)
        self.peer_allows = tuple(method.upper() for method in request.elements("Allow"))

    def modified_by(self, context: CallflowContext | None) -> None:
        """Put callflow modifiers in force, for responses to the INVITE too."""
        super().modified_by(context)
        self._transaction.context = context

    def start(self) -> None:
        """Tell the session about the call. Raises Reject on a bad offer, OutOfPorts."""
        request = self._transaction.request
        reliable = negotiate(request, "supported" if self.profile.rel100 else "off")
        offer = offer_of(request, self.phone)
        self.timer.check(request)
        reserves = self._reserves(request, offer, reliable=reliable)
        if offer is not None:
            offer = self.media.admitted(offer)
            if reserves:
                self._begin_reservation()
            self.media.offered(offer)
            if not self.services.config.current.allow_hold_invite:
                offer = self._without_hold(offer)
        self.services.dialogs.enter(self)
        ready = self.reservation is None or self.reservation.peer_ready
        if reliable:
            self._answer_reliably(request, offer)
        hidden = self._caller.identity.hidden
        agent = not self.services.config.current.force_user_agent
        acknowledges = self._reliable is not None and self.profile.use183
        passed = passed_offer(request, hidden=hidden, user_agent=agent)
        self.notify(Offered(offer, passed, acknowledges, ready))

    def _reserves(self, request: Request, offer: SessionDescription | None, *, reliable: bool) -> bool:
        """Whether preconditions are used with this phone (TS 24.229 §5.1.3.1). Raises Reject (420)."""
        profile = self.profile
        usable = reliable and profile.use183 and profile.precondition == "on"
        required = "Require" in request.fields and PRECONDITION in request.tokens("Require")
        if required and not usable and profile.precondition != "silent":
            why = "precondition is off"
            if profile.precondition == "on":
                why = "it offers no 100rel, or 100rel or use183 is false"
            raise Reject(
                420,
                f"{self.phone} requires preconditions, which cannot be used with it: {why}",
                headers=(("Unsupported", PRECONDITION),),
            )
        return usable and offer is not None and has_preconditions(offer)

    def _begin_reservation(self) -> None:
        services = self.services
        self.reservation = Reservation(self, "MO", Preconditions(), services.policy, ready=False)

    def _answer_reliably(self, request: Request, offer: SessionDescription | None) -> None:
        if offer is not None:
            self._reliable = ReliableProgress(self, self._transaction)
        else:
            # RFC 3262 §5: the first reliable response would have to make the offer, which we do not have.
            self._silent = "Require" in request.fields and "100rel" in request.tokens("Require")

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
                self._proceed(event)
            case Answered() if self.state == NEW:
                if self._reliable is not None:
                    self._reliable.take(event)
                else:
                    self.accept(event)
            case Reserved():
                if self.reservation is not None:
                    self.reservation.far_side_ready()
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

    def _proceed(self, event: Progress) -> None:
        mute = event.silent or not self.early_media
        if mute and self.reservation is None and event.description is not None:
            event = event._replace(description=None)
        if not self.profile.use183:
            if event.status == 183:
                self._unshown = event.description or self._unshown
                return
            if event.description is None and self._unshown is not None:
                event = event._replace(description=self._unshown)
        if self._silent:
            return
        if event.status == 180:
            self.record.enter(RINGING)
        if self._reliable is not None:
            self._reliable.take(event)
        else:
            self._progress(event)

    def progress_headers(self, passed: Headers) -> Headers:
        """Headers of a provisional response; `passed` is what comes from the callee's."""
        return (self.contact(), ("Allow", ALLOW), *self._caller.answer_headers, *passed)

    def _progress(self, event: Progress) -> None:
        body = b""
        if event.description is not None:
            body = self.media.shown(event.description)
            self.media.preview()
        headers = self.progress_headers(event.headers)
        answer = Answer(event.status, headers=headers, body=body, content_type=SDP_TYPE if body else "")
        self.services.agent.respond(self._transaction, answer)

    def accept(self, event: Answered) -> None:
        """The 200; without SDP where the offer has been answered reliably before (RFC 3262 §5)."""
        body = b""
        if self.offer_answered:
            self._correct(event.description)
        elif event.description is not None:
            body = self.media.shown(event.description)
            if self._transaction.request.body:
                self.media.settle()
        self._end_reservation(answered=True)
        self.state = ANSWERED
        self.record.enter(START)
        assert self.dialog is not None
        self.agent_name = tuple([("User-Agent", value) for name, value in event.headers if name == "Server"])
        headers = (
            self.contact(),
            ("Allow", ALLOW),
            self.supported(),
            *self.timer.answer(),
            *self._caller.answer_headers,
            *event.headers,
        )
        answer = Answer(200, headers=headers, body=body, content_type=SDP_TYPE if body else "")
        self.services.agent.respond(self._transaction, answer)

    def _correct(self, description: SessionDescription | None) -> None:
        """The phone that answers may not be the one whose answer the caller has: tell the caller then."""
        far = self.media.far
        if description is not None and far is not None and not same_media(far, description):
            self._correction = description

    def _refuse(self, status: int, reason: str | None, headers: tuple[tuple[str, str], ...]) -> None:
        self.services.agent.respond(self._transaction, Answer(status, reason, headers))
        self.close()

    # -- reliable provisional responses, preconditions ---------------------------------------------

    def acknowledged(self, transaction: ServerTransaction) -> None:
        """A PRACK; raises Reject."""
        if self._reliable is None:
            super().acknowledged(transaction)
        else:
            self._reliable.acknowledged(transaction)

    def unacknowledged(self) -> None:
        """64*T1 without PRACK (RFC 3262 §3)."""
        text = f"{self.phone} never acknowledged a provisional response (no PRACK)"
        self._give_up(UNACKNOWLEDGED, text)

    def unreservable(self) -> None:
        """RFC 3312 §8."""
        if self.state != NEW:
            return
        text = (
            f"{self.phone} does not get the resources that it requires (preconditions): "
            "it needs a dedicated bearer (Rx or N5), or precondition off or silent"
        )
        self._give_up(580, text)

    def lost(self, text: str, status: int = 408) -> None:
        """As in a running call; before the answer the INVITE is refused."""
        if self.state == NEW:
            self._give_up(500, text)
        else:
            super().lost(text, status)

    def _give_up(self, status: int, text: str) -> None:
        if self.state != NEW:
            return
        self.services.log.warn(text)
        reason = sip_reason(status, text)
        notify = self.notify
        self._refuse(status, None, reason)
        notify(Ended(Cause(text, reason, status)))

    @property
    def may_update(self) -> bool:
        """Once our answer is acknowledged."""
        reliable = self._reliable
        return (
            self.state == NEW
            and self.offer_answered
            and "UPDATE" in self.peer_allows
            and reliable is not None
            and not reliable.unsettled
        )

    def renegotiated(self) -> None:
        """What the phone says of its resources may let the call go on."""
        super().renegotiated()
        if self._reliable is not None and self.state == NEW:
            self._reliable.go_on()

    def renewed(self) -> None:
        """The media are known; they count once the caller has its answer."""
        if self.state != NEW:
            super().renewed()

    # -- both ----------------------------------------------------------------------------------------

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
        elif self._correction is not None:
            description, self._correction = self._correction, None
            LegChange(self, lambda: description).start()

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
        if self._reliable is not None:
            self._reliable.close()
            self._reliable = None
        super().close()
