"""Many long deadlines that move all the time: bindings, subscriptions.

A registration of an hour is refreshed again and again, so timers that are cancelled must cost nothing
afterwards: the deadlines lie in buckets of one second, moving one is two dictionary operations, and one
timer of the clock drives them all.  Never early, late by less than `GRAIN`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from libreims.base.clock import Cancellable, Clock

GRAIN = 1.0
"""Width of a bucket in seconds."""

K = TypeVar("K", bound=Hashable)


class Expiry(Generic[K]):
    """Calls `expired(key)` when the deadline of a key has passed."""

    def __init__(self, clock: Clock, expired: Callable[[K], object]) -> None:
        self._clock = clock
        self._expired = expired
        self._due: dict[K, int] = {}
        self._buckets: dict[int, dict[K, None]] = {}
        self._order: list[int] = []  # heap of the buckets that exist
        self._wake: Cancellable | None = None
        self._wake_due = 0
        self._running = -1  # the bucket that is being emptied takes no more

    def __len__(self) -> int:
        return len(self._due)

    def start(self, key: K, delay: float) -> None:
        """Set the deadline of a key, `delay` seconds from now, in place of the one it had."""
        due = max(math.ceil((self._clock.time() + delay) / GRAIN - 1e-6), self._running + 1)
        before = self._due.get(key)
        if before == due:
            return
        if before is not None:
            del self._buckets[before][key]
        self._due[key] = due
        bucket = self._buckets.get(due)
        if bucket is not None:
            bucket[key] = None
            return
        self._buckets[due] = {key: None}
        heapq.heappush(self._order, due)
        if self._wake is None or due < self._wake_due:
            self._arm(due)

    def stop(self, key: K) -> None:
        """Forget a key; harmless when it has no deadline."""
        due = self._due.pop(key, None)
        if due is not None:
            del self._buckets[due][key]

    def clear(self) -> None:
        """Forget everything and let the clock go."""
        self._due.clear()
        for bucket in self._buckets.values():
            bucket.clear()  # one of them may be running
        self._buckets.clear()
        self._order.clear()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _arm(self, due: int) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake_due = due
        self._wake = self._clock.call_later(max(0.0, due * GRAIN - self._clock.time()), self._advance)

    def _advance(self) -> None:
        self._wake = None
        # A clock may wake a hair early: the bucket that it was armed for is due all the same.
        now = max(int(self._clock.time() / GRAIN), self._wake_due)
        order = self._order
        try:
            while order and order[0] <= now:
                self._run(order[0])
        finally:
            while order and not self._buckets[order[0]]:
                del self._buckets[heapq.heappop(order)]
            if order and (self._wake is None or order[0] < self._wake_due):
                self._arm(order[0])

    def _run(self, due: int) -> None:
        """Empty a bucket one key at a time, so that a callback may start and stop any of them."""
        self._running = due
        bucket = self._buckets[due]
        while bucket:
            key = next(iter(bucket))
            del bucket[key]
            del self._due[key]
            self._expired(key)
        if self._buckets.pop(due, None) is not None:
            heapq.heappop(self._order)
