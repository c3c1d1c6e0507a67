"""`store.sqlite`: what is written is there, together or not at all, also after kill -9 and on a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.base.log_options import parse
from libreims.store.opening import open_store
from libreims.store.port import Store, StoreError
from libreims.store.sqlite import LOOK_EVERY, WAL_PAGES, SqliteStore
from support.full_disk import full_disk
from support.process import SOURCE


@pytest.fixture
def log() -> Log:
    return Log(parse("all.level=info").options, utc=float)


@pytest.fixture
def store(tmp_path: Path, log: Log) -> Iterator[SqliteStore]:
    store = open_store(str(tmp_path / "ims.db"), log.layer("ims"))
    yield store
    store.close()


def reopened(store: SqliteStore) -> SqliteStore:
    store.close()
    return open_store(store.path, Log.null().layer("ims"))


def text(log: Log) -> str:
    return "\n".join(line for entry in log.ring.since(0)[1] for line in entry.lines)


def test_records_are_there_after_the_end_in_the_order_of_their_first_writing(store: SqliteStore) -> None:
    port: Store = store
    sms = port.records("sms")
    for key in ("c", "a", "b"):
        sms.put(key, {"text": key})
    sms.put("c", {"text": "changed \u20ac \udcff"})
    port.records("sqn").put("a", {"sqn": 2**48 - 1})
    sms.delete("a")
    sms.delete("never there")
    store = reopened(store)
    assert list(store.records("sms").items()) == [
        ("c", {"text": "changed \u20ac \udcff"}),
        ("b", {"text": "b"}),
    ]
    assert list(store.records("sqn").items()) == [("a", {"sqn": 2**48 - 1})]
    store.close()


def test_records_may_change_while_they_are_read(store: SqliteStore) -> None:
    records = store.records("sms")
    with store.transaction():
        for number in range(1200):
            records.put(str(number), {})
    seen = []
    for key, _ in records.items():
        seen.append(int(key))
        records.delete(key)
    assert seen == list(range(1200))
    assert list(records.items()) == []


def test_a_transaction_is_kept_whole(store: SqliteStore) -> None:
    records = store.records("sms")
    with store.transaction():
        records.put("1", {})
        with store.transaction():
            records.put("2", {})
        records.put("3", {})
    store = reopened(store)
    assert [key for key, _ in store.records("sms").items()] == ["1", "2", "3"]
    store.close()


def test_a_transaction_that_is_left_by_an_error_was_never_there(store: SqliteStore) -> None:
    records = store.records("sms")
    records.put("1", {"old": True})
    with pytest.raises(RuntimeError), store.transaction():
        records.put("1", {})
        with store.transaction():
            records.put("2", {})
        raise RuntimeError
    assert list(records.items()) == [("1", {"old": True})]
    records.put("3", {})
    assert [key for key, _ in records.items()] == ["1", "3"]


def test_an_inner_failure_that_somebody_catches_spoils_the_whole(store: SqliteStore) -> None:
    records = store.records("sms")
    with pytest.raises(StoreError), store.transaction():
        records.put("1", {})
        with pytest.raises(RuntimeError), store.transaction():
            raise RuntimeError
        with pytest.raises(StoreError):
            records.put("2", {})
    assert list(records.items()) == []
    with store.transaction():
        records.put("3", {})
    assert [key for key, _ in records.items()] == ["3"]


def test_an_orderly_end_leaves_one_file(store: SqliteStore, tmp_path: Path) -> None:
    store.records("sms").put("1", {})
    assert len(os.listdir(tmp_path)) == 2
    store.close()
    assert os.listdir(tmp_path) == ["ims.db"]


def test_the_log_of_changes_does_not_grow_without_bound(store: SqliteStore) -> None:
    records, largest = store.records("sms"), 0
    for number in range(20 * WAL_PAGES):
        records.put(str(number % 100), {"text": "x" * 500})
        if number % 500 == 0:
            largest = max(largest, os.path.getsize(f"{store.path}-wal"))
    assert largest < 2 * WAL_PAGES * 4200


def test_what_cannot_be_written_is_refused_and_said_once(store: SqliteStore, log: Log) -> None:
    records = store.records("sms")
    records.put("1", {})
    with full_disk():
        for number in range(5):
            with pytest.raises(StoreError, match=r"ims\.db cannot be written: .*; "):
                records.put(f"no {number}", {})
        with pytest.raises(StoreError), store.transaction():
            records.put("1", {"changed": True})
        assert list(records.items()) == [("1", {})]
    assert text(log).count("cannot be written") == 1
    assert "can be written again" not in text(log)
    with store.transaction():
        records.put("2", {})
    assert "can be written again" in text(log) and "(6 times)" in text(log)
    store = reopened(store)
    assert [key for key, _ in store.records("sms").items()] == ["1", "2"]
    store.close()


def test_a_file_that_is_removed_under_the_server_is_noticed(store: SqliteStore, log: Log) -> None:
    records = store.records("sms")
    for number in range(2 * LOOK_EVERY):
        records.put(str(number), {})
    assert "was removed" not in text(log)
    os.rename(store.path, f"{store.path}.away")
    for number in range(3 * LOOK_EVERY):
        records.put(str(number), {"more": 1})
    assert text(log).count("was removed, or another file put in its place") == 1
    os.rename(f"{store.path}.away", store.path)


def test_on_a_nearly_full_disk_the_log_of_changes_is_folded_in(store: SqliteStore, log: Log) -> None:
    records = store.records("sms")
    for number in range(100):
        records.put(str(number), {"text": "x" * 500})
    with full_disk(
        os.path.getsize(f"{store.path}-wal")
    ):  # there is no more room, but what is there may be written over
        for number in range(300):
            records.put(str(number % 100), {"text": "y" * 500, "turn": number})
    assert text(log) == ""
    assert [value["turn"] for _, value in records.items()] == list(range(200, 300))


def test_what_is_written_after_the_end_is_refused(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.records("sms").put("1", {})
    with pytest.raises(StoreError):
        list(store.records("sms").items())


WRITER = """
import os, sys
from libreims.base.log import Log
from libreims.store.opening import open_store
records = open_store(sys.argv[1], Log.null().layer("ims")).records("sms")
number = 0
while True:
    number += 1
    records.put(str(number), {"text": "x" * 300, "by": os.getpid()})
    print(number, flush=True)
"""


def test_what_was_written_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "ims.db"
    written = 0
    for lines in (1, 57, 900):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                last = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split(b"\n")[:-1]
        written = max(written, last, *map(int, rest)) if rest else max(written, last)
        log = Log(parse("all.level=info").options, utc=float)
        store = open_store(str(path), log.layer("ims"))
        kept = {int(key) for key, _ in store.records("sms").items()}
        assert kept >= set(range(1, written + 1))
        assert "was not closed when the server ended" in text(log)
        store.close()
        assert os.listdir(tmp_path) == ["ims.db"]


def test_values_are_what_json_can_say(store: SqliteStore) -> None:
    with pytest.raises(ValueError):
        store.records("sms").put("1", {"moment": float("inf")})
    with pytest.raises(TypeError):
        store.records("sms").put("1", {"octets": b"1"})
    assert json.loads("{}") == {} and list(store.records("sms").items()) == []
