"""`log_get`, `log_set`, `log_reset`: reading the log and writing to it (manual §6.5)."""

from __future__ import annotations

import math
from typing import Final

from libreims.api.client import Client
from libreims.api.log_feed import MAX_SIZE, Filter, LogFeed, LogRequest
from libreims.api.services import ApiServices
from libreims.api.table import Command, Deferred, Members, Parameter
from libreims.base.errors import LibreImsError
from libreims.base.log_options import LAYERS, LEVELS
from libreims.config.declare import Invalid, Kind, Reader
from libreims.config.kinds import Boolean, Choice, Integer, Number, Text
from libreims.config.tree import Obj, Value

LONGEST: Final = 1 << 16
"""Characters of an entry that a client adds."""
_WRITABLE: Final = LEVELS[1:]
_MANY: Final = 1 << 31
_NUMBER: Final = Integer(0, _MANY)
_TIMESTAMP: Final = Number(0)


class LayerLevels(Kind):
    """An object with a level for each log layer that it names."""

    name = "object"

    def range(self) -> str:
        """The levels."""
        return "a level for each layer: " + ", ".join(LEVELS)

    def read(self, value: Value, reader: Reader, path: str) -> dict[str, int]:
        """Level numbers by layer; clients name the layers of all products, so any name will do."""
        if not isinstance(value, Obj):
            raise Invalid("object expected, with a level for each layer")
        levels: dict[str, int] = {}
        for layer, level in value.items():
            if not isinstance(level, str) or level.lower() not in LEVELS:
                raise Invalid(f"the level of {layer[:40]} has to be one of {', '.join(LEVELS)}")
            levels[layer.lower()] = LEVELS.index(level.lower())
        return levels


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    logs = LogCommands(services)
    return (
        Command(
            "log_get",
            "Get log entries, waiting for them if need be.",
            logs.get,
            (
                Parameter("min", Integer(0, _MANY), "Entries to wait for, 1 by default."),
                Parameter("max", Integer(1, _MANY), "Most entries in the response, 4096 by default."),
                Parameter(
                    "timeout",
                    Number(0, 86400),
                    "Seconds without a new entry that end the waiting, 1 by default.",
                ),
                Parameter("allow_empty", Boolean(), "Answer after `timeout` even without any entry."),
                Parameter("rnti", _NUMBER, "Only entries with this RNTI; an IMS has none."),
                Parameter("ue_id", _NUMBER, "Only entries with this identifier."),
                Parameter("layers", LayerLevels(), "Highest level by layer; layers not named are left out."),
                Parameter("short", Boolean(), "Only the first line of each entry."),
                Parameter("headers", Boolean(), "The head of the log file too."),
                Parameter("start_timestamp", _TIMESTAMP, "No entry older than this, in milliseconds."),
                Parameter("end_timestamp", _TIMESTAMP, "No entry more recent than this, in milliseconds."),
                Parameter("max_size", Integer(1, _MANY), "Most octets of the response, 1048576 by default."),
            ),
            quiet=True,
        ),
        Command(
            "log_set",
            "Add a log entry; flush, rotate or cut the log file.",
            logs.set,
            (
                Parameter("log", Text(), "Text of the entry."),
                Parameter(
                    "layer", Choice(*LAYERS, also={each.upper(): each for each in LAYERS}), "Its layer."
                ),
                Parameter("level", Choice(*_WRITABLE), "Its level."),
                Parameter("dir", Choice("UL", "DL", "FROM", "TO", also={"-": "-"}), "Its direction."),
                Parameter("ue_id", _NUMBER, "Its identifier."),
                Parameter("flush", Boolean(), "Write to the file what is buffered."),
                Parameter("rotate", Boolean(), "Move the file aside and begin a new one."),
                Parameter("cut", Boolean(), "Begin the file anew."),
            ),
        ),
        Command("log_reset", "Forget the log entries in memory.", logs.reset),
    )


class LogCommands:
    """Handlers of these commands."""

    def __init__(self, services: ApiServices) -> None:
        self._log = services.log
        self._feed = LogFeed(services.log, services.clock, services.config)

    def get(
        self,
        client: Client,
        min: int = 1,
        max: int = 4096,
        timeout: float = 1.0,
        allow_empty: bool = False,
        rnti: int | None = None,
        ue_id: int | None = None,
        layers: dict[str, int] | None = None,
        short: bool = False,
        headers: bool = False,
        start_timestamp: float = -math.inf,
        end_timestamp: float = math.inf,
        max_size: int = MAX_SIZE,
    ) -> Deferred:
        """Entries that this client has not had yet."""
        # The log shows whole milliseconds: an entry is at the moment that is shown.
        wanted = Filter(layers, ue_id, rnti, start_timestamp / 1000, (end_timestamp + 1) / 1000)
        request = LogRequest(
            self._feed,
            client,
            wanted,
            min=min,
            max=max,
            timeout=timeout,
            allow_empty=allow_empty,
            short=short,
            headers=headers,
            max_size=max_size,
        )
        request.start()
        return request.deferred

    def set(
        self,
        client: Client,
        log: str | None = None,
        layer: str | None = None,
        level: str | None = None,
        dir: str = "-",
        ue_id: int | None = None,
        flush: bool = False,
        rotate: bool = False,
        cut: bool = False,
    ) -> Members:
        """Write an entry, then do to the file what was asked."""
        if (rotate or cut) and not self._log.has_file:
            raise LibreImsError(
                f"{'rotate' if rotate else 'cut'}: there is no log file, log_filename is not set"
            )
        if log is not None:
            if layer is None or level is None:
                missing = "layer" if layer is None else "level"
                raise LibreImsError(f"{missing}: string expected because log is set")
            if len(log) > LONGEST:
                raise LibreImsError(f"log: {len(log)} characters, {LONGEST} are the most")
            first, _, more = log.partition("\n")
            self._log.layer(layer).write(LEVELS.index(level), first, dir=dir, id=ue_id, more=more)
        if rotate:
            self._log.rotate()
        if cut:
            self._log.cut()
        if flush:
            self._log.flush()
        return {}

    def reset(self, client: Client) -> Members:
        """Begin with an empty memory of the log; its file stays as it is."""
        self._log.ring.clear()
        return {}
