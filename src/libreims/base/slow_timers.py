"""Timers of minutes and hours that are nearly always cancelled: session timers.

A cancelled timer of `base.timers.TimerWheel` stays there until it is due, which is too long for one of each
call; here it is gone at once.  Delays are rounded up to whole seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from libreims.base.clock import Clock


class SlowTimer:
    """One started timer."""

    __slots__ = ("_slot", "callback")

    def __init__(self, slot: set[SlowTimer], callback: Callable[[], object]) -> None:
        self._slot = slot
        self.callback = callback

    def cancel(self) -> None:
        """Stop the timer; harmless once it has fired."""
        self._slot.discard(self)


class SlowTimers:
    """Timers by the second in which they are due, with one timer of the underlying clock for each."""

    __slots__ = ("_clock", "_slots", "_start")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.time()
        self._slots: dict[int, set[SlowTimer]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def call_later(self, delay: float, callback: Callable[[], object]) -> SlowTimer:
        """Call `callback()` once, `delay` to `delay` + 1 seconds from now."""
        now = self._clock.time() - self._start
        due = math.ceil(now + delay)
        slot = self._slots.get(due)
        if slot is None:
            slot = self._slots[due] = set()
            self._clock.call_later(due - now, self._run, due)
        timer = SlowTimer(slot, callback)
        slot.add(timer)
        return timer

    def _run(self, due: int) -> None:
        slot = self._slots.pop(due, None)
        while slot:  # a callback may cancel others of its second
            timer = slot.pop()
            try:
                timer.callback()
            except BaseException:
                for other in slot:
                    self._clock.call_later(0.0, other.callback)
                raise
