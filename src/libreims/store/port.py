"""What outlives the process: records by kind and key, behind a port so that procedures know no database.

Whoever owns state (`users.bindings`, `hss.builtin`, `registrar.reg_event`, `sms.centre`) writes it through
`Records` at the moment it accepts something, before the answer leaves, and reads it back once at the start.
Values are mappings of JSON types (octets as hexadecimal text, moments as UTC seconds).  Adapters:
`store.sqlite` (a file, `ue_db_filename`) and `NoStore` (nothing is kept).

Who writes does so before it changes anything of its own: a `StoreError` then leaves all as it was, and what
was asked for is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from libreims.base.errors import LibreImsError


class StoreError(LibreImsError):
    """Something could not be written (disk full): what was to be kept must not be accepted.

    The store has said so in the log, once for any number of these in a row; the text names the file, the
    reason and what to do.
    """


class Records(Protocol):
    """The records of one kind."""

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Write a record, in place of the one with this key; it survives kill -9 once this returns.

        Raises StoreError.
        """

    def delete(self, key: str) -> None:
        """Remove a record; harmless where there is none. Raises StoreError."""

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All records, in the order of their first writing; any of them may be changed meanwhile.

        Raises StoreError.
        """


class Store(Protocol):
    """All kinds of records."""

    def records(self, kind: str) -> Records:
        """The records of a kind: `binding`, `subscription`, `sqn`, `sms`, `sms_seen`."""

    def transaction(self) -> AbstractContextManager[object]:
        """Writes inside are kept together or not at all, and cost little more than one.

        One inside another joins it.  Raises StoreError at its end too, and then nothing was kept.
        """

    def close(self) -> None:
        """Nothing is written any more."""


class NoRecords:
    """Forgets what it is given."""

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """See `Records`."""

    def delete(self, key: str) -> None:
        """See `Records`."""

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """See `Records`."""
        return iter(())


class NoStore:
    """The store where `ue_db_filename` is not set: everything lives in memory, with its owner."""

    def records(self, kind: str) -> Records:
        """See `Store`."""
        return NoRecords()

    def transaction(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return nullcontext()

    def close(self) -> None:
        """See `Store`."""
