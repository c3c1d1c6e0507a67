"""Submissions of an earlier process, in the store for as long as a request may be repeated."""

from __future__ import annotations

from libreims.sms.pending import Origin
from libreims.sms.seen import KIND, LIFETIME, Seen
from support.manual_clock import ManualClock
from support.memory_store import MemoryStore

ORIGIN = Origin("a", "tel:1", "call", 2)


def test_it_is_remembered_over_a_restart_and_forgotten_in_time() -> None:
    store, clock = MemoryStore(), ManualClock()
    seen = Seen(store, clock, clock.time)
    seen.note("id", ORIGIN)
    assert ORIGIN.submission in seen
    assert ("a", "call", 3) not in seen
    clock.advance(LIFETIME / 2)
    seen.close()
    again = Seen(store, clock, clock.time)
    again.restore()
    assert ORIGIN.submission in again
    clock.advance(LIFETIME / 2 - 2)
    assert ORIGIN.submission in again
    clock.advance(4)
    assert ORIGIN.submission not in again
    assert not store.kinds[KIND]


def test_records_of_somebody_else_and_a_full_disk_do_no_harm() -> None:
    store, clock = MemoryStore(), ManualClock()
    store.records(KIND).put("odd", {"until": "soon"})
    seen = Seen(store, clock, clock.time)
    seen.restore()
    clock.advance(2)
    assert not store.kinds[KIND]
    seen.note("id", ORIGIN)
    store.full = True
    clock.advance(LIFETIME + 2)
    assert ORIGIN.submission not in seen
