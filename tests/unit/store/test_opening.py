"""`store.opening`: a file that is not ours or not whole is named, with what to do, and kept as it is."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.log_options import parse
from libreims.store import format as file_format
from libreims.store.opening import open_store
from libreims.store.sqlite import SqliteStore
from support.process import SOURCE

LOG = Log.null().layer("ims")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with some records, closed in order."""
    path = tmp_path / "ims.db"
    store = open_store(str(path), LOG)
    fill(store)
    store.close()
    return path


def fill(store: SqliteStore, first: int = 0) -> None:
    records = store.records("sms")
    with store.transaction():
        for number in range(first, first + 200):
            records.put(str(number), {"text": f"message {number} " + "x" * 100})


@pytest.fixture
def crashed(path: Path, tmp_path: Path) -> Path:
    """The same as a kill -9 leaves it, with a log of changes that is not folded in."""
    store = open_store(str(path), LOG)
    fill(store, 1000)
    copy = tmp_path / "crashed" / "ims.db"
    copy.parent.mkdir()
    for name in ("ims.db", "ims.db-wal"):
        shutil.copy(tmp_path / name, copy.parent / name)
    store.close()
    return copy


def octets(path: Path) -> list[bytes]:
    wal = path.with_name(path.name + "-wal")
    return [each.read_bytes() for each in (path, wal) if each.is_file()]


def refused(path: Path, *words: str) -> str:
    """Opening is refused, in these words, and nothing is changed."""
    before = octets(path) if path.is_file() else None
    with pytest.raises(LibreImsError) as caught:
        open_store(str(path), LOG).close()
    said = str(caught.value)
    assert said.startswith(f"ue_db_filename {path}: ")
    for word in words:
        assert word in said
    if before is not None:
        assert octets(path) == before
    return said


def keys(path: Path) -> list[str]:
    store = open_store(str(path), LOG)
    try:
        return [key for key, _ in store.records("sms").items()]
    finally:
        store.close()


def test_a_new_file_belongs_to_the_user_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["ims.db"]
    header = path.read_bytes()[:100]
    assert file_format.application_id(header) == file_format.APPLICATION_ID
    assert file_format.version(header) == len(file_format.MIGRATIONS)


def test_a_link_may_name_a_file_that_is_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "ims.db")
    open_store(str(link), LOG).close()
    assert os.listdir(tmp_path / "real") == ["ims.db"]


def test_a_crashed_file_has_it_all(crashed: Path) -> None:
    assert len(keys(crashed)) == 400
    assert os.listdir(crashed.parent) == ["ims.db"]


# --- not ours


