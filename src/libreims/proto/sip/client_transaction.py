"""Client transactions: RFC 3261 §17.1 (figures 5 and 6), Accepted state of RFC 6026 §7.2, CANCEL of §9.1.

Each public method is an event; what it does in which state stands in the method.  State changes come
before calls to the listener, which may do anything, even raise.
"""

from __future__ import annotations

from collections.abc import Iterable

from libreims.base.clock import Cancellable
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.transaction import ClientKey, ClientListener, Layer, State

_LASTING = ("From", "To", "Call-ID", "CSeq")
_HAIR = 1e-6
"""Seconds that a timer may seem to come early, by rounding."""


class ClientTransaction:
    """A request of ours and what came back."""

    __slots__ = (
        "_data",
        "_deadline",
        "_interval",
        "_layer",
        "_resend",
        "_timeout",
        "flow",
        "key",
        "listener",
        "request",
        "state",
    )

    def __init__(
        self, layer: Layer, key: ClientKey, request: Request, flow: Flow, listener: ClientListener | None
    ) -> None:
        self._layer = layer
        self.key = key
        self.request = request
        self.flow = flow
        self.listener = listener
        self.state = State.TRYING
        self._data = b""
        self._interval = 0.0
        self._deadline = 0.0  # when the retransmissions give up: one timer serves for both
        self._resend: Cancellable | None = None
        self._timeout: Cancellable | None = None

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself."""
        return self.flow.transport == "TCP"

    def start(self) -> None:
        """Send the request."""
        raise NotImplementedError

    def receive(self, response: Response) -> None:
        """A response with our branch arrived."""
        raise NotImplementedError

    def transport_error(self, error: Exception) -> None:
        """The transport could not deliver what we sent."""
        raise NotImplementedError

    def cancel(self, headers: Iterable[tuple[str, str]] = ()) -> ClientTransaction | None:
        """Only an INVITE can be cancelled (RFC 3261 §9.1)."""
        del headers
        return None

    def abridge(self) -> None:
        """The user has seen the 2xx to its INVITE: let go of what later ones do not need."""

    def give_up(self) -> None:
        """Wait for the answer of an INVITE no longer than 64*T1; any other request is bounded already."""

    def stop(self) -> None:
        """End without a word to anyone."""
        self._terminate()

    def _send_until(self, first: float, end: float) -> None:
        """Send, again after `first` seconds and so on (timers A, E); on UDP it is over after `end` (B, F)."""
        layer = self._layer
        clock = layer.clock
        data = layer.encoded(self.request)
        if self.flow.transport == "TCP":
            self._timeout = clock.call_later(end, self._timed_out)
        else:
            self._data = data
            self._interval = first
            self._deadline = clock.time() + end
            self._resend = clock.call_later(min(first, end), self._send_again)
        layer.transmit(data, self.flow)

    def _send_again(self) -> None:
        layer = self._layer
        left = self._deadline - layer.clock.time()
        if left < _HAIR:
            self._timed_out()
            return
        self._interval = self._next_interval()
        self._resend = layer.clock.call_later(min(self._interval, left), self._send_again)
        layer.retransmit(self._data, self.flow)

    def _next_interval(self) -> float:
        raise NotImplementedError

    def _stop_timers(self) -> None:
        if self._resend is not None:
            self._resend.cancel()
            self._resend = None
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def terminate(self) -> None:
        """Timer M: leave the stack."""
        self._terminate()

    def _terminate(self) -> ClientListener | None:
        """Leave the stack; returns who has to be told why."""
        self._stop_timers()
        self.state = State.TERMINATED
        self._layer.client_ended(self.key)
        listener, self.listener = self.listener, None
        self._data = b""
        return listener

    def _timed_out(self) -> None:
        listener = self._terminate()
        if listener is not None:
            listener.timed_out(self)


class NonInviteClientTransaction(ClientTransaction):
    """RFC 3261 §17.1.2, figure 6: Trying, Proceeding, Completed.

    A completed one leaves the stack at once; a trace of it absorbs late responses until timer K.
    """

    __slots__ = ()

    def start(self) -> None:
        """-> Trying: send, timers E (UDP) and F."""
        timers = self._layer.timers
        self._send_until(timers.e, timers.f)

    def _next_interval(self) -> float:
        """Timer E."""
        t2 = self._layer.timers.t2
        return min(2 * self._interval, t2) if self.state is State.TRYING else t2

    def receive(self, response: Response) -> None:
        """1xx -> Proceeding; final -> Completed."""
        listener = self.listener
        if response.status < 200:
            self.state = State.PROCEEDING
        else:
            self._stop_timers()
            self.state = State.COMPLETED
            self.listener = None
            self._data = b""
            self._layer.client_completed(self.key, 0.0 if self.reliable else self._layer.timers.k)
        if listener is not None:
            listener.response_received(self, response)

    def transport_error(self, error: Exception) -> None:
        """Trying, Proceeding -> Terminated."""
        listener = self._terminate()
        if listener is not None:
            listener.transport_failed(self, error)


class InviteClientTransaction(ClientTransaction):
    """RFC 3261 §17.1.1, figure 5, with RFC 6026: Calling, Proceeding, Accepted, Completed."""

    __slots__ = ("_ack", "_cancel")

    def __init__(
        self, layer: Layer, key: ClientKey, request: Request, flow: Flow, listener: ClientListener | None
    ) -> None:
        super().__init__(layer, key, request, flow, listener)
        self.state = State.CALLING
        self._ack = b""
        self._cancel: tuple[tuple[str, str], ...] | None = None  # asked for before a provisional response

    def start(self) -> None:
        """-> Calling: send, timers A (UDP) and B."""
        timers = self._layer.timers
        self._send_until(timers.a, timers.b)

    def _next_interval(self) -> float:
        """Timer A."""
        return 2 * self._interval

    def receive(self, response: Response) -> None:
        """A response, by its class."""
        if response.status < 200:
            self._provisional(response)
        elif response.status < 300:
            self._success(response)
        else:
            self._failure(response)

    def _provisional(self, response: Response) -> None:
        if self.state is State.CALLING:
            self._stop_timers()
            self._data = b""
            self.state = State.PROCEEDING
            if self._cancel is not None:
                headers, self._cancel = self._cancel, None
                self._send_cancel(headers)
        if self.state is State.PROCEEDING and self.listener is not None:
            self.listener.response_received(self, response)

    def _success(self, response: Response) -> None:
        """RFC 6026 §8.4: every 2xx goes to the user, who acknowledges it, until timer M."""
        if self.state in (State.CALLING, State.PROCEEDING):
            self._stop_timers()
            self._data = b""
            self._cancel = None
            self.state = State.ACCEPTED
            self._layer.client_accepted(self, self._layer.timers.m)
        if self.state is State.ACCEPTED and self.listener is not None:
            self.listener.response_received(self, response)

    def abridge(self) -> None:
        """Keep of the request what an ACK and the dialog of another fork take from it (RFC 6026 §8.4).

        An accepted INVITE stays for 64*T1; its body and other headers are most of what it weighs.
        """
        if self.state is State.ACCEPTED:
            whole = self.request
            fields = {name: whole.fields[name] for name in _LASTING if name in whole.fields}
            self.request = Request(whole.method, whole.uri, fields)

    def _failure(self, response: Response) -> None:
        """RFC 3261 §17.1.1.2: 300-699 is acknowledged here, each retransmission again."""
        if self.state is State.COMPLETED:
            self._layer.transmit(self._ack, self.flow)
            return
        if self.state not in (State.CALLING, State.PROCEEDING):
            return
        self._stop_timers()
        self._data = b""
        self._cancel = None
        self.state = State.COMPLETED
        listener, self.listener = self.listener, None
        self._ack = self._layer.transmit_own(self._make_ack(response), self.flow)
        if self.reliable:
            self._terminate()  # timer D is zero
        else:
            self._timeout = self._layer.clock.call_later(self._layer.timers.d, self._terminate)  # timer D
        if listener is not None:
            listener.response_received(self, response)

    def transport_error(self, error: Exception) -> None:
        """Calling, Completed -> Terminated; otherwise nothing of ours is under way."""
        if self.state in (State.CALLING, State.COMPLETED):
            listener = self._terminate()
            if listener is not None:
                listener.transport_failed(self, error)

    def cancel(self, headers: Iterable[tuple[str, str]] = ()) -> ClientTransaction | None:
        """Send CANCEL with `headers` (Reason), now or when a provisional response comes (RFC 3261 §9.1).

        Returns the transaction of the CANCEL where it was sent.  Without a final response to the INVITE
        64*T1 later the listener is told `timed_out`.
        """
        if self.state is State.CALLING:
            self._cancel = tuple(headers)
        elif self.state is State.PROCEEDING and self._timeout is None:
            return self._send_cancel(headers)
        return None

    def give_up(self) -> None:
        """As `cancel`, but no CANCEL is sent: wait 64*T1 for a final response, then `timed_out`."""
        if self.state is State.PROCEEDING and self._timeout is None:
            self._timeout = self._layer.clock.call_later(64 * self._layer.timers.t1, self._timed_out)

    def _send_cancel(self, headers: Iterable[tuple[str, str]]) -> ClientTransaction:
        layer = self._layer
        self._timeout = layer.clock.call_later(64 * layer.timers.t1, self._timed_out)
        request = self.request
        cancel = self._hop_by_hop("CANCEL", request.get_all("To")[0])
        for name, value in headers:
            cancel.add(name, value)
        return layer.start_cancel(cancel, self.key[0], self.flow)

    def _make_ack(self, response: Response) -> Request:
        """RFC 3261 §17.1.1.3."""
        return self._hop_by_hop("ACK", response.get_all("To")[0])

    def _hop_by_hop(self, method: str, to: str) -> Request:
        """CANCEL and the ACK to a failure: same Request-URI, Via, Route, From, Call-ID and CSeq number."""
        invite = self.request
        headers = [("Via", str(invite.via)), ("Max-Forwards", "70")]
        headers += [("Route", route) for route in invite.get_all("Route")]
        headers += [
            ("From", invite.get_all("From")[0]),
            ("To", to),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} {method}"),
        ]
        return Request.build(method, invite.uri, headers)
