"""One reg-event subscription: when it sends a NOTIFY and when it ends (RFC 6665 §4.2, RFC 3680 §4).

A table of (state, event); the sending itself is `reg_event`'s.  Several changes in a short time become one
NOTIFY, and at most one is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from libreims.base.clock import Cancellable, Clock
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Response
from libreims.users.bindings import Change

INTERVAL = 5.0
"""Seconds between two NOTIFYs about changes (RFC 3680 §4.10)."""


class State(Enum):
    """Where a subscription is."""

    READY = auto()
    """The phone knows everything."""
    WAITING = auto()
    """There is something to say, a timer runs."""
    SENDING = auto()
    """A NOTIFY is under way."""
    STALE = auto()
    """A NOTIFY is under way and there is something newer already."""
    CLOSING = auto()
    """The last NOTIFY is under way, or about to leave."""
    CLOSED = auto()


class Event(Enum):
    """What happens to it."""

    CHANGED = auto()
    """There is something to say, as soon as the rate allows."""
    ASKED = auto()
    """The phone asked for the state with a SUBSCRIBE."""
    TICK = auto()
    ANSWERED = auto()
    FAILED = auto()
    ENDED = auto()
    """`reason` is set: say goodbye."""


class Notifier(Protocol):
    """Who sends the NOTIFYs of a subscription."""

    def notify(self, subscription: Subscription) -> None:
        """Send one now, with all changes so far."""

    def closed(self, subscription: Subscription, why: str) -> None:
        """It is over; `why` is empty after an orderly end."""


class Subscription:
    """The state of one; `fire` is the only way to change it."""

    __slots__ = (
        "_clock",
        "_last",
        "_notifier",
        "_timer",
        "changes",
        "dialog",
        "event_header",
        "expires_at",
        "flow",
        "imei",
        "impi",
        "kept",
        "reason",
        "stale",
        "state",
        "version",
    )

    def __init__(
        self, clock: Clock, notifier: Notifier, dialog: Dialog, impi: str, imei: str, flow: Flow
    ) -> None:
        self._clock = clock
        self._notifier = notifier
        self._timer: Cancellable | None = None
        self._last = clock.time() - INTERVAL
        self.dialog = dialog
        self.impi = impi
        self.imei = imei
        """Of the phone that subscribed, as far as its binding tells."""
        self.flow = flow
        """Where its last SUBSCRIBE came from."""
        self.event_header = "reg"
        self.expires_at = 0.0
        """Time of the clock."""
        self.version = 0
        """Of the next document."""
        self.reason = ""
        """Why it ends (RFC 6665 §4.2.2)."""
        self.changes: dict[int, Change] = {}
        """By number of the binding, since the last NOTIFY."""
        self.kept = False
        """Whether the store has a record of it."""
        self.stale = False
        """Whether that says that there is something to tell the phone."""
        self.state = State.READY

    def fire(self, event: Event, why: str = "") -> None:
        """Let an event happen; one that means nothing in this state is passed over."""
        handler = _TABLE.get((self.state, event))
        if handler is not None:
            handler(self, why)

    def end(self, reason: str) -> None:
        """Say goodbye with this `reason`; the first one counts."""
        if not self.reason:
            self.reason = reason
        self.fire(Event.ENDED)

    # Handlers.  NOTIFYs leave from a timer, never from within a procedure: its answer goes first.

    def _start(self, state: State, delay: float) -> None:
        self.stop()
        self.state = state
        self._timer = self._clock.call_later(delay, self.fire, Event.TICK)

    def stop(self) -> None:
        """Stop the timer: the program ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, _why: str) -> None:
        self._start(State.WAITING, max(0.0, self._last + INTERVAL - self._clock.time()))

    def _hurry(self, _why: str) -> None:
        self._start(State.WAITING, 0.0)

    def _remember(self, _why: str) -> None:
        self.state = State.STALE

    def _send(self, _why: str) -> None:
        self._timer = None
        self._last = self._clock.time()
        self.state = State.SENDING
        self._notifier.notify(self)

    def _settled(self, _why: str) -> None:
        self.state = State.READY

    def _leave(self, _why: str) -> None:
        self._start(State.CLOSING, 0.0)

    def _send_last(self, _why: str) -> None:
        self._timer = None
        self._notifier.notify(self)

    def _close(self, why: str) -> None:
        self.stop()
        self.state = State.CLOSED
        self._notifier.closed(self, why)

    def _close_in_order(self, _why: str) -> None:
        # An answer to the last but one NOTIFY must not end it before the last one has left.
        if self._timer is None:
            self._close("")

    # --- ClientListener of its NOTIFYs

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """2xx, or the end: a phone that does not know the subscription says 481 (RFC 6665 §4.2.2)."""
        if response.status >= 300:
            self.fire(Event.FAILED, f"the phone answered {response.status} {response.reason} to a NOTIFY")
        elif response.status >= 200:
            self.fire(Event.ANSWERED)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """Nobody answers."""
        self.fire(Event.FAILED, "the phone does not answer a NOTIFY")

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The NOTIFY could not be delivered."""
        self.fire(Event.FAILED, f"a NOTIFY cannot be delivered ({error})")


_TABLE: dict[tuple[State, Event], Callable[[Subscription, str], None]] = {
    (State.READY, Event.CHANGED): Subscription._wait,
    (State.READY, Event.ASKED): Subscription._hurry,
    (State.READY, Event.ENDED): Subscription._leave,
    (State.WAITING, Event.ASKED): Subscription._hurry,
    (State.WAITING, Event.TICK): Subscription._send,
    (State.WAITING, Event.ENDED): Subscription._leave,
    (State.SENDING, Event.CHANGED): Subscription._remember,
    (State.SENDING, Event.ASKED): Subscription._hurry,
    (State.SENDING, Event.ANSWERED): Subscription._settled,
    (State.SENDING, Event.FAILED): Subscription._close,
    (State.SENDING, Event.ENDED): Subscription._leave,
    (State.STALE, Event.ASKED): Subscription._hurry,
    (State.STALE, Event.ANSWERED): Subscription._wait,
    (State.STALE, Event.FAILED): Subscription._close,
    (State.STALE, Event.ENDED): Subscription._leave,
    (State.WAITING, Event.FAILED): Subscription._close,
    (State.CLOSING, Event.TICK): Subscription._send_last,
    (State.CLOSING, Event.ANSWERED): Subscription._close_in_order,
    (State.CLOSING, Event.FAILED): Subscription._close,
}
