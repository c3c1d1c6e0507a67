"""The callee's leg (MT): we are the client of an INVITE to one contact (RFC 3261 §13.2).

States: `new` -> `calling` -> (`cancelling`) -> `confirmed` -> `ending` -> `ended`.
"""

from __future__ import annotations

from dataclasses import dataclass

from libreims.base.clock import Cancellable
from libreims.base.errors import Reject
from libreims.call.body import SDP_TYPE, answer_of, offer_of
from libreims.call.events import (
    Answered,
    Cause,
    ChangeRefused,
    Changing,
    Ended,
    Event,
    Headers,
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
from libreims.call.leg_media import LegMedia
from libreims.call.media_policy import nothing_left
from libreims.call.modify import GLARE
from libreims.call.passing import passed_answer, passed_refusal
from libreims.call.prack import EarlyDialogs
from libreims.call.reservation import Reservation
from libreims.call.services import CallServices
from libreims.cscf.answer import Answer
from libreims.cscf.options import supported
from libreims.cscf.user_agent import ALLOW
from libreims.net.port import Flow
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.precondition import Preconditions
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.reliable import Verdict
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.users.identity import hides, privacy_of
from libreims.users.profile import Profile

CALLING = "calling"
CANCELLING = "cancelling"

RING_TIME = 200.0
"""Seconds after which a phone that only rings is given up (RFC 3261 §16.6: timer C, more than 3 minutes)."""

ABSENT = Refused(480, None, (("Reason", 'Q.850;cause=20;text="Subscriber absent"'),))


@dataclass(frozen=True, slots=True)
class Target:
    """Where an INVITE goes and who it says is calling."""

    uri: str
    """Request-URI: the contact of the binding."""
    flow: Flow
    route: tuple[str, ...]
    """The binding's path (RFC 3327)."""
    from_: str
    """From, without tag."""
    to: str
    """To, without tag."""
    headers: tuple[tuple[str, str], ...]
    """Identity headers of this call."""
    phone: str
    """Who is called, for the log."""
    behind_nat: bool = False
    """The contact names another host than the registration came from."""
    binding: int | None = None
    """Identifier of the registration in the log; None at the trunk."""
    q: float = 1.0
    """Its preference among the targets of one call, 0 to 1 (RFC 3261 §16.6)."""
    identity: str = ""
    """P-Asserted-Identity of who answers there; empty where the caller is not told."""
    tcp_threshold: int = 0
    """Octets above which requests to it go over TCP; 0: the server's `tcp_threshold`."""
    silent: Refused = ABSENT
    """What the caller gets when nobody answers there at all."""
    volte: bool = False
    """Its registration says that it does VoLTE: it knows preconditions."""
    advice: str = "the phone is off or out of coverage, or its registration is stale"
    """What may be wrong then, for the log."""


class UacLeg(Leg):
    """A dialog that we start."""

    def __init__(
        self, services: CallServices, media: LegMedia, target: Target, profile: Profile, call_id: str
    ) -> None:
        super().__init__(services, media, target.flow, target.phone, target.behind_nat, profile)
        self._target = target
        self._call_id = call_id
        self.tcp_threshold = target.tcp_threshold
        self._transaction: ClientTransaction | None = None
        self._ring_timer: Cancellable | None = None
        self._cause: Cause | None = None
        self._early: EarlyDialogs | None = None
        self._reports = False  # the caller waits for this phone's resources
        self._dropped: set[str] = set()  # tags of other answers to a fork that have got their BYE

    # -- the caller's side ---------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """An event of the caller."""
        if self.state in (CONFIRMED, ENDING, ENDED):
            super().handle(event)
            return
        match event:
            case Offered() if self.state == NEW:
                self._invite(event)
            case Ended():
                self._cancel(event.cause)
            case Changing():
                self.notify(ChangeRefused(GLARE))
            case Informed():
                self.notify(InfoAnswered(event.number, 480))
            case InfoAnswered():
                self.info.answer(event)
            case Reserved():
                if self.reservation is not None:
                    self.reservation.far_side_ready()
            case _:
                pass  # the caller gave up a change that never reached this phone

    def _invite(self, event: Offered) -> None:
        target, services = self._target, self.services
        reliable = self.profile.rel100 and event.description is not None  # an offer in a 1xx is not for us
        self._reports = event.reliable
        if reliable and target.volte and self.profile.precondition == "on":
            self._begin_reservation(ready=event.ready)
        body = self.media.shown(event.description) if event.description is not None else b""
        policy = self.media.policy
        if policy is not None and body and self.media.nothing_shown():
            self._finish()
            reject = nothing_left(policy.refused)
            services.log.warn(f"{self.phone} is not called: {reject.why}")
            self.notify(Refused(reject.status, None, sip_reason(reject.status, reject.why)))
            return
        headers = [
            *(("Route", route) for route in target.route),
            ("From", f"{target.from_};tag={services.tokens.tag()}"),
            ("To", target.to),
            ("Call-ID", self._call_id),
            ("CSeq", "1 INVITE"),
            self.contact(),
            ("Allow", ALLOW),
            ("Supported", supported(reliable=reliable, precondition=self.reservation is not None)),
            *self.timer.offer(),
            *target.headers,
            *event.headers,
        ]
        if body:
            headers.append(("Content-Type", SDP_TYPE))
        request = Request.build("INVITE", target.uri, headers, body)
        self.record.follow(request.call_id)
        if not services.config.current.force_user_agent:
            self.agent_name = tuple([each for each in event.headers if each[0] == "User-Agent"])
        flow = services.agent.sized(target.flow, request, target.tcp_threshold)
        self.state = CALLING
        self._ring_timer = services.clock.call_later(RING_TIME, self._no_answer)
        self._transaction = services.agent.request(request, flow, self, self.callflow)

    def _invite_again(self, transaction: ClientTransaction, response: Response) -> bool:
        """422: the same INVITE with a session timer that the phone takes (RFC 4028 §7.3)."""
        timer = self.timer.too_small(response)
        if timer is None:
            return False
        request = transaction.request
        changed = ("Via", "CSeq", "Session-Expires", "Min-SE", "Content-Length")
        headers = [
            (name, value) for name, lines in request.fields.items() if name not in changed for value in lines
        ]
        headers += [("CSeq", f"{request.cseq.number + 1} INVITE"), *timer]
        again = Request.build("INVITE", request.uri, headers, request.body)
        self._early = None
        self._transaction = self.services.agent.request(again, transaction.flow, self, self.callflow)
        return True

    def _begin_reservation(self, *, ready: bool) -> None:
        preconditions = Preconditions()
        if not ready:  # the phone is not to ring before its caller can be heard
            preconditions.demand("mandatory")
        self.reservation = Reservation(self, "MT", preconditions, self.services.policy, ready=ready)

    def _cancel(self, cause: Cause) -> None:
        if self.state == NEW:
            self._finish()
            return
        if self.state == CALLING:
            self.state = CANCELLING
            self._cause = cause
            self._stop_ringing()
            self._end_reservation()
            assert self._transaction is not None
            self.services.agent.cancel(self._transaction, cause.headers, self.callflow)

    @guarded
    def _no_answer(self) -> None:
        self._ring_timer = None
        text = f"{self.phone} was called for {RING_TIME:g} s without an answer"
        self.services.log.info(text)
        cause = Cause(text, sip_reason(408, "No answer"), 408)
        self._cancel(cause)
        self.notify(Refused(408, None, (("Reason", 'Q.850;cause=19;text="No answer"'),)))

    # -- the phone's side --------------------------------------------------------------------------

    @guarded
    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to our INVITE."""
        status = response.status
        if status == 100:
            return
        if status < 200:
            if self.state != CALLING:
                return
            if "RSeq" in response.fields and self.profile.rel100:
                self._progress_reliably(transaction, response)
            else:
                self._progress(transaction, response)
        elif status < 300:
            self._accepted(transaction, response)
        elif self.state in (CALLING, CANCELLING):
            waiting = self.state == CALLING
            if waiting and status == 422 and self._invite_again(transaction, response):
                return
            self._finish()
            if waiting:
                self._refused(response)

    def _progress_reliably(self, transaction: ClientTransaction, response: Response) -> None:
        """A 1xx that wants a PRACK (RFC 3262 §4)."""
        early = self._early
        if early is None:
            early = self._early = EarlyDialogs(self)
        verdict, rack = early.received(response)
        if verdict in (Verdict.REPEATED, Verdict.OUT_OF_ORDER):
            return
        if rack is None:
            self._progress(transaction, response)
            return
        dialog = early.open(transaction.request, response)
        if self.dialog is None:
            self.dialog = dialog
            self.services.dialogs.enter(self)
        if "Allow" in response.fields:
            self.peer_allows = tuple(method.upper() for method in response.elements("Allow"))
        self._acknowledge(early, dialog, rack)
        self._progress(transaction, response, reliable=dialog is self.dialog)

    def _acknowledge(self, early: EarlyDialogs, dialog: Dialog, rack: RAck) -> None:
        if dialog.remote_tag:
            early.acknowledge(dialog, rack)

    def _progress(
        self, transaction: ClientTransaction, response: Response, *, reliable: bool = False
    ) -> None:
        description = None
        # Without an offer of ours it would be one, and after the answer it says nothing (RFC 3261 §13.2.1).
        if transaction.request.body and not self.offer_answered:
            try:
                description = answer_of(response, self.phone, self.media.last_shown, self.services.log)
                if description is not None:
                    self.media.answered(description)
            except Reject as reject:
                self.services.log.warn(f"{reject.why}; the {response.status} goes on without it")
                description = None
        if description is not None:
            if reliable:
                self.media.settle()
                self.offer_answered = True
            self.renegotiated()
            self._report()
        if response.status == 180:
            self.record.enter(RINGING)
        silent = not self.profile.early_media
        self.notify(Progress(response.status, description, self._shown(response), silent))

    # -- the early dialog, preconditions -------------------------------------------------------------

    def _report(self) -> None:
        """The caller may wait for a phone that never says what it has."""
        if self._reports and (self.reservation is None or not self.reservation.in_use):
            self._reports = False
            self.notify(Reserved())

    def received(self, transaction: ServerTransaction) -> None:
        """An in-dialog request; raises Reject."""
        if transaction.request.method == "BYE" and self.state in (CALLING, CANCELLING):
            # RFC 3261 §15 has a refusal for this; a phone that does it all the same is out of the call.
            self.services.agent.respond(transaction, Answer(200))
            self.lost(f"{self.phone} hung up before it answered", 480)
        else:
            super().received(transaction)

    def lost(self, text: str, status: int = 408) -> None:
        """As in a running call; before the answer the INVITE is taken back."""
        if self.state != CALLING:
            super().lost(text, status)
            return
        cause = Cause(text, sip_reason(status, text))
        notify = self.notify
        self._cancel(cause)
        notify(Ended(cause))

    def unreservable(self) -> None:
        """RFC 3312 §8: the phone says that it cannot get what it requires."""
        if self.state == CALLING:
            text = f"{self.phone} does not get the resources that it requires for the call (preconditions)"
            self.services.log.warn(text)
            cause = Cause(text, sip_reason(580, text), 580)
            notify = self.notify
            self._cancel(cause)
            notify(Ended(cause))

    @property
    def may_update(self) -> bool:
        """Once the phone has answered reliably, and no PRACK is under way that it could overtake."""
        early = self._early
        return (
            self.state == CALLING
            and self.offer_answered
            and early is not None
            and not early.acknowledging
            and ("UPDATE" in self.peer_allows or not self.peer_allows)
        )

    def _refused(self, response: Response) -> None:
        if response.status in (401, 407):
            self.services.log.warn(
                f"{self.phone} asks the server for credentials ({response.status}): "
                "switch off authentication of incoming calls in the phone"
            )
        self.notify(Refused(*passed_refusal(response)))

    def _accepted(self, transaction: ClientTransaction, response: Response) -> None:
        request = transaction.request
        early = self.state in (CALLING, CANCELLING)
        if not early and self.dialog is not None and response.to.tag == self.dialog.remote_tag:
            self.modify.repeat_ack(request)
            return
        dialog = self._early.of(response) if self._early is not None else None
        if dialog is not None:
            dialog.confirm(response)
        else:
            dialog = Dialog.from_response(request, response)
        if not early:
            self._drop(dialog, response)
            return
        if dialog is not self.dialog:
            self.offer_answered = False
        wanted = self.state == CALLING
        self._stop_ringing()
        self.dialog = dialog
        if "Allow" in response.fields:
            self.peer_allows = tuple(method.upper() for method in response.elements("Allow"))
        self.services.dialogs.enter(self)
        self.confirm()
        self.record.enter(START)
        if not wanted:  # the 200 crossed our CANCEL (RFC 3261 §15: ACK, then BYE)
            self.modify.send_ack(request.cseq.number, b"")
            assert self._cause is not None
            self.hang_up(self._cause)
            return
        try:
            description = self._description(request, response)
        except Reject as reject:
            self.modify.send_ack(request.cseq.number, b"")
            self._unusable(reject)
            return
        if request.body:
            self.media.settle()
            self.modify.send_ack(request.cseq.number, b"")
        else:
            self.modify.await_answer(response)
        self.timer.accepted(response)
        self._report()
        self._end_reservation(answered=True)
        self.notify(Answered(description, self._shown(response)))

    def _shown(self, response: Response) -> Headers:
        """Headers of a response as the caller gets to see them, and who it is that answers."""
        headers = passed_answer(response, user_agent=not self.services.config.current.force_user_agent)
        identity = self._target.identity
        if not identity or ("Privacy" in response.fields and hides(privacy_of(response.fields["Privacy"]))):
            return headers
        return (("P-Asserted-Identity", identity), *headers)

    def _description(self, request: Request, response: Response) -> SessionDescription:
        """What the 2xx has to bring: the answer to our offer, else an offer (RFC 3261 §13.2.1)."""
        if self.offer_answered:  # RFC 3261 §13.2.1: what comes after the answer does not count
            description = self.media.agreed
        elif request.body:
            description = answer_of(response, self.phone, self.media.last_shown, self.services.log)
            if description is not None:
                self.media.answered(description)
        else:
            description = offer_of(response, self.phone)
            if description is not None:
                description = self.media.admitted(description)
                self.media.offered(description)
        if description is None:
            raise Reject(488, f"{self.phone} answered the call without SDP")
        return description

    def _unusable(self, reject: Reject) -> None:
        """A 2xx that cannot be used: the phone gets a BYE, the caller a refusal."""
        self.services.log.error(reject.why)
        reason = sip_reason(488, reject.why)
        self.hang_up(Cause(reject.why, reason))
        self.notify(Refused(488 if reject.status == 400 else reject.status, None, reason))

    def _drop(self, dialog: Dialog, response: Response) -> None:
        """A second 2xx from another branch of a fork: it gets its ACK and a BYE (RFC 3261 §13.2.2.4)."""
        agent = self.services.agent
        way = self.flow if self.behind_nat else agent.flow_toward(dialog.next_hop, self.flow)
        agent.acknowledge(dialog.ack(response.cseq.number), way)
        if dialog.remote_tag not in self._dropped:
            self._dropped.add(dialog.remote_tag)
            bye = dialog.new_request("BYE", sip_reason(200, "Call completed elsewhere"))
            agent.request(bye, way, IgnoredOutcome())

    @guarded
    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer to the INVITE, or none after our CANCEL."""
        waiting = self.state == CALLING
        self._finish()
        if waiting:
            self.services.log.warn(
                f"{self.phone} does not answer an INVITE sent to {self._target.uri}: {self._target.advice}"
            )
            self.notify(self._target.silent)

    @guarded
    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The INVITE could not be sent."""
        if self.state == CALLING:
            again = self.send_as_datagram(transaction, self._target.flow, self)
            if again is not None:
                self._transaction = again
                return
        waiting = self.state == CALLING
        self._finish()
        if waiting:
            self.services.log.warn(f"no connection to {self.phone} at {self._target.uri}: {error}")
            self.notify(Refused(480, None, (("Reason", 'Q.850;cause=27;text="Destination out of order"'),)))

    def release(self) -> None:
        """The session is over."""
        self._stop_ringing()
        super().release()

    def _finish(self) -> None:
        self._stop_ringing()
        self.close()

    def close(self) -> None:
        """The dialog is gone."""
        self._early = None
        super().close()

    def _stop_ringing(self) -> None:
        if self._ring_timer is not None:
            self._ring_timer.cancel()
            self._ring_timer = None


class IgnoredOutcome:
    """For requests whose end changes nothing any more."""

    __slots__ = ()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Nothing to do."""

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nothing to do."""

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """Nothing to do."""
