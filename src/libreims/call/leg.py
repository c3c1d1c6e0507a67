"""One phone's side of a call: its dialog, and what both ends of a dialog do alike.

`UasLeg` (the caller's, we are the server) and `UacLeg` (the callee's, we are the client) differ only
until the dialog is confirmed; from then on this class serves both.  In-dialog requests come in by
`received`, the far side's events by `handle`.
"""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.call.body import answer_of
from libreims.call.dialog_view import held
from libreims.call.events import (
    Acknowledged,
    Cause,
    ChangeCancelled,
    Changed,
    ChangeRefused,
    Changing,
    Ended,
    Event,
    Headers,
    InfoAnswered,
    Informed,
    Notify,
    Reserved,
    sip_reason,
)
from libreims.call.history import HOLD, START, STOP, UNRECORDED
from libreims.call.info import Info
from libreims.call.leg_media import LegMedia
from libreims.call.modify import Modify
from libreims.call.party import Near
from libreims.call.reservation import Reservation
from libreims.call.services import CallServices
from libreims.call.session_timer import SessionTimer
from libreims.cscf.answer import Answer
from libreims.cscf.modifiers import CallflowContext
from libreims.cscf.options import supported
from libreims.cscf.user_agent import ALLOW
from libreims.net.port import Flow
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sip.transaction import ClientListener
from libreims.users.profile import Profile

NEW = "new"
CONFIRMED = "confirmed"
ENDING = "ending"
"""Our BYE is out; the dialog goes with its answer."""
ENDED = "ended"


def unconnected(event: Event) -> None:
    """Where events go before a session listens and after it is over: nowhere."""


