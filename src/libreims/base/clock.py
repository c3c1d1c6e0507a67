"""Time as a dependency.

Everything that waits or dates something gets a `Clock` from outside, so that the whole server runs
on virtual time in tests.  A running asyncio event loop satisfies `Clock` as it is; `TimerWheel`
(`base.timers`) is the cheap one for the many short-lived SIP timers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    """A timer that has been started."""

    def cancel(self) -> None:
        """Stop the timer; harmless once it has fired."""


class Clock(Protocol):
    """Monotonic time in seconds, and timers on it."""

    def time(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Cancellable:
        """Call `callback(*args)` once, `delay` seconds from now."""


UtcClock = Callable[[], float]
"""Wall-clock time: seconds since 1970-01-01 UTC, for logs, the store and what users see."""
