"""Callflow modifiers and custom headers on requests of ours and on the responses to them."""

from __future__ import annotations

from collections.abc import Iterable

from libreims.base.errors import Reject
from libreims.cscf.alter import IDENTITY, alter_in_place, altered_request, global_edits
from libreims.cscf.deviations import Deviations, Unheard, names
from libreims.cscf.modifiers import IGNORE_AND_STOP, RX, TX, CallflowContext, Deviation, decide
from libreims.proto.sip.altered import Edits
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.names import canonical
from libreims.proto.sip.reasons import reason_phrase
from libreims.proto.sip.stack import ClientListener, SipStack

STOPPED = 480
"""What a procedure gets to see in the place of a response with which a modifier stops the dialog."""


class DeviatedRequests:
    """Sends what a modifier or custom header may change."""

    def __init__(self, deviations: Deviations) -> None:
        self.common = deviations

    def request(
        self, request: Request, flow: Flow, listener: ClientListener, context: CallflowContext | None
    ) -> ClientTransaction:
        """Send a request, or something that looks to its procedure as if it were sent."""
        common = self.common
        if context is None:
            return self.start(request, flow, Heard(self, None, listener, None), None)
        deviation = decide(context, request, TX)
        if deviation is None:
            return self.start(request, flow, Heard(self, context, listener, None), None)
        common.tell(deviation, "sent", request, request.method)
        common.delay_media(context, deviation)
        code = self._answer_code(deviation, request)
        if code is None and not deviation.skip and not deviation.delay:
            transaction = self.start(request, flow, Heard(self, context, listener, None), deviation)
            if deviation.stop:
                common.stop(context)
            return transaction
        withheld = Withheld(common.stack, request, flow, listener)
        if code is not None:
            common.later(deviation.delay, withheld.answered, self._made_up(request, code, deviation))
        if deviation.skip or (code is not None and code < 200):
            common.later(common.patience, withheld.give_up_waiting)
        elif code is None:
            common.later(deviation.delay, self._start_late, withheld, context, deviation)
        refuses_call = request.method == "INVITE" and request.to.tag is None and (code or 0) >= 300
        if deviation.stop and not refuses_call:
            common.later(deviation.delay, common.stop, context)
        return withheld

    def _answer_code(self, deviation: Deviation, request: Request) -> int | None:
        """The code that is taken for the peer's answer, the request not being sent."""
        code = deviation.code
        if code is None or deviation.goes_on or code < 100:
            return None
        if request.method == "INVITE" and 200 <= code < 300:
            self.common.log.warn(f"{names(deviation)}: {code} cannot be made up for an INVITE, which is sent")
            return None
        return code

    def _made_up(self, request: Request, code: int, deviation: Deviation) -> Response:
        response = Response.to_request(request, code, tag=self.common.stack.tokens.tag())
        alter_in_place(response, deviation.edits, deviation.contents, self.common.read)
        return response

    def _start_late(self, withheld: Withheld, context: CallflowContext, deviation: Deviation) -> None:
        if withheld.waits:
            heard = Heard(self, context, withheld.wanted_by, withheld)
            withheld.real = self.start(withheld.request, withheld.flow, heard, deviation)

    def start(
        self, request: Request, flow: Flow, listener: ClientListener, deviation: Deviation | None
    ) -> ClientTransaction:
        """Send a request now, with the changes that it gets."""
        common = self.common
        altered = self._altered(request, deviation)
        transaction = common.stack.request(altered, flow, listener)
        common.callflow.sent(altered, flow)
        if deviation is not None:
            common.repeat(altered, flow, deviation)
        return transaction

    def _altered(self, request: Request, deviation: Deviation | None) -> Request:
        common = self.common
        everywhere = common.config.current.custom_headers
        edits: Edits = global_edits(everywhere, request) if everywhere else ()
        if deviation is None:
            return altered_request(request, edits, (), common.read)
        return altered_request(request, edits + deviation.edits, deviation.contents, common.read)

    # -- ACK and CANCEL --------------------------------------------------------------------------------

    def acknowledge(self, ack: Request, flow: Flow, context: CallflowContext | None) -> None:
        """Send the ACK of a 2xx; one that is repeated meets the fate of the first."""
        deviation = self._for_ack(ack, context)
        if deviation is None:
            self._acknowledge(ack, flow, None)
        elif not deviation.skip:
            if deviation.delay > 0:
                self.common.later(deviation.delay, self._acknowledge, ack, flow, deviation)
            else:
                self._acknowledge(ack, flow, deviation)

    def _for_ack(self, ack: Request, context: CallflowContext | None) -> Deviation | None:
        if context is None:
            return None
        key = (ack.call_id, ack.to.tag, ack.cseq.number)
        if context.acknowledged is not None and context.acknowledged[0] == key:
            return context.acknowledged[1]
        deviation = decide(context, ack, TX)
        context.acknowledged = (key, deviation)
        if deviation is not None:
            self.common.tell(deviation, "sent", ack, "ACK")
            self.common.delay_media(context, deviation)
            if deviation.stop:
                self.common.later(deviation.delay, self.common.stop, context)
        return deviation

    def _acknowledge(self, ack: Request, flow: Flow, deviation: Deviation | None) -> None:
        altered = self._altered(ack, deviation)
        self.common.stack.send(altered, flow)
        self.common.callflow.sent(altered, flow)
        if deviation is not None:
            self.common.repeat(altered, flow, deviation)

    def cancel(
        self, transaction: ClientTransaction, headers: tuple[tuple[str, str], ...], context: CallflowContext
    ) -> None:
        """Take an INVITE back; without its CANCEL the INVITE is waited for no longer than 64*T1."""
        common = self.common
        invite = transaction.request
        probe = Request("CANCEL", invite.uri, {"Call-ID": [invite.call_id]})
        deviation = decide(context, probe, TX)
        if deviation is None:
            transaction.cancel(headers)
            return
        common.tell(deviation, "sent", probe, "CANCEL")
        if deviation.skip or (deviation.code is not None and not deviation.goes_on):
            transaction.give_up()
            common.later(common.patience, transaction.give_up)  # where it had no provisional response yet
            return
        for name, value, replace in deviation.edits:
            if canonical(name) in IDENTITY:
                continue
            if replace:
                headers = tuple(each for each in headers if canonical(each[0]) != canonical(name))
            if value is not None:
                headers = (*headers, (name, value))
        if deviation.delay > 0:
            common.later(deviation.delay, transaction.cancel, headers)
        else:
            transaction.cancel(headers)

    # -- a 2xx that is not wanted ----------------------------------------------------------------------

    def decline(self, request: Request, response: Response, flow: Flow, *, repeated: bool = False) -> None:
        """ACK a 2xx whose call is not to be (RFC 3261 §13.2.2.4), and end the dialog that it made."""
        agent = self.common.agent
        try:
            dialog = Dialog.from_response(request, response)
        except (Reject, SipParseError) as error:
            self.common.log.warn(f"a 2xx that a callflow modifier takes away cannot be acknowledged: {error}")
            return
        way = agent.flow_toward(dialog.next_hop, flow)
        agent.acknowledge(dialog.ack(response.cseq.number), way)
        if request.to.tag is None and not repeated:
            agent.request(dialog.new_request("BYE"), way, Unheard())


