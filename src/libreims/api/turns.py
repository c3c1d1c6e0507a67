"""Turns between the messages of clients and everything else: media must not wait for many at once."""

from __future__ import annotations

import asyncio
from typing import Final

TURN: Final = 0.002
"""Seconds of messages in and out, of all clients together, in one round of the event loop."""


class Turns:
    """How long the messages of this round have taken already."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end: float | None = None
        """When the messages of this round have had their time; None before the first one."""

    async def wait(self) -> None:
        """Before a message is processed or sent: wait for a round where its time is not used up yet."""
        while self._end is not None and self._loop.time() >= self._end:
            await asyncio.sleep(0)
        if self._end is None:
            self._end = self._loop.time() + TURN
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """The next round: sockets have been looked at in between."""
        self._end = None
