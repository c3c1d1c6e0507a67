"""How a property is declared: once, with its type, default, range, documentation and state.

The declaration gives the parsing, the error messages, the run-time rights and the documentation.
A section of the configuration is a frozen dataclass whose fields are made by `prop`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from libreims.config.source import Diagnosis
from libreims.config.tree import Arr, Obj, Value


class State(StrEnum):
    """What the program does with a property."""

    WORKS = "works"
    LATER = "not implemented yet"
    IGNORED = "accepted, no effect"


WORKS, LATER, IGNORED = State.WORKS, State.LATER, State.IGNORED


class Invalid(Exception):
    """The value does not suit the property; the text says what was expected."""


class Skip(Exception):
    """The value is left out with a warning, which is the text."""


class Kind:
    """A type of value: how it is read and how the documentation calls it."""

    name: str = "any"
    nested: bool = False
    """Reads values inside its value, so that it needs to know its path."""
    null: bool = False
    """`null` is a value of its own, whatever the default is."""

    def read(self, value: Value, reader: Reader, path: str) -> Any:
        """The typed value; raises Invalid, or Skip inside a list."""
        raise NotImplementedError

    def range(self) -> str:
        """The values allowed, in words; "" when any."""
        return ""


@dataclass(frozen=True, slots=True)
class Prop:
    """The declaration of one property."""

    field: str
    """Name of the dataclass field."""
    name: str
    """Name in the configuration file."""
    kind: Kind
    doc: str
    default: Any
    state: State
    runtime: bool
    secret: bool
    aliases: tuple[str, ...]


T = TypeVar("T")


def prop(
    default: T,
    kind: Kind,
    doc: str,
    *,
    state: State = WORKS,
    runtime: bool = False,
    secret: bool = False,
    name: str = "",
    aliases: tuple[str, ...] = (),
) -> T:
    """A field of a configuration section.

    `runtime`: may change while the program runs.  `secret`: never shown.  `name`: the name in the file
    where Python cannot spell it.  `aliases`: names of older versions.
    """
    metadata = {"kind": kind, "doc": doc, "state": state, "runtime": runtime, "secret": secret}
    metadata |= {"name": name, "aliases": aliases}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


class Section(Protocol):
    """What every configuration section is: a dataclass of `prop` fields, and three habits."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


S = TypeVar("S", bound=Section)


class Checks:
    """Base of the sections; each may override what follows."""

    __slots__ = ()

    SILENT: ClassVar[frozenset[str]] = frozenset()
    """Names that belong to another program and pass without a warning."""
    ESSENTIAL: ClassVar[str] = ""
    """The property without which the section makes no sense: it is left out when that one is."""

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """Check and complete what needs several properties; `complain(name, message)` notes an error.

        `values` has the properties that were set, by field name, and may be changed.
        """


def declarations(section: type[Any]) -> dict[str, Prop]:
    """The properties of a section by their names in the file, aliases included."""
    known = _DECLARATIONS.get(section)
    if known is not None:
        return known
    table: dict[str, Prop] = {}
    for field in dataclasses.fields(section):
        meta = field.metadata
        made = Prop(
            field.name,
            meta["name"] or field.name,
            meta["kind"],
            meta["doc"],
            field.default,
            meta["state"],
            meta["runtime"],
            meta["secret"],
            meta["aliases"],
        )
        for name in (made.name, *made.aliases):
            table[name] = made
    _DECLARATIONS[section] = table
    return table


_DECLARATIONS: dict[type[Any], dict[str, Prop]] = {}