class Withheld(ClientTransaction):
    """Looks to its procedure like the transaction of a request that is sent later, or never."""

    __slots__ = ("real", "waits", "wanted_by")

    def __init__(self, stack: SipStack, request: Request, flow: Flow, listener: ClientListener) -> None:
        super().__init__(stack, ("", request.method), request, flow, None)
        self.wanted_by = listener
        self.real: ClientTransaction | None = None
        """Once the request has been sent."""
        self.waits = True
        """For its time to be sent, or to be told that there is no answer."""

    def cancel(self, headers: Iterable[tuple[str, str]] = ()) -> ClientTransaction | None:
        """A request that was not sent is over at once."""
        if self.real is not None:
            return self.real.cancel(headers)
        self._layer.clock.call_later(0.0, self.answered, Response.to_request(self.request, 487, tag="-"))
        return None

    def give_up(self) -> None:
        """As `ClientTransaction.give_up`."""
        if self.real is not None:
            self.real.give_up()
        else:
            self.cancel()

    def stop(self) -> None:
        """As `ClientTransaction.stop`."""
        self.waits = False
        if self.real is not None:
            self.real.stop()

    def answered(self, response: Response) -> None:
        """Tell the procedure of a response that nobody sent."""
        if self.waits:
            self.waits = response.status < 200
            self.wanted_by.response_received(self, response)

    def give_up_waiting(self) -> None:
        """Tell the procedure that there is no answer."""
        if self.waits:
            self.waits = False
            self.wanted_by.timed_out(self)


