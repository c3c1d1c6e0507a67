"""Turns between the messages of clients and everything else: media must not wait for many at once."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

TURN: Final = 0.002
"""Seconds of messages in and out, of all clients together, in one round of the event loop."""
MOST: Final = 256
"""Messages that are let go in one round at most."""


class Turns:
    """Who may go on in this round of the event loop, and who waits for one of the next."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._began = 0.0
        self._end: float | None = None
        """When the messages of this round have had their time; None before the first one."""
        self._batch = 1
        """How many that wait are let go in a round: as many as take about a turn."""

    async def wait(self) -> None:
        """Before a message is processed or sent; those who wait go on in the order in which they came."""
        if self._end is None:
            self._began = self._loop.time()
            self._end = self._began + TURN
            self._loop.call_soon(self._next)
        elif self._waiting or self._loop.time() >= self._end:
            turn = self._loop.create_future()
            self._waiting.append(turn)
            await turn

    def _next(self) -> None:
        """A round is over: sockets have been looked at in between."""
        if not self._waiting:
            self._end = None
            return
        now = self._loop.time()
        longer = now - self._began >= TURN
        self._batch = max(self._batch // 2, 1) if longer else min(self._batch * 2, MOST)
        self._began = self._end = now  # whoever comes now stands behind those who wait
        left = self._batch
        while left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # it has not been given up
                turn.set_result(None)
                left -= 1
        self._loop.call_soon(self._next)