class Reader:
    """Turns trees into sections; notes everything that is wrong with path, file, line and column."""

    UNUSED_SHOWN = 20
    """Warnings about one unused name before they are only counted."""

    def __init__(self, diagnosis: Diagnosis, directory: str) -> None:
        self.diagnosis = diagnosis
        self.directory = directory
        """What relative file names are relative to."""
        self._later: dict[tuple[type[Any], str], tuple[int, int, State]] = {}
        self._unused: dict[tuple[type[Any], str], list[int]] = {}
        self._quiet = 0

    def error(self, mark: int, path: str, message: str) -> None:
        """Note an error about the property at `path`."""
        self.diagnosis.error(mark, f"{path}: {message}")

    def section(self, cls: type[S], tree: Obj, path: str) -> S:
        """Read an object into a section; properties that are wrong are noted and left at their default."""
        table = declarations(cls)
        marks = tree.marks
        errors_before = len(self.diagnosis.errors)
        values: dict[str, Any] = {}
        for name, value in tree.items():
            declared = table.get(name)
            if declared is None:
                self._unknown(cls, name, marks[name])
                continue
            if declared.state is not WORKS:
                self._note(cls, name, marks[name], declared.state)
            kind = declared.kind
            try:
                if value is None:
                    if kind.null:
                        values[declared.field] = None
                    elif declared.default is not None:
                        raise Invalid(f"{kind.name} expected, not null")
                elif kind.nested:
                    self._quiet += declared.state is not WORKS
                    try:
                        values[declared.field] = kind.read(value, self, join(path, name))
                    finally:
                        self._quiet -= declared.state is not WORKS
                else:
                    values[declared.field] = kind.read(value, self, path)
            except Invalid as invalid:
                self.error(marks[name], join(path, name), str(invalid))
            except Skip as skip:
                if name == getattr(cls, "ESSENTIAL", ""):
                    raise
                self.diagnosis.warn(marks[name], str(skip))

        def complain(name: str, message: str) -> None:
            if name in marks:
                self.error(marks[name], join(path, name), message)
            else:
                first = min(marks.values(), default=-1)
                self.error(first, join(path, name), message)

        if issubclass(cls, Checks) and len(self.diagnosis.errors) == errors_before:
            # Otherwise a property that is wrong would be reported as missing too.
            cls.finish(values, complain)
        return cls(**values)

    def _unknown(self, cls: type[Any], name: str, mark: int) -> None:
        if not self._quiet and name not in getattr(cls, "SILENT", ()):
            self._unused.setdefault((cls, name), []).append(mark)

    def _note(self, cls: type[Any], name: str, mark: int, state: State) -> None:
        if not self._quiet:
            first, count, _ = self._later.get((cls, name), (mark, 0, state))
            self._later[cls, name] = (first, count + 1, state)

    def flush(self) -> None:
        """Write the warnings that were gathered, so that 10,000 users do not give 10,000 lines."""
        for (_, name), (mark, count, state) in self._later.items():
            more = f" ({count} times)" if count > 1 else ""
            self.diagnosis.warn(mark, f"property '{name}': {state}{more}")
        for (cls, name), marks in self._unused.items():
            similar = difflib.get_close_matches(name, declarations(cls), n=1, cutoff=0.8)
            meant = f", is '{similar[0]}' meant?" if similar else ""
            for mark in marks[: self.UNUSED_SHOWN]:
                self.diagnosis.warn(mark, f"unused property '{name}'{meant}")
            if len(marks) > self.UNUSED_SHOWN:
                self.diagnosis.warn(
                    marks[self.UNUSED_SHOWN], f"unused property '{name}'{meant} ({len(marks)} times in all)"
                )
        self._later.clear()
        self._unused.clear()


def join(path: str, name: str) -> str:
    """The path of a property inside the section at `path`."""
    return f"{path}.{name}" if path else name


def from_json(value: object) -> Value:
    """A tree from what a JSON decoder gives (run-time changes); it has no place in a file."""
    if isinstance(value, dict):
        tree = Obj()
        for key, member in value.items():
            tree.put(str(key), from_json(member), -1)
        return tree
    if isinstance(value, list | tuple):
        array = Arr()
        for member in value:
            array.put(from_json(member), -1)
        return array
    if value is None or isinstance(value, bool | int | float | complex | str):
        return value
    raise TypeError(f"{type(value).__name__} is not a configuration value")
