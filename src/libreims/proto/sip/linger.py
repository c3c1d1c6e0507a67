"""What completed transactions leave behind, for timers J and K: most entries of a busy stack.

All wait for the same time, so they stand in a queue with one timer for its head, instead of a timer each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from libreims.base.clock import Clock

T = TypeVar("T")


class LingerQueue(Generic[T]):
    """Calls `forget(entry)` for each entry when its time is over, never before.

    An entry behind one with a longer time (the timers were changed meanwhile) waits for that one.
    """

    __slots__ = ("_armed", "_clock", "_entries", "_forget")

    def __init__(self, clock: Clock, forget: Callable[[T], None]) -> None:
        self._clock = clock
        self._forget = forget
        self._entries: deque[tuple[float, T]] = deque()
        self._armed = False

    def add(self, seconds: float, entry: T) -> None:
        """Let an entry in."""
        self._entries.append((self._clock.time() + seconds, entry))
        if not self._armed:
            self._armed = True
            self._clock.call_later(seconds, self._expire)

    def clear(self) -> None:
        """Drop all entries without a word."""
        self._entries.clear()

    def _expire(self) -> None:
        entries = self._entries
        now = self._clock.time() + 1e-6  # a clock may wake a hair early
        while entries and entries[0][0] <= now:
            self._forget(entries.popleft()[1])
        self._armed = bool(entries)
        if entries:
            self._clock.call_later(entries[0][0] - now, self._expire)
