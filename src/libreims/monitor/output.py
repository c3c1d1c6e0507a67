"""Writes to standard output from a thread: a terminal that is stopped (Ctrl-S) must not stop the calls."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Final, TextIO

WAITING: Final = 1000
"""Texts that wait at most; later ones are dropped until the terminal goes on."""


class Output:
    """A text stream that never makes its writer wait."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="monitor output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write a text, soon."""
        if self._queue.qsize() < WAITING and self._thread.is_alive():
            self._queue.put(text)

    def close(self, seconds: float = 1.0) -> None:
        """Write what is left, unless that takes too long."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                return  # nobody reads any more; the server goes on
