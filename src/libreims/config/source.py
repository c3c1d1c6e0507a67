"""Where a configuration value came from, and what is wrong with it.

Every value of a tree carries a mark: one integer, file number and offset together, because 10,000
users have 200,000 values.  A mark becomes file, line and column only when a message is written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from libreims.base.errors import LibreImsError

_OFFSET_BITS = 40
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1


class Place(NamedTuple):
    """A position in a configuration file; line and column count from 1."""

    path: str
    line: int
    column: int


class Sources:
    """The files that a configuration was read from."""

    def __init__(self) -> None:
        self._files: list[tuple[str, str]] = []
        self._lines: dict[int, list[int]] = {}

    def add(self, path: str, text: str) -> int:
        """Remember a file; returns the mark of its first character."""
        self._files.append((path, text))
        return (len(self._files) - 1) << _OFFSET_BITS

    def where(self, mark: int) -> Place | None:
        """The file, line and column of a mark; None for a negative one (a value of no file)."""
        if mark < 0:
            return None
        number = mark >> _OFFSET_BITS
        path, text = self._files[number]
        starts = self._lines.get(number)
        if starts is None:
            starts = [0]
            at = text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = text.find("\n", at + 1)
            self._lines[number] = starts
        offset = mark & _OFFSET_MASK
        line = bisect_right(starts, offset)
        return Place(path, line, offset - starts[line - 1] + 1)


@dataclass(frozen=True, slots=True)
class ConfigError:
    """Something that stops the start: what is wrong, where, and what was expected."""

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        if self.place is None:
            return self.message
        return f"{self.place.path}:{self.place.line}:{self.place.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Something that the operator should know; the start goes on."""

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        """For example `/etc/ims.cfg:10: unused property 'name'`; the console puts `Warning: ` before it."""
        if self.place is None:
            return self.message
        return f"{self.place.path}:{self.place.line}: {self.message}"


class ConfigErrors(LibreImsError):
    """Everything that is wrong with a configuration, one line each, and the warnings met before."""

    def __init__(self, errors: Iterable[ConfigError], warnings: Iterable[ConfigWarning] = ()) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.errors)))


class Diagnosis:
    """Collects errors and warnings while the files are read."""

    SHOWN = 100
    """Errors that are raised at most: a wrong template makes one for each of 10,000 users."""

    def __init__(self) -> None:
        self.sources = Sources()
        self.errors: list[ConfigError] = []
        self.warnings: list[ConfigWarning] = []

    def error(self, mark: int | None, message: str) -> None:
        """Note an error at a mark."""
        self.errors.append(ConfigError(message, None if mark is None else self.sources.where(mark)))

    def warn(self, mark: int | None, message: str) -> None:
        """Note a warning at a mark."""
        self.warnings.append(ConfigWarning(message, None if mark is None else self.sources.where(mark)))

    def check(self) -> None:
        """Raise what has been collected; of very many errors the first ones."""
        more = len(self.errors) - self.SHOWN
        if more > 0:
            self.errors[self.SHOWN :] = [ConfigError(f"and {more} more errors")]
        if self.errors:
            raise ConfigErrors(self.errors, self.warnings)
