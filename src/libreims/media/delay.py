"""Packets held up for a while, in order: the configuration's `media_delay`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from libreims.base.clock import Cancellable, Clock

LIMIT: Final = 8192
"""Most packets under way in one direction of one stream: what is more is lost."""


class DelayLine:
    """A queue with one timer, however many packets wait."""

    __slots__ = ("_clock", "_deliver", "_queue", "_timer", "delay")

    def __init__(self, clock: Clock, deliver: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._deliver = deliver
        self._queue: deque[tuple[float, bytes]] = deque()
        self._timer: Cancellable | None = None
        self.delay = 0.0
        """Seconds, for packets that come from now on; those that wait are never overtaken."""

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, data: bytes) -> bool:
        """Deliver it `delay` seconds from now; False when too many wait already."""
        if len(self._queue) >= LIMIT:
            return False
        self._queue.append((self._clock.time() + self.delay, data))
        if self._timer is None:
            self._timer = self._clock.call_later(self.delay, self._due)
        return True

    def _due(self) -> None:
        queue = self._queue
        # A timer may fire a hair early.
        now = self._clock.time() + 0.0005
        while queue and queue[0][0] <= now:
            self._deliver(queue.popleft()[1])
        self._timer = None
        if queue:
            self._timer = self._clock.call_later(queue[0][0] - self._clock.time(), self._due)

    def clear(self) -> None:
        """Lose what waits and stop the timer."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
