"""Starts coroutines at once, and one after another per key.

A procedure (REGISTER, an SMS) is a coroutine that may wait for an HSS or a policy server, and mostly does
not: the built-in HSS answers on the spot.  `Serial.run` therefore runs it in the caller's stack and makes
an asyncio task only of one that really waits; that saves a task, two callbacks and a loop turn for each
registration.  Procedures with the same key (the IMPI) never overlap.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Coroutine, Generator, Hashable
from functools import partial
from typing import Any

Procedure = Coroutine[Any, Any, None]


@types.coroutine
def _go_on(procedure: Procedure, waiting: object) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was started by hand and now waits for `waiting`."""
    while True:
        try:
            sent = yield waiting
        except BaseException as error:  # noqa: BLE001 - handed on to the coroutine, which decides
            resume = partial(procedure.throw, error)
        else:
            resume = partial(procedure.send, sent)
        try:
            waiting = resume()
        except StopIteration:
            return


class Serial:
    """Runs procedures, those of one key strictly one after another, in order of arrival."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[Procedure]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Procedures that wait for something, for leak tests."""
        return len(self._tasks)

    def run(self, key: Hashable, procedure: Procedure) -> None:
        """Start `procedure` now, or after those of the same key that came before it."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(procedure)
            return
        try:
            waiting = procedure.send(None)
        except StopIteration:
            return
        self._queues[key] = deque()
        self._start(key, _go_on(procedure, waiting))

    def _start(self, key: Hashable, rest: Awaitable[None]) -> None:
        task = asyncio.get_running_loop().create_task(self._finish(key, rest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, key: Hashable, rest: Awaitable[None]) -> None:
        try:
            await rest
        finally:  # whatever became of it, those behind it have their turn
            queue = self._queues.get(key)
            if queue:
                self._start(key, queue.popleft())
            else:
                self._queues.pop(key, None)

    def cancel(self) -> None:
        """Give up everything that waits or stands in a queue: the server is going down."""
        for queue in self._queues.values():
            while queue:
                queue.popleft().close()
        self._queues.clear()
        for task in tuple(self._tasks):
            task.cancel()
