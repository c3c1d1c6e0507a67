"""`log_options`: the comma separated assignments of the manual, section 5.2, as an immutable value.

The same text is accepted from the configuration, from the monitor (`log ...`) and by `Log.configure`.
Options are applied from left to right on top of those in force, all of them or, on any error, none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from libreims.base.errors import LibreImsError

LAYERS = ("ims", "sip", "media", "rx", "cx", "n5", "sgsap", "ipsec", "com", "mms")
"""Every log layer, in the manual's order."""

NONE, ERROR, WARN, INFO, DEBUG = range(5)
LEVELS = ("none", "error", "warn", "info", "debug")
"""Names of the levels; a level's number is its position."""

TIME_FORMATS = ("sec", "short", "full")
DEFAULT_MAX_SIZE = 32

_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_COUNT_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_LAYER_FLAGS = ("payload", "key", "crypto", "verbose")


class LogOptionsError(LibreImsError):
    """One or more options are wrong; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LayerOptions:
    """What one layer logs.

    `max_size` is the number of octets of binary data shown in hexadecimal; text such as SIP is shown whole
    unless it is 0.  `key` allows key material in the log, `payload`, `crypto` and `verbose` add detail.
    """

    level: int = WARN
    max_size: int = DEFAULT_MAX_SIZE
    payload: bool = False
    key: bool = False
    crypto: bool = False
    verbose: bool = False


def _default_layers() -> Mapping[str, LayerOptions]:
    return MappingProxyType(dict.fromkeys(LAYERS, LayerOptions()))


@dataclass(frozen=True, slots=True)
class LogOptions:
    """All options in force; `rotate_size` in octets and `rotate_count` in entries, 0 for never."""

    layers: Mapping[str, LayerOptions] = field(default_factory=_default_layers)
    time: str = "short"
    time_us: bool = False
    rotate_size: int = 0
    rotate_count: int = 0
    path: str = ""
    append: bool = False

    def __str__(self) -> str:
        """The options as text that `parse` reads back."""
        parts = []
        for name, layer in self.layers.items():
            parts.append(f"{name}.level={LEVELS[layer.level]}")
            parts.append(f"{name}.max_size={layer.max_size}")
            parts.extend(f"{name}.{flag}=1" for flag in _LAYER_FLAGS if getattr(layer, flag))
        parts.append(f"time={self.time}")
        if self.time_us:
            parts.append("time.us=1")
        if self.rotate_size:
            parts.append(f"file.rotate={self.rotate_size}")
        if self.rotate_count:
            parts.append(f"file.rotate=#{self.rotate_count}")
        if self.path:
            parts.append(f"file.path={self.path}")
        if self.append:
            parts.append("append=1")
        return ",".join(parts)


@dataclass(frozen=True, slots=True)
class LogChange:
    """The outcome of parsing: the new options, and what is to be done once (`cut`, `rotate`)."""

    options: LogOptions
    cut: bool = False
    rotate: bool = False


def parse(text: str, base: LogOptions | None = None) -> LogChange:
    """Read `text` on top of `base` (the defaults without one); raises `LogOptionsError` with every fault."""
    parser = _Parser(base or LogOptions())
    for part in text.split(","):
        if part.strip():
            parser.assign(part.strip())
    return parser.finish()


class _Parser:
    """Collects the assignments of one text and the faults found in it."""

    def __init__(self, base: LogOptions) -> None:
        self.base = base
        self.layers = dict(base.layers)
        self.changes: dict[str, object] = {}
        self.cut = False
        self.rotate = False
        self.problems: list[str] = []

    def finish(self) -> LogChange:
        if self.problems:
            raise LogOptionsError(self.problems)
        options = replace(self.base, layers=MappingProxyType(self.layers), **self.changes)  # type: ignore[arg-type]
        return LogChange(options, self.cut, self.rotate)

    def assign(self, part: str) -> None:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            self.problems.append(f"log option '{part}': expected name=value")
            return
        match name.lower():
            case "time":
                if value.lower() in TIME_FORMATS:
                    self.changes["time"] = value.lower()
                else:
                    self._wrong(name, value, "sec, short or full")
            case "time.us":
                self._flag(name, value, "time_us")
            case "append":
                self._flag(name, value, "append")
            case "file":
                self.cut = self.cut or value == "cut"
                if value != "cut":
                    self._wrong(name, value, "cut")
            case "file.rotate":
                self._rotate(name, value)
            case "file.path":
                self.changes["path"] = value
            case lower:
                self._layer(lower, value)

    def _wrong(self, name: str, value: str, expected: str) -> None:
        self.problems.append(f"log option '{name}': value '{value}' is wrong, expected {expected}")

    def _flag(self, name: str, value: str, target: str) -> None:
        flag = self._boolean(name, value)
        if flag is not None:
            self.changes[target] = flag

    def _boolean(self, name: str, value: str) -> bool | None:
        if value in ("0", "1"):
            return value == "1"
        self._wrong(name, value, "0 or 1")
        return None

    def _rotate(self, name: str, value: str) -> None:
        if value == "now":
            self.rotate = True
            return
        units = _COUNT_UNITS if value.startswith("#") else _SIZE_UNITS
        target = "rotate_count" if value.startswith("#") else "rotate_size"
        digits = value.removeprefix("#")
        unit = digits[-1:].upper() if digits[-1:].isalpha() else ""
        number = digits[: len(digits) - len(unit)]
        if unit in units and number.isascii() and number.isdigit():
            self.changes[target] = int(number) * units[unit]
        else:
            self._wrong(name, value, "now, a size such as 250M or a number of entries such as #100K")

    def _layer(self, name: str, value: str) -> None:
        layer, _, option = name.rpartition(".")
        names: tuple[str, ...]
        if layer == "all":
            names = LAYERS
        elif layer in LAYERS:
            names = (layer,)
        elif not layer:
            known = (
                "LAYER.level, LAYER.max_size, time, time.us, file, file.rotate, file.path, append and others"
            )
            self.problems.append(
                f"log option '{name}' with value '{value}': unknown option, expected {known}"
            )
            return
        else:
            known = ", ".join(LAYERS)
            self.problems.append(
                f"log option '{name}' with value '{value}': unknown layer '{layer}', "
                f"expected all or one of {known}"
            )
            return
        parsed = self._layer_value(name, option, value)
        if parsed is not None:
            for each in names:
                self.layers[each] = replace(self.layers[each], **{option: parsed})  # type: ignore[arg-type]

    def _layer_value(self, name: str, option: str, value: str) -> int | bool | None:
        if option == "level":
            if value.lower() in LEVELS:
                return LEVELS.index(value.lower())
            self._wrong(name, value, "none, error, warn, info or debug")
        elif option == "max_size":
            if value.isascii() and value.isdigit():
                return int(value)
            self._wrong(name, value, "a number of bytes, 0 or more")
        elif option in _LAYER_FLAGS:
            return self._boolean(name, value)
        else:
            self.problems.append(
                f"log option '{name}' with value '{value}': unknown option of a layer, "
                f"expected level, max_size, {', '.join(_LAYER_FLAGS)}"
            )
        return None
