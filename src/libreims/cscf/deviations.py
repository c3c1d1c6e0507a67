"""Carries out callflow modifiers and custom headers: the one place where messages leave the normal course.

The router asks before it dispatches, the user agent hands over what concerns a modifier or a custom
header.  Whatever a modifier leaves half done (an INVITE with a provisional response and no call, an answer
that is never sent) is bounded here by a timer and by the phone's CANCEL, so that nothing stays behind.
Responses are here, requests of ours in `cscf.deviated_requests`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from libreims.base.clock import Cancellable, Clock
from libreims.base.log import LayerLog
from libreims.config.store import ConfigStore
from libreims.cscf.alter import alter_in_place, altered_response, file_reader, global_edits
from libreims.cscf.callflow import Callflow
from libreims.cscf.modifiers import (
    IGNORE_AND_STOP,
    RX,
    TX,
    CallflowContext,
    Content,
    Deviation,
    decide,
)
from libreims.proto.sip.altered import Edits
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.proto.sip.stack import SipStack

if TYPE_CHECKING:
    from libreims.cscf.user_agent import UserAgent

RING_TIME = 200.0
"""Seconds that an INVITE may go without a final response where a modifier sent a provisional one alone."""


class Scopes(Protocol):
    """Whose modifiers are in force for a message."""

    @property
    def active(self) -> bool:
        """Whether any IMPU has modifiers at all; while not, nothing else is asked."""

    def of_request(self, request: Request, flow: Flow) -> CallflowContext | None:
        """For a received request. Raises SipParseError."""

    def of_sent(self, request: Request, flow: Flow) -> CallflowContext | None:
        """For a request of ours outside calls."""


class NoScopes:
    """Nobody has modifiers."""

    active = False

    def of_request(self, request: Request, flow: Flow) -> CallflowContext | None:
        """None."""
        return None

    def of_sent(self, request: Request, flow: Flow) -> CallflowContext | None:
        """None."""
        return None


class Deviations:
    """What modifiers do with received requests and with responses of ours."""

    agent: UserAgent

    def __init__(
        self, stack: SipStack, clock: Clock, config: ConfigStore, callflow: Callflow, log: LayerLog
    ) -> None:
        self.stack = stack
        self.scopes: Scopes = NoScopes()
        self.callflow = callflow
        self.config = config
        self.log = log
        self.read = file_reader(log)
        self._clock = clock
        self._timers: set[Pending] = set()
        self._held: dict[ServerTransaction, tuple[Pending, Callable[[], None]]] = {}

    def __len__(self) -> int:
        """What is still to come: timers and INVITEs without a call, for leak tests."""
        return len(self._timers) + len(self._held)

    def close(self) -> None:
        """The server goes down: nothing more is sent."""
        for pending in tuple(self._timers):
            pending.cancel()
        self._held.clear()

    # -- received --------------------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction) -> bool:
        """A request on its way in; False when it goes no further. Raises SipParseError."""
        request = transaction.request
        context = self.scopes.of_request(request, transaction.flow)
        if context is None:
            return True
        transaction.context = context
        context.hear(request)
        deviation = decide(context, request, RX)
        if deviation is None:
            return True
        self.tell(deviation, "received", request, request.method)
        self.delay_media(context, deviation)
        code = deviation.code
        if code is not None and code >= 100:
            return self._answered(transaction, context, deviation, code)
        if code is None and deviation.goes_on:
            if deviation.edits or deviation.contents:
                context.promised[transaction] = deviation
            return True
        transaction.ignore()
        if deviation.stop and code in (None, IGNORE_AND_STOP):
            self._stop(context, request)
        return False

    def _answered(
        self, transaction: ServerTransaction, context: CallflowContext, deviation: Deviation, code: int
    ) -> bool:
        """A modifier answers a request in the place of its procedure, or (1xx, transparent) before it."""
        request = transaction.request
        is_invite = request.method == "INVITE"
        goes_on = deviation.goes_on and not (is_invite and code >= 200)
        self._emit(transaction, self._generated(transaction, code), deviation)
        if goes_on:
            return True
        if is_invite and code < 300:
            self._hold_generated(transaction, code)
        if deviation.stop:
            self._stop(context, request)
        return False

    def _hold_generated(self, transaction: ServerTransaction, code: int) -> None:
        if code >= 200:
            self._hold(transaction, self.patience, lambda: None)
        else:
            refuse = self._generated(transaction, 480)
            self._hold(transaction, RING_TIME, lambda: self._emit_plain(transaction, refuse))

    def ack_received(self, ack: Request, flow: Flow, transaction: ServerTransaction | None) -> bool:
        """The ACK of a 2xx; False when it goes no further."""
        if transaction is not None and self._release(transaction) is not None:
            transaction.acknowledged()
            if transaction.request.to.tag is None:
                self._hang_up(transaction)
            return False
        context = self.scopes.of_request(ack, flow) if self.scopes.active else None
        if context is None:
            return True
        context.hear(ack)
        deviation = decide(context, ack, RX)
        if deviation is None:
            return True
        self.tell(deviation, "received", ack, "ACK")
        ignored = deviation.code is not None and deviation.code < 0
        if deviation.stop and (not ignored or deviation.code == IGNORE_AND_STOP):
            self._stop(context, ack)
        return not ignored

    def cancel_screened(self, invite: ServerTransaction, cancel: ServerTransaction) -> bool:
        """A CANCEL before it is answered; True when the INVITE goes on as if there were none."""
        context = invite.context
        assert isinstance(context, CallflowContext)
        context.hear(cancel.request)
        deviation = decide(context, cancel.request, RX)
        if deviation is None:
            return False
        self.tell(deviation, "received", cancel.request, "CANCEL")
        code = deviation.code
        if code is None or (deviation.goes_on and code >= 100):
            return False
        if code < 0:
            cancel.ignore()
        else:
            self._emit(cancel, self._generated(cancel, code), deviation)
        if deviation.stop and code != -1:
            self._stop(context, cancel.request)
        return True

    def cancelled(self, transaction: ServerTransaction) -> bool:
        """CANCEL of an INVITE whose answer only this class knows about; False for all others."""
        over = self._release(transaction)
        if over is None:
            return False
        self._emit_plain(transaction, self._generated(transaction, 487))
        over()
        return True

    # -- responses of ours ---------------------------------------------------------------------------------

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a response of a procedure as the modifiers and custom headers will have it."""
        status = response.status
        if transaction.answered:
            if transaction.request.method == "INVITE" and 200 <= status < 300:
                self._never_answered(transaction)
            return
        context = transaction.context
        if context is None:
            self._send(transaction, response)
            return
        promised = context.promised.pop(transaction, None) if status >= 200 else None
        deviation = decide(context, response, TX)
        edits: Edits = promised.edits if promised is not None else ()
        contents: tuple[Content, ...] = promised.contents if promised is not None else ()
        if deviation is None:
            self._send(transaction, response, edits, contents)
            return
        self.tell(deviation, "sent", response, f"{status}")
        self.delay_media(context, deviation)
        code = self._replacement(deviation, status)
        if code is not None and deviation.goes_on:  # a provisional response more
            self._send(transaction, self._generated(transaction, code), deviation.edits, deviation.contents)
            self._send(transaction, response, edits, contents)
            return
        if code is not None:
            response = self._generated(transaction, code)
        else:
            response = altered_response(response, edits, contents, self.read)
        self._deviate(transaction, context, response, deviation, was_answer=status >= 200)

    def _replacement(self, deviation: Deviation, status: int) -> int | None:
        """The code that takes the place of a status, None where it cannot."""
        code = deviation.code
        if code is None or code < 100:
            return None
        if (200 <= code < 300 and status < 200) or (code >= 200 and deviation.goes_on):
            self.log.warn(f"{names(deviation)}: a {status} cannot become a {code}, it is sent as it is")
            return None
        return code

    def _deviate(
        self,
        transaction: ServerTransaction,
        context: CallflowContext,
        response: Response,
        deviation: Deviation,
        *,
        was_answer: bool,
    ) -> None:
        """Send a changed response of an INVITE, or not, and see to what it leaves open."""
        status = response.status

        def stop() -> None:
            self._stop(context, transaction.request)

        then: Callable[[], None] | None = stop if deviation.stop else None
        if was_answer and (deviation.skip or status < 200):
            self._hold(transaction, self.patience, lambda: self._unanswered(transaction))
        elif was_answer and status >= 300:
            if transaction.request.to.tag is None or not deviation.stop:
                then = lambda: self._never_answered(transaction)  # noqa: E731
        elif status >= 300:
            then = stop  # the call is over for the phone, whatever `stop` says
        if not deviation.skip:
            self._emit(transaction, response, deviation, then)
        elif was_answer and deviation.stop and transaction.request.to.tag is None:
            self._never_answered(transaction)
        elif then is not None:
            then()

    def _never_answered(self, transaction: ServerTransaction) -> None:
        """The procedure believes that its 2xx is out, but the phone does not have it."""
        context = transaction.context
        owner = context.owner if context is not None else None
        if owner is None:
            return
        if transaction.request.to.tag is None:
            self.later(0.0, owner.forget_dialog, "a callflow modifier kept the answer from the caller")
        else:
            self.later(0.0, owner.change_refused)

    def _unanswered(self, transaction: ServerTransaction) -> None:
        if not transaction.answered:
            transaction.ignore()
        self._never_answered(transaction)

    # -- sending -----------------------------------------------------------------------------------------

    def _generated(self, transaction: ServerTransaction, code: int) -> Response:
        request = transaction.request
        headers = [("Server", self.config.current.user_agent)]
        if 100 < code < 300 and request.method in ("INVITE", "SUBSCRIBE", "UPDATE"):
            headers.append(("Contact", self.agent.contact(transaction.flow)))
        return Response.to_request(request, code, tag=transaction.local_tag, headers=headers)

    def _emit(
        self,
        transaction: ServerTransaction,
        response: Response,
        deviation: Deviation,
        then: Callable[[], None] | None = None,
    ) -> None:
        if deviation.delay > 0:
            self.later(deviation.delay, self._emit_now, transaction, response, deviation, then)
        else:
            self._emit_now(transaction, response, deviation, then)

    def _emit_now(
        self,
        transaction: ServerTransaction,
        response: Response,
        deviation: Deviation,
        then: Callable[[], None] | None,
    ) -> None:
        if not transaction.answered:
            sent = self._send(transaction, response, deviation.edits, deviation.contents)
            self.repeat(sent, transaction.reply_flow, deviation)
        if then is not None:
            then()

    def _send(
        self,
        transaction: ServerTransaction,
        response: Response,
        edits: Edits = (),
        contents: tuple[Content, ...] = (),
    ) -> Response:
        everywhere = self.config.current.custom_headers
        if everywhere:
            edits = global_edits(everywhere, response) + edits
        response = altered_response(response, edits, contents, self.read)
        transaction.respond(response)
        self.callflow.sent(response, transaction.flow)
        return response

    def _emit_plain(self, transaction: ServerTransaction, response: Response) -> None:
        if not transaction.answered:
            self._send(transaction, response)

    def originated(self, message: Message, flow: Flow) -> None:
        """What the stack sends by itself: it gets the custom headers of the configuration."""
        everywhere = self.config.current.custom_headers
        if everywhere:
            alter_in_place(message, global_edits(everywhere, message), (), self.read)
        self.callflow.sent(message, flow)

    def repeat(self, message: Message, flow: Flow, deviation: Deviation) -> None:
        """`send_retry`: the same octets again, which are no new message."""
        if deviation.retries:
            data = message.encode()
            for number in range(1, deviation.retries + 1):
                self.later(number * deviation.retry_delay, self.stack.transmit, data, flow)

    def _hang_up(self, transaction: ServerTransaction) -> None:
        """An INVITE that a modifier accepted has its ACK: there is no call behind it, so it ends."""
        dialog = Dialog.from_request(transaction.request, transaction.local_tag)
        dialog.confirm()
        bye = dialog.new_request("BYE", (("Reason", 'SIP;cause=200;text="Callflow modifier"'),))
        way = self.agent.flow_toward(dialog.next_hop, transaction.flow)
        self.agent.request(bye, way, Unheard())

    # -- what is common to all ------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """64*T1: how long an INVITE is waited for."""
        return 64 * self.stack.timers.t1

    def later(self, delay: float, callback: Callable[..., object], *args: object) -> Pending:
        """Call once, unless the server goes down before."""
        pending = Pending(self._timers, callback, args)
        pending.timer = self._clock.call_later(delay, pending)
        self._timers.add(pending)
        return pending

    def _hold(self, transaction: ServerTransaction, seconds: float, over: Callable[[], None]) -> None:
        """Keep an INVITE for a CANCEL or ACK; `over` when neither comes."""
        self._held[transaction] = (self.later(seconds, self._held_too_long, transaction), over)

    def _held_too_long(self, transaction: ServerTransaction) -> None:
        over = self._release(transaction)
        if over is not None:
            over()

    def _release(self, transaction: ServerTransaction) -> Callable[[], None] | None:
        held = self._held.pop(transaction, None)
        if held is None:
            return None
        held[0].cancel()
        return held[1]

    def _stop(self, context: CallflowContext, message: Message) -> None:
        self.stop(context, is_bye=isinstance(message, Request) and message.method == "BYE")

    def stop(self, context: CallflowContext, *, is_bye: bool = False) -> None:
        """End the call that a context belongs to, after what is being done now."""
        owner = context.owner
        if owner is not None:
            end = owner.forget_dialog if is_bye else owner.stop_call
            self.later(0.0, end, "stopped by a callflow modifier")

    def delay_media(self, context: CallflowContext, deviation: Deviation) -> None:
        """`media_delay` of a modifier."""
        if deviation.media_delay is None:
            return
        if context.owner is not None:
            context.owner.delay_media(deviation.media_delay)
        else:
            context.media_delay = deviation.media_delay

    def tell(self, deviation: Deviation, verb: str, message: Message, name: str) -> None:
        """`log`: one line for each message that a modifier applies to."""
        if not deviation.labels:
            return
        what = []
        if deviation.code is not None:
            what.append("ignored" if deviation.code < 0 else f"code {deviation.code}")
        if deviation.skip:
            what.append("not sent")
        if deviation.delay:
            what.append(f"delayed {deviation.delay:g} s")
        if deviation.stop and deviation.code != -1:
            what.append("dialog stopped")
        how = f" ({', '.join(what)})" if what else ""
        self.log.info(
            f"{names(deviation)}: applies to {name} {verb}{how}", id=self.callflow.number(message.call_id)
        )


class Unheard:
    """For requests whose end changes nothing any more."""

    __slots__ = ()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Nothing to do."""

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nothing to do."""

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """Nothing to do."""


class Pending:
    """Something that is done later, unless cancelled."""

    __slots__ = ("_args", "_callback", "_home", "timer")

    def __init__(self, home: set[Pending], callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self._home = home
        self._callback = callback
        self._args = args
        self.timer: Cancellable | None = None

    def __call__(self) -> None:
        """Its time has come."""
        self._home.discard(self)
        self._callback(*self._args)

    def cancel(self) -> None:
        """Not any more."""
        self._home.discard(self)
        if self.timer is not None:
            self.timer.cancel()


def names(deviation: Deviation) -> str:
    """The modifiers behind a deviation, for the log."""
    return ", ".join(deviation.labels) or "callflow modifier"
