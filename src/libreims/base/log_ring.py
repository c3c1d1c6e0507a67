"""The last log entries, kept for the remote API's `log_get`, each with an absolute index.

Entries keep the message and the data as they were given; text is made when someone asks for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from libreims.base.log_dump import INDENT
from libreims.base.log_options import LEVELS


class LogEntry(NamedTuple):
    """One entry: UTC seconds, layer name, level number, direction, identifier, message and dump text."""

    time: float
    layer: str
    level: int
    direction: str
    id: int | str | None
    message: str
    dump: str

    @property
    def level_name(self) -> str:
        """`error`, `warn`, `info` or `debug`."""
        return LEVELS[self.level]

    @property
    def lines(self) -> list[str]:
        """The message, then the lines of the dump without the indentation they have in the file."""
        return [self.message, *(line.removeprefix(INDENT) for line in self.dump.splitlines() if line)]


class LogRing:
    """A bounded history; the index of an entry never changes and is never used twice."""

    __slots__ = ("_entries", "append", "cleared", "total", "wake")

    def __init__(self, count: int) -> None:
        self._entries: deque[tuple[float, str, int, str, int | str | None, str, str]] = deque(maxlen=count)
        self.append = self._entries.append
        self.total = 0
        """Number of entries ever added, which is the index that the next one gets."""
        self.cleared = 0
        """Entries before this index were forgotten on purpose."""
        self.wake: Callable[[], None] | None = None
        """Called once, by whoever adds the next entry, and forgotten then."""

    @property
    def count(self) -> int:
        """How many entries fit (`com_log_count`)."""
        return self._entries.maxlen or 0

    @property
    def first(self) -> int:
        """Index of the oldest entry still there; equals `total` when there is none."""
        return self.total - len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def since(self, index: int, limit: int | None = None) -> tuple[int, list[LogEntry]]:
        """Entries from `index` on, oldest first, and the index of the first of them.

        An answer that starts later than `index` tells how many were overwritten in between.
        """
        start = max(index, self.first)
        skip = start - self.first
        count = len(self._entries)
        stop = count if limit is None else min(skip + limit, count)
        if skip <= count - stop:
            return start, [LogEntry(*entry) for entry in islice(self._entries, skip, stop)]
        # A deque is walked from an end: the newest entries are found from the other one.
        newest = islice(reversed(self._entries), count - stop, max(count - skip, 0))
        return start, [LogEntry(*entry) for entry in newest][::-1]

    def clear(self) -> None:
        """Forget everything (`log_reset`); indexes go on."""
        self._entries.clear()
        self.cleared = self.total
