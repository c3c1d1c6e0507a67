"""`hss.sequence_record`: SQN are reserved in blocks, and go on behind the block after a restart."""

from __future__ import annotations

import pytest

from libreims.base.log import Log
from libreims.hss.sequence_record import BLOCK, KIND, SequenceRecords
from libreims.proto.aka.sequence import following
from libreims.store.port import StoreError
from support.memory_store import MemoryStore

LOG = Log.null().layer("ims")


def restored(store: MemoryStore, *known: str) -> dict[str, int]:
    found: dict[str, int] = {}
    SequenceRecords(store).restore(known.__contains__, found.__setitem__, LOG)
    return found


@pytest.mark.parametrize("start", [0, 31, 32 * 77 + 5, (1 << 48) - 40])
def test_one_write_for_a_block_and_none_is_given_out_twice(start: int) -> None:
    store, used = MemoryStore(), []
    sqn = start
    for _ in range(4):
        records = SequenceRecords(store)
        sqn = restored(store, "alice").get("alice", sqn)
        before = store.writes
        for number in range(1, BLOCK + 3):
            sqn = following(sqn)
            records.use("alice", sqn)
            used.append(sqn)
            assert store.writes - before == (1 if number <= BLOCK else 2)
    assert len(set(used)) == len(used)


def test_after_a_resynchronisation_a_new_block_begins() -> None:
    store = MemoryStore()
    records = SequenceRecords(store)
    records.use("alice", following(0))
    records.moved("alice")
    records.use("alice", following(1 << 30))
    last = restored(store, "alice")["alice"]
    assert last >> 5 == ((1 << 30) >> 5) + BLOCK


def test_what_cannot_be_reserved_is_not_used() -> None:
    store = MemoryStore()
    records = SequenceRecords(store)
    store.full = True
    with pytest.raises(StoreError):
        records.use("alice", 33)
    store.full = False
    records.use("alice", 33)
    assert store.kinds[KIND]


def test_users_that_are_gone_are_dropped() -> None:
    store = MemoryStore()
    records = SequenceRecords(store)
    records.use("alice", 33)
    records.use("bob", 33)
    records.use("carol", 33)
    records.forget("carol")
    assert list(restored(store, "alice")) == ["alice"]
    assert list(store.kinds[KIND]) == ["alice"]
