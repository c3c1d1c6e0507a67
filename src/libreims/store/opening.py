"""Open the file of `ue_db_filename`, or say why it cannot be used: a file that is not ours, or not whole, is
kept octet for octet.

`libreims.run` calls `open_store` before the server starts.  SQLite gets to see a file only once its header
has shown that it is ours, because merely opening a database may change it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Sequence
from urllib.parse import quote

from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.store import format as file_format
from libreims.store.format import APPLICATION_ID, HEADER_LENGTH, MAGIC, MIGRATIONS, Migration
from libreims.store.sqlite import SqliteStore

MODE = 0o600
"""Of a new file: who is registered where is nobody else's business."""
_KEPT = "it was left as it is"


def open_store(path: str, log: LayerLog, migrations: Sequence[Migration] = MIGRATIONS) -> SqliteStore:
    """The store in this file, which is made when it is missing.

    Raises LibreImsError with the name of the file, what is wrong and what to do.
    """
    path = os.path.realpath(path)
    try:
        if not os.path.lexists(path):
            _create(path, migrations)
        _look_at(path, len(migrations))
        return _open(path, log, migrations)
    except OSError as error:
        raise _problem(path, error.strerror or str(error), _remedy(error)) from error
    except sqlite3.Error as error:
        raise _refusal(path, error) from error


def _problem(path: str, what: str, remedy: str) -> LibreImsError:
    return LibreImsError(f"ue_db_filename {path}: {what}; {remedy}")


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "make its directory, or correct ue_db_filename"
    if isinstance(error, PermissionError):
        return "let the user that runs the server read and write the file and its directory"
    return "mend that, or let ue_db_filename name another file"


def _refusal(path: str, error: sqlite3.Error) -> LibreImsError:
    """What SQLite said, in the words of who runs the server."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _problem(
            path,
            "another program has it open, another server perhaps",
            "end that one, or give each its own file",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or not code:
        return _damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return _problem(path, f"it cannot be written ({error})", "make room on its disk")
    return _problem(path, f"it cannot be used ({error})", "are the file and its directory writable?")


def _damaged(path: str, what: str) -> LibreImsError:
    return _problem(
        path,
        f"the file is damaged ({what}) and {_KEPT}",
        "move it and the -wal beside it, if any, away: to begin anew, or to put an earlier copy there",
    )


def _create(path: str, migrations: Sequence[Migration]) -> None:
    """Make an empty store under another name first: the file is whole or not there at all."""
    directory, wal = os.path.dirname(path), f"{path}-wal"
    if os.path.lexists(wal):
        # SQLite would take what it holds for changes of the new file.
        raise _problem(
            path,
            f"the file is missing, but its log of changes {wal} is there",
            "put the file back, or move that away too",
        )
    handle, draft = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=directory)
    os.fchmod(handle, MODE)
    os.close(handle)
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            file_format.migrate(connection, migrations)
        finally:
            connection.close()
        try:
            os.link(draft, path)  # fails where another server was faster
        except FileExistsError:
            return
        except OSError:
            os.rename(draft, path)  # a file system without hard links
        with contextlib.suppress(OSError):
            _sync(directory)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _look_at(path: str, newest: int) -> None:
    """Whose file it is, told by its first octets. Raises LibreImsError, OSError."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _problem(path, "it is no ordinary file", "let ue_db_filename name a file")
    with open(path, "rb") as file:
        header = file.read(HEADER_LENGTH)
    if not header:
        raise _problem(
            path,
            f"the file is empty, so it does not hold what it should, and {_KEPT}",
            "remove it to begin anew, or put an earlier copy there",
        )
    another = "let ue_db_filename name another file, or move this one away"
    if header[: len(MAGIC)] != MAGIC:
        raise _problem(
            path,
            f"the file was not written by LibreIMS (it begins with {header[:16]!r}) and {_KEPT}; the file of "
            "another IMS cannot be taken over",
            another,
        )
    if len(header) < HEADER_LENGTH:
        raise _damaged(path, f"it has {len(header)} octets only")
    owner, version = file_format.application_id(header), file_format.version(header)
    if owner != APPLICATION_ID:
        raise _problem(path, f"the file is an SQLite database of another program and {_KEPT}", another)
    if version > newest:
        raise _problem(
            path,
            f"the file was written by a newer LibreIMS (format {version}, this one knows {newest}) "
            f"and {_KEPT}",
            f"run the newer one, or {another}",
        )
    for place in (path, os.path.dirname(path)):
        if not os.access(place, os.W_OK):
            raise PermissionError(None, f"{place} may not be written")


def _open(path: str, log: LayerLog, migrations: Sequence[Migration]) -> SqliteStore:
    wal = f"{path}-wal"
    crashed = os.path.exists(wal) and os.path.getsize(wal) > 0
    if crashed:
        # A connection that may write would move what is in the -wal into the file when it is closed.
        with contextlib.closing(_connect(path, "ro")) as connection:
            _check(path, connection)
    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")  # who has it open too shows here
        connection.execute("COMMIT")
        if not crashed:
            _check(path, connection)
        had = file_format.migrate(connection, migrations)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}-shm")  # of the look at a crashed one; who has the file alone needs none
    except BaseException:
        connection.close()
        raise
    if had < len(migrations):
        log.info(f"{path} was brought from format {had} to {len(migrations)}")
    if crashed:
        log.info(f"{path} was not closed when the server ended: what it had written is all there")
    return SqliteStore(path, connection, log)


def _connect(path: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode={mode}", uri=True, timeout=0, isolation_level=None)


def _check(path: str, connection: sqlite3.Connection) -> None:
    found = file_format.damage(connection)
    if found:
        raise _damaged(path, found)
