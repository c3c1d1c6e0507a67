"""Waiting for something that a state machine reports: the bridge from tables to coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """State machines call `notify` after each change; coroutines wait `until` a condition holds."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Something changed."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until the condition holds; False when `timeout` seconds were not enough."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    try:
                        await future
                    finally:
                        self._waiting.discard(future)
        except TimeoutError:
            return condition()
        return True
