"""The store in a file: SQLite in WAL mode, called directly, about 20 us a write.

`store.opening` makes it.  A write has reached the operating system when it returns: kill -9 loses nothing.
`synchronous = NORMAL` leaves it to the system when that goes to the disk, so a power cut may lose the last
seconds, never the file (https://www.sqlite.org/pragma.html#pragma_synchronous).  The file belongs to one
server at a time; the log of changes (`-wal`) is folded in when it has 1 MB and when the server ends.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from libreims.base.log import LayerLog
from libreims.store.format import check_sum
from libreims.store.port import Records, StoreError

WAL_PAGES = 250
"""Pages of 4 kB in the log of changes before they are folded in.

Media waits for that: 1.5 ms for this many, 4 to 17 ms for 1,000, at the same cost for each write.  Not in a
thread: that needs a second connection, and SQLite before 3.51.3 may spoil the file when one writes while the
other folds in (https://www.sqlite.org/wal.html#walresetbug).
"""
PAGE_OF_RECORDS = 500
"""Records that are read at once."""
TRY_EVERY = 10
"""Writes on a full disk between two attempts to fold the log of changes in."""
LOOK_EVERY = 50
"""Writes between two looks whether the file is still there."""

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

_PUT = (
    "INSERT INTO record (kind, key, value, sum) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, sum = excluded.sum"
)
_DELETE = "DELETE FROM record WHERE kind = ? AND key = ?"
_READ = (
    "SELECT number, key, value FROM record WHERE number > ? AND kind = ?"
    f" ORDER BY number LIMIT {PAGE_OF_RECORDS}"
)


class SqliteStore:
    """Satisfies `store.port.Store`."""

    def __init__(self, path: str, connection: sqlite3.Connection, log: LayerLog) -> None:
        self.path = path
        self._connection = connection
        self._log = log
        self._execute = connection.execute
        self._refused = 0
        self._writes = 0
        self._file = _identity(path)
        self._depth = 0
        self._spoilt: StoreError | None = None  # what failed in the transaction that is open
        self._transaction = _Transaction(self)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {2 * WAL_PAGES * 4096}")

    def records(self, kind: str) -> Records:
        """See `Store`."""
        return _SqliteRecords(self, kind)

    def transaction(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._transaction

    def close(self) -> None:
        """See `Store`; folds the log of changes in, so that one file is left."""
        try:
            self._connection.close()
        except sqlite3.Error as error:
            self._failed(error)

    # --- what records and transactions use

    def write(self, statement: str, values: tuple[object, ...] = ()) -> None:
        """Execute a statement that changes something. Raises StoreError."""
        self._run(statement, values)
        self._writes += 1
        if self._writes % LOOK_EVERY == 0:
            self._look()
        if self._refused and not self._depth:
            self._log.warn(
                f"{self.path} can be written again; what could not be kept meanwhile was refused "
                f"({self._refused} times)"
            )
            self._refused = 0

    def _look(self) -> None:
        """A file that was removed or replaced goes on taking writes, and is gone with the server."""
        if self._file is not None and _identity(self.path) != self._file:
            self._file = None
            self._log.error(
                f"{self.path} was removed, or another file put in its place, while the server runs: what is "
                "written now will be gone with the server. Start it again; phones have to register again"
            )

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> None:
        if self._spoilt is not None:
            raise self._spoilt
        try:
            self._execute(statement, values)
        except sqlite3.Error as error:
            if not self._depth and self._folded_in(error):
                try:
                    self._execute(statement, values)
                    return
                except sqlite3.Error as again:
                    error = again
            failure = self._failed(error)
            if self._depth:
                self._spoilt = failure
            raise failure from error

    def _folded_in(self, error: sqlite3.Error) -> bool:
        """On a disk that is full, whether the log of changes could be folded in: it has room again then."""
        if _code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or self._refused % TRY_EVERY:
            return False
        try:
            busy, pages, folded = self._execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return False
        return not busy and 0 < pages == folded

    def read(self, kind: str, after: int) -> list[tuple[int, str, str]]:
        """The next records of a kind. Raises StoreError."""
        try:
            return self._execute(_READ, (after, kind)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read: {error}; {_remedy(error)}") from error

    def begin(self) -> None:
        """Enter a transaction, or one more level of it. Raises StoreError."""
        if not self._depth:
            self._run("BEGIN IMMEDIATE")  # which succeeds on a full disk too
        self._depth += 1

    def end(self, *, keep: bool) -> None:
        """Leave a level; the outermost one keeps what was written or nothing of it. Raises StoreError.

        What failed inside, or on an inner level, spoils the whole even where somebody has caught it.
        """
        if self._depth > 1:
            self._depth -= 1
            if not keep and self._spoilt is None:
                self._spoilt = StoreError("A part of the transaction failed.")
            return
        spoilt, self._spoilt = self._spoilt, None
        self._depth = 0
        if not keep or spoilt is not None:
            self._roll_back()
            if keep and spoilt is not None:
                raise spoilt
            return
        try:
            self.write("COMMIT")
        except StoreError:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # SQLite has done so by itself after some errors (https://www.sqlite.org/lang_transaction.html §3).
        if self._connection.in_transaction:
            try:
                self._execute("ROLLBACK")
            except sqlite3.Error as error:
                self._failed(error)

    def _failed(self, error: sqlite3.Error) -> StoreError:
        """Log the first of a row of failures; later ones show at what they refuse."""
        why = f"{self.path} cannot be written: {error}; {_remedy(error)}"
        if not self._refused:
            self._log.error(
                f"{why}. Until it can be, registrations and messages that have to be kept are refused"
            )
        self._refused += 1
        return StoreError(why)


class _SqliteRecords:
    """Satisfies `store.port.Records`."""

    __slots__ = ("_kind", "_store", "_write")

    def __init__(self, store: SqliteStore, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._write = store.write

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """See `Records`."""
        text = _encode(value)
        self._write(_PUT, (self._kind, key, text, check_sum(self._kind, key, text)))

    def delete(self, key: str) -> None:
        """See `Records`."""
        self._write(_DELETE, (self._kind, key))

    def items(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """See `Records`."""
        last = 0
        while page := self._store.read(self._kind, last):
            for _, key, value in page:
                yield key, json.loads(value)
            last = page[-1][0]


class _Transaction:
    """One for all: the store counts the levels."""

    __slots__ = ("_store",)

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.end(keep=kind is None)


def _identity(path: str) -> tuple[int, int] | None:
    """Which file a name leads to; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 for what is no error of SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _remedy(error: sqlite3.Error) -> str:
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return "make room on its disk"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "the file was damaged while the server ran: end it and see docs/persistence.md"
    return "look at the disk and at who may write the file"
