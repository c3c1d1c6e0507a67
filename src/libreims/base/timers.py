"""A hashed timer wheel: SIP starts and cancels timers by the thousand, an event loop's heap is dear.

Measured beside `loop.call_later` a wheel timer costs about a quarter.  Delays are rounded up to
`TICK`; a timer never fires early.  The wheel sleeps (no event-loop timer at all) while it is empty.
Satisfies `base.clock.Clock`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from libreims.base.clock import Cancellable, Clock

TICK = 0.01
"""Resolution in seconds."""


class WheelTimer:
    """One started timer."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        """Stop the timer and let go of what it refers to; harmless once it has fired."""
        self.callback = None
        self.args = ()


class TimerWheel:
    """Timers in slots of `TICK` seconds, driven by one timer of the underlying clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.time = clock.time
        self._start = clock.time()
        self._slots: dict[int, list[WheelTimer]] = {}
        self._order: list[int] = []  # heap of the slots that exist
        self._wake: Cancellable | None = None
        self._wake_due = 0
        self._done = 0  # every slot up to this one has been run
        self._running = False

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> WheelTimer:
        """Call `callback(*args)` once, at least `delay` seconds from now."""
        due = math.ceil((self.time() - self._start + delay) / TICK - 1e-6)
        if due <= self._done:
            due = self._done + 1
        timer = WheelTimer(callback, args)
        slot = self._slots.get(due)
        if slot is not None:
            slot.append(timer)
            return timer
        self._slots[due] = [timer]
        heapq.heappush(self._order, due)
        if not self._running and (self._wake is None or due < self._wake_due):
            self._arm(due)
        return timer

    def _arm(self, due: int) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake_due = due
        delay = max(0.0, self._start + due * TICK - self.time())
        self._wake = self._clock.call_later(delay, self._advance)

    def _advance(self) -> None:
        self._wake = None
        # An event loop may wake a hair early: the slot that it was armed for is due all the same.
        now = max(int((self.time() - self._start) / TICK), self._wake_due)
        order = self._order
        # Timers started by callbacks must not arm the clock: earlier slots may still be waiting.
        self._running = True
        try:
            while order and order[0] <= now:
                self._done = order[0]
                self._run(self._slots.pop(heapq.heappop(order)))
            self._done = max(self._done, now)
        finally:
            self._running = False
            if order:
                self._arm(order[0])

    def _run(self, slot: list[WheelTimer]) -> None:
        pending = iter(slot)
        try:
            for timer in pending:
                callback = timer.callback
                if callback is not None:
                    timer.callback = None
                    callback(*timer.args)
        finally:
            # One callback that raises must not take the rest of its slot with it.
            for timer in pending:
                if timer.callback is not None:
                    self.call_later(0.0, timer.callback, *timer.args)
