"""The file of `store.sqlite`: how it is recognised, what is in it, and how an older one is brought up to
date.

An SQLite database (https://www.sqlite.org/fileformat2.html) with an `application_id` of our own and the
version of the format in `user_version`.  Each record carries a check sum: SQLite finds damage in its own
structure, not in the values.  Used by `store.opening` and `store.sqlite`.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence

MAGIC = b"SQLite format 3\0"
APPLICATION_ID = 0x4C494D53
"""`LIMS`."""
HEADER_LENGTH = 100

Migration = Callable[[sqlite3.Connection], None]


def _create(connection: sqlite3.Connection) -> None:
    """Version 1: one table for all kinds; `number` keeps the order of first writing."""
    connection.execute(
        "CREATE TABLE record (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,"
        " value TEXT NOT NULL, sum INTEGER NOT NULL, UNIQUE (kind, key))"
    )


MIGRATIONS: tuple[Migration, ...] = (_create,)
"""The one at index n makes version n + 1 of version n; an empty database is version 0.  Only ever add."""


def application_id(header: bytes) -> int:
    """Whose database it is (offset 68 of the header)."""
    return int.from_bytes(header[68:72], "big")


def version(header: bytes) -> int:
    """`user_version` (offset 60)."""
    return int.from_bytes(header[60:64], "big")


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring a database up to date, wholly or not at all; returns the version that it had."""
    had: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if had < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in migrations[had:]:
                step(connection)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        # The header in the file itself has to name the version: that is what the next start looks at.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return had


def check_sum(kind: str, key: str, value: str) -> int:
    """What is written beside a record to find damage."""
    return zlib.crc32(f"{kind}\0{key}\0{value}".encode())


def damage(connection: sqlite3.Connection) -> str:
    """What is wrong with a database of ours; empty when nothing is. Raises sqlite3.DatabaseError."""
    ((found,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if found != "ok":
        return str(found).strip().splitlines()[-1]
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        return ""
    for number, *record, expected in connection.execute("SELECT number, kind, key, value, sum FROM record"):
        if not all(isinstance(each, str) for each in record) or check_sum(*record) != expected:
            return f"the check sum of record {number} is wrong"
    return ""
