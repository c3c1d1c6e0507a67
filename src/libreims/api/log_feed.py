"""`log_get`: log entries to clients that wait for them (manual §6.5).

A request is a small state machine: it gathers entries until there are `min` of them, or none comes for
`timeout` seconds, or `max` or `max_size` is reached; the next request of the same client ends it at once.
The log wakes the feed with the first new entry, the feed looks a moment later at all that have come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from libreims.api.client import Client, Frame
from libreims.api.table import Deferred, Members
from libreims.api.wire import Prepared, encoded
from libreims.base.clock import Cancellable, Clock
from libreims.base.log import Log
from libreims.base.log_options import LEVELS
from libreims.base.log_ring import LogEntry
from libreims.config.store import ConfigStore

GATHER: Final = 0.02
"""Seconds from the first new entry to the look at all of them."""
SCAN: Final = 512
"""Entries that are looked at in one go."""
TURN: Final = 0.002
"""Seconds of looking before everybody else has a turn: with many clients media must not wait for the last."""
PREPARED: Final = 1024
"""Entries whose form for responses is kept, because several clients mostly read the same ones."""
MAX_SIZE: Final = 1 << 20
LARGEST: Final = 4 << 20
"""Most octets of one response, whatever `max_size` says: what is sent has to be in memory."""
HEAD_SIZE: Final = 512
"""Octets of a response beside its entries, rounded up."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries a request wants."""

    levels: Mapping[str, int] | None = None
    """Highest level by layer; None for everything."""
    ue_id: int | None = None
    rnti: int | None = None
    """No entry of an IMS has one."""
    start: float = -math.inf
    end: float = math.inf
    """UTC seconds; the end does not belong to it."""

    def wants(self, entry: LogEntry) -> bool:
        """Whether an entry is asked for; `end` is looked at elsewhere."""
        if self.levels is not None and entry.level > self.levels.get(entry.layer, 0):
            return False
        if self.ue_id is not None and entry.id != self.ue_id:
            return False
        return self.rnti is None and entry.time >= self.start


class LogFeed:
    """The requests that wait, and what they share."""

    def __init__(self, log: Log, clock: Clock, config: ConfigStore) -> None:
        self.log = log
        self.clock = clock
        self._config = config
        self._waiting: dict[LogRequest, None] = {}
        self._due: list[LogRequest] = []
        """Those of them that have not looked yet since the log woke the feed."""
        self._again = False
        """One of them has not read everything in the last round."""
        self._timer: Cancellable | None = None
        self._prepared: dict[int, str] = {}
        self._form: tuple[str, bool] = ("", False)

    def wait(self, request: LogRequest) -> None:
        """Look again when there are new entries."""
        self._waiting[request] = None
        if self._timer is None:
            self.log.ring.wake = self._woken

    def leave(self, request: LogRequest) -> None:
        """It does not wait any more."""
        self._waiting.pop(request, None)
        if not self._waiting and self._timer is None:
            self.log.ring.wake = None

    def look_again(self) -> None:
        """There is more than one look takes in."""
        self._again = True
        self._serve_soon()

    def _serve_soon(self) -> None:
        if self._timer is None:
            self._timer = self.clock.call_later(0, self._serve)

    def _woken(self) -> None:
        if self._timer is None:
            self._timer = self.clock.call_later(GATHER, self._serve)

    def _serve(self) -> None:
        self._timer = None
        if not self._due:
            self._due = list(reversed(self._waiting))
            self._again = False
        end = self.clock.time() + TURN
        while self._due:
            request = self._due.pop()
            if request in self._waiting:
                request.look()
            if self.clock.time() > end:
                break
        if self._due or self._again:
            self._serve_soon()
        elif self._waiting:
            self.log.ring.wake = self._woken

    @property
    def microseconds(self) -> bool:
        """`com_log_us`."""
        return self._config.current.com_log_us

    def prepare(self, index: int, entry: LogEntry, *, short: bool = False) -> str:
        """An entry as responses have it, as JSON text; of a short one only the first line."""
        settings = self._config.current
        form = (settings.com_name, settings.com_log_us)
        if form != self._form:
            self._form = form
            self._prepared.clear()
        if short:
            return encoded(_frame(index, entry, *form, lines=[entry.message]))
        made = self._prepared.get(index)
        if made is None:
            made = encoded(_frame(index, entry, *form, lines=entry.lines))
            while len(self._prepared) >= PREPARED:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[index] = made
        return made


