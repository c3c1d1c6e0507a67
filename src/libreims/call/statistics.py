"""What is counted of calls that are over; read by `api.metrics`."""

from __future__ import annotations

from typing import Final

from libreims.base.metrics import Histogram

NORMAL: Final = "normal"
"""Answered, and ended by a party."""
STOPPED: Final = "stopped"
"""Answered, and ended by the server: nothing came for too long, remote control, a fault, shutdown."""
CANCELLED: Final = "cancelled"
"""Given up by the caller before the answer."""


class CallStatistics:
    """Ends by cause, and how long the answers took."""

    __slots__ = ("ended", "setup")

    def __init__(self) -> None:
        self.ended: dict[str, int] = {}
        """By `NORMAL`, `STOPPED`, `CANCELLED` or the status code with which the caller was refused."""
        self.setup = Histogram()
        """Seconds from the INVITE to the answer."""

    def finished(self, outcome: str, setup: float | None) -> None:
        """A call is over; `setup` is None where nobody answered."""
        self.ended[outcome] = self.ended.get(outcome, 0) + 1
        if setup is not None:
            self.setup.observe(setup)
