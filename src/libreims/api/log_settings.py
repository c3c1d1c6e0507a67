"""The log configuration as `config_get` and `config_set` have it (manual §6.5, `logs`)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.log_options import LAYERS, LEVELS, LayerOptions, LogOptions
from libreims.config.declare import Invalid, Kind, Reader, Skip, from_json
from libreims.config.kinds import Boolean, Choice, Integer, Text
from libreims.config.source import Diagnosis

ALL = "all"
_LAYER: dict[str, Kind] = {
    "level": Choice(*LEVELS),
    "max_size": Integer(0),
    "key": Boolean(),
    "crypto": Boolean(),
    "payload": Boolean(),
    "verbose": Boolean(),
}
_SIZES: dict[str, tuple[str, Kind]] = {
    "rotate": ("rotate_size", Integer(0, 1 << 50)),
    "rotate_count": ("rotate_count", Integer(0, 1 << 50)),
    "path": ("path", Text(r"[^\0\r\n]*", "the name of a directory")),
}
_OF_OTHERS = frozenset(("bcch", "mib", "locked"))
"""Members that `config_get` shows, or shows in an eNB, and that cannot be set."""


def shown(log: Log) -> dict[str, Any]:
    """The member `logs` of `config_get`."""
    options = log.options
    logs: dict[str, Any] = {
        "layers": {name.upper(): _layer(name, layer) for name, layer in options.layers.items()},
        "count": log.ring.count,
    }
    if options.rotate_size:
        logs["rotate"] = options.rotate_size
    if options.rotate_count:
        logs["rotate_count"] = options.rotate_count
    if options.path:
        logs["path"] = options.path
    return logs


def _layer(name: str, options: LayerOptions) -> dict[str, Any]:
    members: dict[str, Any] = {
        "level": LEVELS[options.level],
        "max_size": options.max_size,
        "key": options.key,
        "crypto": options.crypto,
        "payload": options.payload,
    }
    if name == "ipsec" or options.verbose:
        members["verbose"] = options.verbose
    return members


def change(log: Log, logs: object, unknown: list[str]) -> LogOptions:
    """The options after a `config_set` with this `logs`; nothing has changed yet.

    Layers may stand in `layers` or, as older clients have it, directly in `logs`. Raises LibreImsError;
    the names of members that mean nothing here are added to `unknown`.
    """
    if not isinstance(logs, dict):
        raise LibreImsError(f"logs: object expected, not {logs!r:.80}")
    reading = _Reading(log.options.layers)
    inner = logs.get("layers", {})
    if not isinstance(inner, dict):
        reading.problems.append(f"logs.layers: object expected, not {inner!r:.80}")
        inner = {}
    older = {name: value for name, value in logs.items() if _layers(name) and isinstance(value, dict)}
    for name, value in (older | inner).items():
        reading.layer(name, value, unknown)
    others: dict[str, Any] = {}
    for name, value in logs.items():
        if name in _SIZES:
            field, kind = _SIZES[name]
            given = reading.value(f"logs.{name}", kind, value)
            if given is not None:
                others[field] = given
        elif name == "count":
            if value != log.ring.count:
                reading.problems.append(
                    "logs.count: cannot be changed while the program runs, com_log_count sets it"
                )
        elif name != "layers" and name not in older and name not in _OF_OTHERS:
            unknown.append(f"logs.{name}")
    if reading.problems:
        raise LibreImsError("; ".join(reading.problems[: Diagnosis.SHOWN]))
    return replace(log.options, layers=MappingProxyType(reading.layers), **others)


def _layers(name: str) -> tuple[str, ...]:
    """The layers that a name stands for; clients write them in capitals or not."""
    lower = name.lower()
    if lower == ALL:
        return LAYERS
    return (lower,) if lower in LAYERS else ()


class _Reading:
    """Layers with their changes, and what is wrong with these."""

    def __init__(self, layers: Any) -> None:
        self.layers: dict[str, LayerOptions] = dict(layers)
        self.problems: list[str] = []
        self._reader = Reader(Diagnosis(), "")

    def layer(self, name: str, value: object, unknown: list[str]) -> None:
        """Take over the options of one layer, or of `all`."""
        path = f"logs.layers.{name[:80]}"
        names = _layers(name)
        if not names:
            self.problems.append(f"{path}: unknown layer, all or one of {', '.join(LAYERS)} is expected")
            return
        if not isinstance(value, dict):
            self.problems.append(f"{path}: object expected, not {value!r:.80}")
            return
        options: dict[str, Any] = {}
        for option, given in value.items():
            kind = _LAYER.get(option)
            if kind is None:
                unknown.append(f"{path}.{option}")
                continue
            read = self.value(f"{path}.{option}", kind, given)
            if read is not None:
                options[option] = LEVELS.index(read) if option == "level" else read
        for each in names:
            self.layers[each] = replace(self.layers[each], **options)

    def value(self, path: str, kind: Kind, given: object) -> Any:
        """The typed value; None where it is wrong, which is noted."""
        try:
            return kind.read(from_json(given), self._reader, path)
        except (Invalid, Skip) as wrong:
            self.problems.append(f"{path}: {wrong}")
            return None