class LogRequest:
    """One `log_get`."""

    __slots__ = (
        "_all_read",
        "_client",
        "_entries",
        "_feed",
        "_filter",
        "_full",
        "_headers",
        "_idle_from",
        "_lost",
        "_max",
        "_max_size",
        "_min",
        "_short",
        "_size",
        "_timeout",
        "_timer",
        "_when_empty",
        "deferred",
    )

    def __init__(
        self,
        feed: LogFeed,
        client: Client,
        wanted: Filter,
        *,
        min: int,
        max: int,
        timeout: float,
        allow_empty: bool,
        short: bool,
        headers: bool,
        max_size: int,
    ) -> None:
        self._feed = feed
        self._client = client
        self._filter = wanted
        self._max = max
        self._min = min if min < max else max
        self._timeout = timeout
        self._when_empty = allow_empty
        self._short = short
        self._headers = headers
        self._max_size = (max_size if max_size < LARGEST else LARGEST) - HEAD_SIZE
        self._entries = Prepared()
        self._size = 0
        self._full = False
        self._all_read = False
        self._lost = 0
        self._idle_from = feed.clock.time()
        self._timer: Cancellable | None = None
        self.deferred = Deferred(self._stop)

    def start(self) -> None:
        """Answer the request before, then look what is there."""
        client = self._client
        if client.log_waiting is not None:
            client.log_waiting()
        client.log_waiting = self.finish
        self._feed.wait(self)
        self._arm()
        self.look()

    def look(self) -> None:
        """Take in new entries, and answer when there are enough."""
        if self._take():
            self._idle_from = self._feed.clock.time()
            self._arm()
        if self._full or (self._all_read and len(self._entries) >= self._min):
            self.finish()

    def finish(self) -> None:
        """Answer with what there is."""
        self._stop()
        members: Members = {"logs": self._entries}
        if self._headers:
            members["headers"] = self._feed.log.head
        if self._lost:
            members["discontinuity"] = self._lost
        if self._feed.microseconds:
            members["microseconds"] = True
        self.deferred.complete(members)

    def _take(self) -> bool:
        """Read on from where the client is; returns whether anything was wanted."""
        ring, client = self._feed.log.ring, self._client
        if client.log_position < 0:
            client.log_position = ring.first
        start, entries = ring.since(client.log_position, SCAN)
        self._lost += max(start - max(client.log_position, ring.cleared), 0)
        before = len(self._entries)
        position = start
        for entry in entries:
            if entry.time >= self._filter.end:
                self._full = True  # all that can come is later still
                break
            if self._filter.wants(entry) and not self._add(position, entry):
                break
            position += 1
            if self._full:
                break
        client.log_position = position
        self._all_read = position >= ring.total
        if not self._full and not self._all_read:
            self._feed.look_again()
        return len(self._entries) > before

    def _add(self, index: int, entry: LogEntry) -> bool:
        """Add an entry; False where it has no room. A single one always has."""
        text = self._feed.prepare(index, entry, short=self._short)
        size = len(text) + 1
        if self._entries and self._size + size > self._max_size:
            self._full = True
            return False
        self._entries.texts.append(text)
        self._size += size
        self._full = len(self._entries) >= self._max or self._size >= self._max_size
        return True

    def _arm(self) -> None:
        if self._timer is None and (self._entries or self._when_empty):
            wait = self._idle_from + self._timeout - self._feed.clock.time()
            self._timer = self._feed.clock.call_later(max(wait, 0.0), self._idle)

    def _idle(self) -> None:
        """The time of silence may be over; entries that came since it began have moved its end."""
        self._timer = None
        if not self._all_read or self._idle_from + self._timeout - self._feed.clock.time() > 1e-3:
            self._arm()
        else:
            self.finish()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._feed.leave(self)
        if self._client.log_waiting == self.finish:
            self._client.log_waiting = None


def _frame(index: int, entry: LogEntry, source: str, microseconds: bool, *, lines: list[str]) -> Frame:
    frame: dict[str, Any] = {"data": lines}
    if microseconds:
        frame["timestamp_us"] = int(entry.time * 1_000_000)
    else:
        frame["timestamp"] = int(entry.time * 1000)
    frame["layer"] = entry.layer.upper()
    frame["level"] = LEVELS[entry.level]
    if entry.direction != "-":
        frame["dir"] = entry.direction
    if isinstance(entry.id, int):
        frame["ue_id"] = entry.id
    frame["src"] = source
    frame["idx"] = index
    return frame
