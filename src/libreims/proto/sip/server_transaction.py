"""Server transactions: RFC 3261 §17.2 (figures 7 and 8), Accepted state of RFC 6026 §7.1.

Each public method is an event; what it does in which state stands in the method.
"""

from __future__ import annotations

import contextlib
from typing import Any

from libreims.base.clock import Cancellable
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.timers import TRYING_AFTER
from libreims.proto.sip.transaction import AckKey, Layer, MergeKey, ServerKey, ServerListener, State

_HAIR = 1e-6
"""Seconds that a timer may seem to come early, by rounding."""


class ServerTransaction:
    """A request of a peer and our answer.

    `flow` is where the request came from, `reply_flow` where responses go (RFC 3261 §18.2.2, RFC 3581).
    """

    __slots__ = (
        "_last",
        "_layer",
        "_local_tag",
        "context",
        "flow",
        "key",
        "listener",
        "merge",
        "reply_flow",
        "request",
        "state",
    )

    def __init__(
        self,
        layer: Layer,
        key: ServerKey,
        merge: MergeKey | None,
        request: Request,
        flow: Flow,
        reply_flow: Flow,
    ) -> None:
        self._layer = layer
        self.key = key
        self.merge = merge
        self.request = request
        self.flow = flow
        self.reply_flow = reply_flow
        self.listener: ServerListener | None = None
        self.context: Any = None
        """Whatever the transaction user wants to find again with its answer."""
        self.state = State.TRYING
        self._last = b""  # the last provisional response, then the final one
        self._local_tag = ""

    @property
    def local_tag(self) -> str:
        """Our tag for all responses: the To tag of the request, else one made for this transaction."""
        tag = self._local_tag
        if not tag:
            tag = self._local_tag = self.request.to.tag or self._layer.tokens.tag()
        return tag

    @property
    def answered(self) -> bool:
        """Whether a final response was given."""
        return self.state is not State.TRYING and self.state is not State.PROCEEDING

    def guard(self) -> None:
        """The user did not answer at once."""
        raise NotImplementedError

    def respond(self, response: Response) -> None:
        """Send a provisional or final response; one that comes after a final response is discarded."""
        raise NotImplementedError

    def ignore(self) -> None:
        """Never answer; retransmissions are absorbed as long as the peer may send them."""
        if not self.answered:
            self._terminate(linger=self._layer.timers.j)

    def retransmitted(self, request: Request, flow: Flow) -> None:
        """The request came again."""
        raise NotImplementedError

    def acknowledged(self) -> None:
        """An ACK for our 2xx arrived; nothing to do but for an INVITE."""

    def transport_error(self) -> None:
        """The transport could not deliver our response."""
        listener = self._terminate()
        if listener is not None:
            listener.transport_failed(self)

    def stop(self) -> None:
        """End without a word to anyone."""
        self._terminate()

    def _terminate(self, linger: float = 0.0) -> ServerListener | None:
        """Leave the stack; returns who has to be told why."""
        self.state = State.TERMINATED
        self._layer.server_completed(self.key, self.merge, b"", self.reply_flow, linger)
        listener, self.listener = self.listener, None
        self._last = b""
        return listener


class NonInviteServerTransaction(ServerTransaction):
    """RFC 3261 §17.2.2, figure 8: Trying, Proceeding, Completed.

    A completed one leaves the stack at once; its response alone stays there until timer J.
    """

    __slots__ = ("_guard",)

    def __init__(
        self,
        layer: Layer,
        key: ServerKey,
        merge: MergeKey | None,
        request: Request,
        flow: Flow,
        reply_flow: Flow,
    ) -> None:
        super().__init__(layer, key, merge, request, flow, reply_flow)
        self._guard: Cancellable | None = None

    def guard(self) -> None:
        """The user did not answer at once: forget the request when the peer has given it up (timer F)."""
        self._guard = self._layer.clock.call_later(self._layer.timers.f, self._terminate)

    def _terminate(self, linger: float = 0.0) -> ServerListener | None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        return super()._terminate(linger)

    def respond(self, response: Response) -> None:
        """Trying, Proceeding: 1xx -> Proceeding, final -> Completed."""
        if self.answered:
            return
        layer = self._layer
        data = layer.encoded(response)
        if response.status < 200:
            self.state = State.PROCEEDING
            self._last = data
        else:
            self.state = State.COMPLETED
            self._last = b""
            self.listener = None
            if self._guard is not None:
                self._guard.cancel()
                self._guard = None
            merge = self.merge
            if response.status >= 300 and merge is not None:
                layer.forget_merge(merge)
                merge = None
            linger = 0.0 if self.flow.transport == "TCP" else layer.timers.j
            layer.server_completed(self.key, merge, data, self.reply_flow, linger)
        layer.transmit(data, self.reply_flow)

    def retransmitted(self, request: Request, flow: Flow) -> None:
        """Trying: nothing yet; Proceeding: the last response again."""
        del request, flow
        if self._last:
            self._layer.transmit(self._last, self.reply_flow)