class Heard:
    """Hears the responses to a request of ours before its procedure does, modifiers in between."""

    __slots__ = ("_answers", "_context", "_listener", "_over", "_requests", "_withheld")

    def __init__(
        self,
        requests: DeviatedRequests,
        context: CallflowContext | None,
        listener: ClientListener,
        withheld: Withheld | None,
    ) -> None:
        self._requests = requests
        self._context = context
        self._listener = listener
        self._withheld = withheld
        self._answers: dict[str, bool | None] = {}
        """2xx of an INVITE by To tag: passed on (True), declined (False), ignored (None)."""
        self._over = False  # the procedure has been told of an end that the phone does not know of

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """A response: retransmissions of a 2xx meet the fate of the first."""
        self._requests.common.callflow.received(response, transaction.flow)
        context = self._context
        if context is not None and response.cseq.method == "INVITE":
            context.hear(response)
            if 200 <= response.status < 300 and self._is_repeated(transaction, response):
                return
            if self._over:
                if 200 <= response.status < 300:
                    self._decline(transaction, response)
                return
            deviation = decide(context, response, RX)
            if deviation is not None:
                self._deviate(transaction, context, response, deviation)
                return
            if 200 <= response.status < 300:
                self._answers[response.to.tag or ""] = True
        self._pass(transaction, response)

    def _pass(self, transaction: ClientTransaction, response: Response) -> None:
        self._listener.response_received(self._withheld or transaction, response)

    def _is_repeated(self, transaction: ClientTransaction, response: Response) -> bool:
        tag = response.to.tag or ""
        if tag not in self._answers:
            return False
        fate = self._answers[tag]
        if fate:
            self._pass(transaction, response)
        elif fate is False:
            self._requests.decline(transaction.request, response, transaction.flow, repeated=True)
        return True

    def _decline(self, transaction: ClientTransaction, response: Response) -> None:
        self._answers[response.to.tag or ""] = False
        self._requests.decline(transaction.request, response, transaction.flow)

    def _deviate(
        self,
        transaction: ClientTransaction,
        context: CallflowContext,
        response: Response,
        deviation: Deviation,
    ) -> None:
        common = self._requests.common
        is_answer = response.status >= 200
        common.tell(deviation, "received", response, str(response.status))
        common.delay_media(context, deviation)
        code = deviation.code
        if code is not None and code < 0:
            if is_answer:
                self._answers[response.to.tag or ""] = None
                common.later(common.patience, self._no_answer, transaction)
            if code == IGNORE_AND_STOP and deviation.stop:
                common.stop(context)
            return
        if deviation.goes_on:
            code = None
        elif code is None:
            code = STOPPED
        if code is not None and 200 <= code < 300 and not is_answer:
            common.log.warn(f"{names(deviation)}: a {response.status} cannot become a {code}, it stays")
            code = None
        if code is not None:
            self._replace(transaction, response, code, is_answer=is_answer)
        elif is_answer:
            self._answers[response.to.tag or ""] = True
        alter_in_place(response, deviation.edits, deviation.contents, common.read)
        self._pass(transaction, response)
        if deviation.stop and not (transaction.request.to.tag is None and response.status >= 300):
            common.stop(context)

    def _replace(
        self, transaction: ClientTransaction, response: Response, code: int, *, is_answer: bool
    ) -> None:
        """Give a response another status; the phone, which sent the true one, is left in peace."""
        if not is_answer:
            if code >= 300:
                self._over = True
                transaction.cancel()
        elif code >= 300:
            self._over = True
            self._decline(transaction, response)
        elif code < 200:
            self._decline(transaction, response)
            common = self._requests.common
            common.later(common.patience, self._no_answer, transaction)
        else:
            self._answers[response.to.tag or ""] = True
        response.status, response.reason = code, reason_phrase(code)
        if code >= 300:
            response.body = b""
            response.remove("Content-Type")

    def _no_answer(self, transaction: ClientTransaction) -> None:
        if not self._over:
            self._over = True
            self._listener.timed_out(self._withheld or transaction)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer from the phone."""
        self._requests.common.callflow.unanswered(transaction.request, transaction.flow)
        if not self._over:
            self._listener.timed_out(self._withheld or transaction)

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The request could not be delivered."""
        if not self._over:
            self._listener.transport_failed(self._withheld or transaction, error)