@pytest.mark.parametrize(
    "content",
    [b"# lteims state\n{ users: [] }\n", b"\0" * 4096, b"x", os.urandom(8192)],
    ids=["text", "zeroes", "one octet", "random"],
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    refused(path, "not written by LibreIMS", "it was left as it is")
    assert os.listdir(tmp_path) == ["other.db"]


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    refused(path, "is empty", "remove it")


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE record (number INTEGER)")
    connection.close()
    refused(path, "database of another program")
    assert os.listdir(tmp_path) == ["other.db"]


def test_a_file_of_a_newer_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    refused(path, "newer LibreIMS (format 99, this one knows 1)")


def test_what_is_no_file(tmp_path: Path) -> None:
    refused(tmp_path, "no ordinary file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "no ordinary file")


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    refused(tmp_path / "missing" / "ims.db", "make its directory")


def test_a_log_of_changes_without_its_file(crashed: Path) -> None:
    crashed.unlink()
    refused(crashed, "the file is missing, but its log of changes")
    assert os.listdir(crashed.parent) == ["ims.db-wal"]


AS_NOBODY = """
import os, sys
from libreims.base.log import Log
from libreims.base.errors import LibreImsError
from libreims.store.opening import open_store
log = Log.null().layer("ims")
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    open_store(sys.argv[1], log)
except LibreImsError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o600, 0o444, 0o666, None])
def test_a_file_that_may_not_be_used(path: Path, mode: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "ims.db")
        if mode is not None:
            shutil.copy(path, file)
            file.chmod(mode)
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, file], capture_output=True, text=True, env=environment
        )
        assert "let the user that runs the server read and write the file and its directory" in done.stdout, (
            done
        )
        assert str(file) in done.stdout
        assert os.listdir(folder) == ([] if mode is None else ["ims.db"])
        assert mode is None or octets(file) == octets(path)


# --- damaged


@pytest.mark.parametrize("part", [1, 50, 100, 4096, 5000, -1])
def test_a_file_that_is_cut(path: Path, part: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:part])
    said = refused(path)
    assert "damaged" in said or part < 16
    assert os.listdir(path.parent) == ["ims.db"]


@pytest.mark.parametrize("state", ["closed", "crashed"])
def test_flipped_bits_are_found_or_harmless(request: pytest.FixtureRequest, state: str) -> None:
    file = request.getfixturevalue("path" if state == "closed" else "crashed")
    original = octets(file)
    wal = file.with_name("ims.db-wal")
    every = keys_of(file, original)
    chance, found = random.Random(7), 0
    for _ in range(150):
        data = bytearray(original[0])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        if len(original) > 1:
            wal.write_bytes(original[1])
        try:
            store = open_store(str(file), LOG)
        except LibreImsError as error:
            assert str(file) in str(error)
            assert file.read_bytes() == data
            if len(original) > 1:
                assert wal.read_bytes() == original[1]
            found += 1
        else:
            # What SQLite does not use, or writes anew from the log of changes.
            assert list(store.records("sms").items()) == every
            store.close()
        wal.with_name("ims.db-shm").unlink(missing_ok=True)
    assert found > 50


def keys_of(file: Path, original: list[bytes]) -> list[tuple[str, dict[str, object]]]:
    store = open_store(str(file), LOG)
    every = list(store.records("sms").items())
    store.close()
    file.write_bytes(original[0])
    return every


def test_a_value_that_was_altered_is_found(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"message 77 ", b"message 78 "))
    said = refused(path, "is damaged", "check sum")
    assert re.search(r"record \d+", said)


# --- in use


def _hold(path: str, ready: Callable[[], object], release: object) -> None:
    store = open_store(path, LOG)
    ready()
    release.wait()  # type: ignore[attr-defined]
    store.close()


def test_a_file_that_another_server_has_open(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(path), ready.set, release))
    other.start()
    try:
        assert ready.wait(20)
        with pytest.raises(LibreImsError, match="another program has it open"):
            open_store(str(path), LOG)
    finally:
        release.set()
        other.join()
    assert other.exitcode == 0
    assert len(keys(path)) == 200


# --- versions


def _second(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE extra (text TEXT)")
    connection.execute("INSERT INTO extra VALUES ('migrated')")


def test_an_older_file_is_brought_up_to_date(path: Path) -> None:
    log = Log(parse("all.level=info").options, utc=float)
    store = open_store(str(path), log.layer("ims"), (*file_format.MIGRATIONS, _second))
    assert len(list(store.records("sms").items())) == 200
    store.close()
    assert file_format.version(path.read_bytes()[:100]) == 2
    said = "\n".join(line for entry in log.ring.since(0)[1] for line in entry.lines)
    assert "was brought from format 1 to 2" in said
    refused(path, "newer LibreIMS (format 2, this one knows 1)")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT text FROM extra").fetchall() == [("migrated",)]
    connection.close()


def test_a_file_without_any_table_is_version_0(tmp_path: Path) -> None:
    path = tmp_path / "ims.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {file_format.APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert file_format.version(path.read_bytes()[:100]) == 0
    assert keys(path) == []
    assert file_format.version(path.read_bytes()[:100]) == 1


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM record")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    before = path.read_bytes()
    with pytest.raises(LibreImsError, match=re.escape(str(path))):
        open_store(str(path), LOG, (*file_format.MIGRATIONS, broken))
    assert path.read_bytes() == before
    assert len(keys(path)) == 200
