"""Writes to standard output from a thread: a terminal that is stopped (Ctrl-S) must not stop the calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TextIO

WAITING: Final = 1000
"""Texts that wait at most; later ones are dropped until the terminal goes on."""

_Item = tuple[str, Callable[[], None] | None]


def writer_of(stream: TextIO) -> Callable[[str], None]:
    """Writes to the descriptor of a stream, past its buffer.

    The interpreter wants the lock of that buffer at its end, and dies where a thread that is stuck has it.
    """
    descriptor, encoding = stream.fileno(), stream.encoding

    def write(text: str) -> None:
        data = memoryview(text.encode(encoding, "replace"))
        while data:
            data = data[os.write(descriptor, data) :]

    return write


class Output:
    """Takes texts and never makes the event loop wait."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` may take its time; OSError says that nobody reads any more."""
        self._write = write
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="monitor output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write a text, soon."""
        if self._queue.qsize() < WAITING:
            self._queue.put((text, None))

    async def written(self, text: str) -> None:
        """Write a text, and wait until it is there, or nobody reads any more."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(done.set)

        self._queue.put((text, tell))
        await done.wait()

    def close(self, seconds: float = 1.0) -> None:
        """Write what is left, unless that takes too long."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        broken = False
        while (item := self._queue.get()) is not None:
            text, done = item
            if not broken:
                try:
                    self._write(text)
                except OSError:
                    broken = True
            if done is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    done()
