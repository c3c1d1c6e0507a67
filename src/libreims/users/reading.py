"""Users and IMPUs that come as JSON at run time, read with the checks of the configuration file.

The same declarations (`config.schema_users`) say what is allowed, so a message can say what a file can.
Called by `users.admin`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from libreims.base.errors import LibreImsError
from libreims.config.declare import Invalid, Kind, Reader, Skip, declarations, from_json
from libreims.config.kinds import ListOf, Struct
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.config.source import Diagnosis
from libreims.config.tree import Obj, Value

_OLDER_MODIFIER = frozenset({"code", "method", "content", "content_type", "transparent"})
"""Properties that together are a callflow modifier, as older versions wrote it."""

WARNINGS: Final = 10
"""Lines in the log about one message; it may have any number of properties that mean nothing."""

SLICE: Final = 50
"""Users that are read in one go: about two milliseconds."""


class Reading:
    """Reads values; what is odd but allowed is told to `warn`."""

    def __init__(self, directory: str, warn: Callable[[str], None]) -> None:
        """`directory`: what file names are relative to."""
        self._directory = directory
        self._warn = warn

    def users(self, value: object) -> Iterator[list[UserSettings]]:
        """Entries as in `ue_db`, a slice at a time.

        Raises LibreImsError at the end, which names every entry that is wrong.
        """
        if not isinstance(value, list | tuple):
            raise LibreImsError("users: array of objects expected")
        kind = ListOf(Struct(UserSettings, what="user"))
        reader = Reader(Diagnosis(), self._directory)
        for first in range(0, len(value), SLICE):
            entries = _tree(value[first : first + SLICE], "users")
            yield [user for user, _ in kind.elements(entries, reader, "users", first)]
        self._conclude(reader, "users")

    def impu(self, value: object) -> ImpuSettings:
        """An IMPU, as a string or as an object. Raises LibreImsError."""
        settings: ImpuSettings = self._read(
            Struct(ImpuSettings, short="impu", what="IMPU object"), _tree(value, "impu"), "impu"
        )
        return settings

    def changed(self, before: ImpuSettings, changes: Mapping[str, object]) -> ImpuSettings:
        """The settings with some properties changed, the others as they are. Raises LibreImsError."""
        tree = Obj()
        for name, value in changes.items():
            tree.put(name, _tree(value, name), -1)
        for name, known in (("impu", before.impu), ("match", before.match)):
            if known and name not in tree:
                tree.put(name, known, -1)
        read = self._read(Struct(ImpuSettings), tree, "")
        fields = changed_fields(changes)
        return dataclasses.replace(before, **{field: getattr(read, field) for field in fields})

    def _read(self, kind: Kind, value: Value, path: str) -> Any:
        reader = Reader(Diagnosis(), self._directory)
        try:
            read = kind.read(value, reader, path)
        except (Invalid, Skip) as error:
            raise LibreImsError(f"{path}: {error}" if path else str(error)) from error
        self._conclude(reader, path)
        return read

    def _conclude(self, reader: Reader, path: str) -> None:
        """Raise what is wrong in all that has been read, say what is odd."""
        reader.flush()
        diagnosis = reader.diagnosis
        if diagnosis.errors:
            shown = diagnosis.errors[: Diagnosis.SHOWN]
            more = len(diagnosis.errors) - len(shown)
            rest = [f"and {more} more errors"] if more else []
            raise LibreImsError("; ".join([*map(str, shown), *rest]))
        source = f"remote API, {path or 'impu_set'}"
        for warning in diagnosis.warnings[:WARNINGS]:
            self._warn(f"{source}: {warning}")
        if len(diagnosis.warnings) > WARNINGS:
            self._warn(f"{source}: and {len(diagnosis.warnings) - WARNINGS} more warnings")


def changed_fields(changes: Mapping[str, object]) -> list[str]:
    """The fields of `ImpuSettings` that these properties change; unknown names change none."""
    table = declarations(ImpuSettings)
    names = ["callflow_modifier" if name in _OLDER_MODIFIER else name for name in changes]
    return list(dict.fromkeys(table[name].field for name in names if name in table))


def _tree(value: object, path: str) -> Value:
    try:
        return from_json(value)
    except TypeError as error:
        raise LibreImsError(f"{path}: {error}") from error