class Leg:
    """A dialog with one phone. Subclasses know how it is set up."""

    def __init__(
        self,
        services: CallServices,
        media: LegMedia,
        flow: Flow,
        phone: str,
        behind_nat: bool,
        profile: Profile,
    ) -> None:
        self.services = services
        self.profile = profile
        self.media = media
        self.flow = flow
        self.behind_nat = behind_nat
        self._hop = ""  # the next hop that `_way` leads to
        self._way = flow
        self._datagrams_only = False  # the phone does not listen on TCP
        self.phone = phone
        self.notify: Notify = unconnected
        self.dialog: Dialog | None = None
        self.state = NEW
        self.peer_allows: tuple[str, ...] = ()
        self.tcp_threshold = 0  # the server's
        self.agent_name: Headers = ()  # User-Agent of the far phone, where it is shown
        self.record = UNRECORDED
        self.callflow: CallflowContext | None = None
        """The callflow modifiers in force for the messages with this phone."""
        self.offer_answered = False
        """The first offer has been answered reliably before the call: UPDATE may follow (RFC 3311 §5.1)."""
        self.reservation: Reservation | None = None
        self._lifetime: SessionTimer | None = None
        self._exchange: Modify | None = None  # these two lead back here, so they are there only while needed
        self._info: Info | None = None
        self._heard = services.clock.time()

    @property
    def modify(self) -> Modify:
        """The offer/answer exchange in this dialog."""
        modify = self._exchange
        if modify is None:
            modify = self._exchange = Modify(self)
        return modify

    @property
    def timer(self) -> SessionTimer:
        """The session timer of this dialog."""
        timer = self._lifetime
        if timer is None:
            timer = self._lifetime = SessionTimer(self, self.profile.session_expires)
        return timer

    @property
    def info(self) -> Info:
        """The INFO transactions in this dialog."""
        info = self._info
        if info is None:
            info = self._info = Info(self)
        return info

    def _abandon(self) -> None:
        """Nothing is to be changed or told any more."""
        if self._exchange is not None:
            self._exchange.abandon()
        if self._info is not None:
            self._info.abandon()
        if self._lifetime is not None:
            self._lifetime.stop()

    # -- the session's side -------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """An event of the other party, for a confirmed dialog."""
        match event:
            case Changing():
                self.modify.offer(event)
            case Changed() | ChangeRefused():
                self.modify.answer(event)
            case ChangeCancelled():
                self.modify.cancel()
            case Acknowledged():
                self.modify.acknowledge(event.description)
            case Informed():
                self.info.send(event)
            case InfoAnswered():
                self.info.answer(event)
            case Ended():
                self.hang_up(event.cause)
            case _:
                raise AssertionError(f"{type(event).__name__} cannot reach a leg in state {self.state}")

    def join(self, near: Near) -> None:
        """Connect the other side's media to this phone's."""
        near.bridge(self.media)

    def renewed(self) -> None:
        """The media of the running call are known, or have been changed."""
        self.record.enter(HOLD if held(self.media) else START)

    def last_activity(self) -> float:
        """Clock time of the latest message or media packet from this phone."""
        return max(self._heard, self.media.last_activity())

    def release(self) -> None:
        """The session is over."""
        self.notify = unconnected
        self.record.enter(STOP)
        self.media.close()
        if self.state in (NEW, ENDED):
            self.record.forget()

    # -- the phone's side ---------------------------------------------------------------------

    def received(self, transaction: ServerTransaction) -> None:
        """An in-dialog request; raises Reject."""
        request = transaction.request
        dialog = self.dialog
        assert dialog is not None
        self._heard = self.services.clock.time()
        over = self.state in (ENDING, ENDED) or self.notify is unconnected
        if over and request.method != "BYE":
            raise Reject(481, f"{request.method} from {self.phone} for a call that is already over")
        if not self.services.agent.fits(request, transaction.flow, self.flow):
            raise Reject(403, f"{request.method} in a call of {self.phone} came outside of its IPsec")
        dialog.accepts(request)
        procedure = PROCEDURES.get(request.method)
        if procedure is None:
            raise Reject(405, f"{request.method} inside a call is not supported", headers=(("Allow", ALLOW),))
        procedure(self, transaction)

    def ack_received(self, ack: Request) -> None:
        """The ACK of a 2xx that we sent in this dialog."""
        self._heard = self.services.clock.time()
        if self._exchange is not None:
            self._exchange.ack_received(ack)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The phone takes an INVITE back that has no final response yet."""
        self.modify.cancel_received(transaction)

    def _bye(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        self.services.agent.respond(transaction, Answer(200))
        already_over = self.state in (ENDING, ENDED)
        self.close()
        if not already_over:
            reasons = tuple(("Reason", value) for value in request.get_all("Reason"))
            self.notify(Ended(Cause(f"{self.phone} hung up", reasons)))

    def _prack(self, transaction: ServerTransaction) -> None:
        self.acknowledged(transaction)

    def acknowledged(self, transaction: ServerTransaction) -> None:
        """A PRACK; raises Reject."""
        raise Reject(481, f"PRACK from {self.phone} acknowledges nothing: no response waits for one")

    def _options(self, transaction: ServerTransaction) -> None:
        self.services.agent.respond(transaction, Answer(200, headers=(("Allow", ALLOW),)))

    def _modify(self, transaction: ServerTransaction) -> None:
        self.modify.received(transaction)

    def _inform(self, transaction: ServerTransaction) -> None:
        self.info.received(transaction)

    # -- both -----------------------------------------------------------------------------------

    def request(self, method: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        """A new request of this dialog."""
        assert self.dialog is not None
        return self.dialog.new_request(method, (*headers, *self.agent_name), body)

    def send(self, request: Request, listener: ClientListener) -> ClientTransaction:
        """Send an in-dialog request."""
        return self.services.agent.request(request, self.route(request), listener, self.callflow)

    def route(self, request: Request) -> Flow:
        """The way of an in-dialog request: to the remote target, or to where a phone behind a NAT is seen."""
        assert self.dialog is not None
        agent, target = self.services.agent, self.dialog.next_hop
        if target != self._hop:
            self._hop = target
            self._way = self.flow if self.behind_nat else agent.flow_toward(target, self.flow)
        if not request.body or self._datagrams_only:
            return self._way
        return agent.sized(self._way, request, self.tcp_threshold)

    def send_as_datagram(
        self, transaction: ClientTransaction, way: Flow, listener: ClientListener
    ) -> ClientTransaction | None:
        """RFC 3261 §18.1.1: what went to TCP for its size alone, where nobody listens, goes to UDP."""
        if transaction.flow.transport != "TCP" or way.transport != "UDP":
            return None
        self._datagrams_only = True
        self.services.log.warn(
            f"{self.phone} takes no TCP connection: its large requests go over UDP, in fragments"
        )
        request = transaction.request
        request.remove("Via")
        return self.services.agent.request(request, way, listener, self.callflow)

    @property
    def way(self) -> Flow:
        """The way of the latest in-dialog request, as far as it is not too big for it."""
        return self._way

    def supported(self) -> tuple[str, str]:
        """Our Supported header in this dialog."""
        profile = self.profile
        return (
            "Supported",
            supported(reliable=profile.rel100, precondition=profile.precondition == "on"),
        )

    def contact(self) -> tuple[str, str]:
        """Our Contact header in this dialog."""
        return ("Contact", self.services.agent.contact(self.flow))

    def confirm(self) -> None:
        """The dialog is established."""
        assert self.dialog is not None
        self.dialog.confirm()
        self.state = CONFIRMED
        self._heard = self.services.clock.time()

    def hang_up(self, cause: Cause) -> None:
        """End a confirmed dialog with BYE (RFC 3261 §15.1.1)."""
        if self.state != CONFIRMED:
            return
        self._abandon()
        self.state = ENDING
        self.send(self.request("BYE", cause.headers), ByeListener(self))

    def answer_in_ack(self, ack: Request) -> None:
        """The ACK has to answer the offer in our 2xx (RFC 3261 §13.2.1); a call without that cannot go on."""
        try:
            description = answer_of(ack, self.phone, self.media.last_shown, self.services.log)
            if description is None:
                raise Reject(488, f"{self.phone} acknowledged our offer without an answer in its ACK")
        except Reject as reject:
            self.services.log.error(reject.why)
            self.lost(reject.why, 488)
            return
        self.media.answered(description)
        self.media.settle()
        self.notify(Acknowledged(description))

    @property
    def leg(self) -> Leg:
        """Itself: see `guard`."""
        return self

    def failed(self, error: Exception) -> None:
        """What came from the phone could not be dealt with: the call ends on both sides."""
        log = self.services.log
        if isinstance(error, Reject):
            log.error(error.why)
            cause = Cause(error.why, sip_reason(error.status, error.why), error.status)
        else:
            log.exception(f"the call with {self.phone} is ended by a fault of the server", error)
            cause = Cause("internal error", sip_reason(500, "Internal error"), 500)
        notify = self.notify
        try:
            self.handle(Ended(cause))
        finally:
            notify(Ended(cause))

    def lost(self, text: str, status: int = 408) -> None:
        """The dialog turned out to be dead or of no use (481, 408, no ACK): end it and tell the session."""
        if self.state in (ENDING, ENDED):
            return
        cause = Cause(text, sip_reason(status, text))
        notify = self.notify
        self.hang_up(cause)
        notify(Ended(cause))

    def close(self) -> None:
        """The dialog is gone: nothing finds this leg any more."""
        if self.state == ENDED:
            return
        self.state = ENDED
        self._abandon()
        self._end_reservation()
        if self._exchange is not None and not self._exchange.has_answered_in_ack:
            self._exchange = None
        self._info = None
        self._lifetime = None
        self.record.forget()
        if self.dialog is not None:
            self.services.dialogs.leave(self)

    # -- before the answer ----------------------------------------------------------------------

    @property
    def may_update(self) -> bool:
        """Whether an UPDATE with an offer may be sent before the answer (RFC 3311 §5.1)."""
        return False

    def renegotiated(self) -> None:
        """Something has been agreed with the phone before the answer, or acknowledged."""
        if self.reservation is not None:
            self.reservation.changed()

    def resources_there(self) -> None:
        """The phone has what it needs (RFC 3312)."""
        self.notify(Reserved())

    def unreservable(self) -> None:
        """The phone does not get the resources without which it takes no call."""

    def _end_reservation(self, *, answered: bool = False) -> None:
        reservation, self.reservation = self.reservation, None
        if reservation is not None:
            reservation.close(answered=answered)

    # -- callflow modifiers (`cscf.modifiers.DialogOwner`) -------------------------------------

    def modified_by(self, context: CallflowContext | None) -> None:
        """Put callflow modifiers in force."""
        self.callflow = context
        if context is not None:
            context.owner = self
            if context.media_delay is not None:
                self.media.delay(context.media_delay)

    def stop_call(self, text: str) -> None:
        """End the call on both sides."""
        if self.state in (ENDING, ENDED) or self.notify is unconnected:
            return
        cause = Cause(f"{self.phone}: {text}")
        notify = self.notify
        self.handle(Ended(cause))
        notify(Ended(cause))

    def forget_dialog(self, text: str) -> None:
        """End the call; this phone knows of no dialog (any more), so nothing is sent to it."""
        notify = self.notify
        self.close()
        notify(Ended(Cause(f"{self.phone}: {text}")))

    def change_refused(self) -> None:
        """The phone got a refusal in the place of our 2xx to its re-INVITE."""
        self.modify.answer_lost()

    def delay_media(self, seconds: float) -> None:
        """Hold packets to the phone up."""
        self.media.delay(seconds)


class ByeListener:
    """Waits for the end of our BYE; whatever it is, the dialog is gone then (RFC 3261 §15.1.1)."""

    __slots__ = ("_leg",)

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Any final response ends it; that includes 481 and 408."""
        if response.status >= 200:
            self._leg.close()

    def timed_out(self, transaction: ClientTransaction) -> None:
        """The phone is gone."""
        self._leg.close()

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The phone cannot be reached."""
        self._leg.close()


PROCEDURES = {
    "BYE": Leg._bye,
    "INVITE": Leg._modify,
    "UPDATE": Leg._modify,
    "INFO": Leg._inform,
    "PRACK": Leg._prack,
    "OPTIONS": Leg._options,
}
"""In-dialog requests and who serves them."""