class InviteServerTransaction(ServerTransaction):
    """RFC 3261 §17.2.1, figure 7, with RFC 6026: Proceeding, Accepted, Completed, Confirmed.

    In Accepted the 2xx is retransmitted until `acknowledged`, on any transport (RFC 3261 §13.3.1.4): that is
    the user agent's duty in the RFC; here it saves each user the same timer.
    """

    __slots__ = ("__weakref__", "_ack_key", "_deadline", "_interval", "_timer")

    def __init__(
        self,
        layer: Layer,
        key: ServerKey,
        merge: MergeKey | None,
        request: Request,
        flow: Flow,
        reply_flow: Flow,
    ) -> None:
        super().__init__(layer, key, merge, request, flow, reply_flow)
        self.state = State.PROCEEDING
        self._ack_key: AckKey | None = None
        self._interval = 0.0
        self._deadline = 0.0  # timer H or L: when the retransmissions of the final response end
        self._timer: Cancellable | None = None  # one for all, as no two of them run out at once

    def guard(self) -> None:
        """The user did not answer at once: 100 goes out soon, so that the peer stops retransmitting."""
        if not self._last and self._timer is None:
            self._timer = self._layer.clock.call_later(TRYING_AFTER, self._trying)

    def _trying(self) -> None:
        self._timer = None
        if self.state is State.PROCEEDING and not self._last:
            trying = Response.to_request(self.request, 100)
            self._last = self._layer.transmit_own(trying, self.reply_flow)

    def respond(self, response: Response) -> None:
        """Proceeding: 1xx, 2xx -> Accepted, 300-699 -> Completed.  Accepted: a further 2xx goes out once."""
        status = response.status
        if self.state is State.PROCEEDING:
            data = self._layer.encoded(response)
            self._last = data
            if status >= 200:
                self._final(status, response)
            self._layer.transmit(data, self.reply_flow)
        elif self.state is State.ACCEPTED and 200 <= status < 300:
            self._layer.transmit(self._layer.encoded(response), self.reply_flow)

    def _final(self, status: int, response: Response) -> None:
        layer = self._layer
        timers = layer.timers
        self._stop_timer()
        self._interval = timers.g
        self._deadline = layer.clock.time() + timers.h
        if status < 300:
            self.state = State.ACCEPTED
            request = self.request
            self._ack_key = (request.call_id, request.from_.tag, response.to.tag, request.cseq.number)
            layer.awaits_ack(self._ack_key, self)
            self._timer = layer.clock.call_later(timers.t1, self._repeat)
            return
        self.state = State.COMPLETED
        # A stray quote in a parameter of To shows only with our tag behind it; the ACK goes by its branch.
        with contextlib.suppress(SipParseError):
            self._local_tag = response.to.tag or ""
        if self.merge is not None:
            layer.forget_merge(self.merge)
            self.merge = None
        if self.flow.transport != "TCP":
            self._timer = layer.clock.call_later(timers.g, self._repeat)
        else:
            self._timer = layer.clock.call_later(timers.h, self._missed)

    def _repeat(self) -> None:
        """Timer G, and the same for a 2xx, until timer H or L."""
        clock = self._layer.clock
        left = self._deadline - clock.time()
        if left < _HAIR:
            self._missed()
            return
        self._interval = min(2 * self._interval, self._layer.timers.t2)
        self._timer = clock.call_later(min(self._interval, left), self._repeat)
        self._layer.retransmit(self._last, self.reply_flow)

    def _missed(self) -> None:
        """Completed, Accepted: the ACK did not come -> Terminated."""
        listener = self._terminate()
        if listener is not None:
            listener.ack_timeout(self)

    def retransmitted(self, request: Request, flow: Flow) -> None:
        """Proceeding, Completed: the last response again; Accepted, Confirmed: absorbed."""
        del request, flow
        if self._last and self.state in (State.PROCEEDING, State.COMPLETED):
            self._layer.transmit(self._last, self.reply_flow)

    def ack_received(self) -> None:
        """An ACK with the branch of the INVITE: Completed -> Confirmed, retransmitted ones are absorbed."""
        if self.state is State.COMPLETED:
            self._stop_timer()
            if self.flow.transport == "TCP":
                self._terminate()  # timer I is zero
                return
            self.state = State.CONFIRMED
            self._last = b""
            self.listener = None
            self._timer = self._layer.clock.call_later(self._layer.timers.i, self._terminate)  # timer I

    def acknowledged(self) -> None:
        """Accepted: the ACK for our 2xx arrived; the 2xx is not repeated any more.

        The transaction leaves the stack; a trace of it absorbs retransmitted INVITEs until timer L.
        """
        if self._ack_key is not None:
            layer = self._layer
            layer.ack_settled(self._ack_key)
            self._ack_key = None
            self.listener = None
            self._last = b""
            self._stop_timer()
            left = max(self._deadline - layer.clock.time(), _HAIR)
            layer.server_completed(self.key, self.merge, b"", self.reply_flow, left)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _terminate(self, linger: float = 0.0) -> ServerListener | None:
        self._stop_timer()
        if self._ack_key is not None:
            self._layer.ack_settled(self._ack_key)
            self._ack_key = None
        return super()._terminate(linger)
