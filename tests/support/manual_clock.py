"""A clock that a test moves by hand, without any event loop: what timers do is seen at once, errors too."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class ManualTimer:
    """One started timer."""

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """`base.clock.Clock`; time moves only in `advance`."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._number = 0
        self._heap: list[tuple[float, int, ManualTimer]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> ManualTimer:
        timer = ManualTimer(callback, args)
        self._number += 1
        heapq.heappush(self._heap, (self.now + delay, self._number, timer))
        return timer

    @property
    def waiting(self) -> int:
        """Timers started and neither fired nor cancelled."""
        return sum(not timer.cancelled for _, _, timer in self._heap)

    def advance(self, seconds: float) -> None:
        """Move on, firing what is due in order, each at its own time."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            due, _, timer = heapq.heappop(self._heap)
            if not timer.cancelled:
                self.now = max(self.now, due)
                timer.callback(*timer.args)
        self.now = end
