"""`base.log_ring`: the history that `log_get` will read."""

from __future__ import annotations

from libreims.base.log import Log
from libreims.base.log_options import parse


def filled(number: int, count: int = 8) -> Log:
    log = Log(parse("all.level=info").options, utc=lambda: 12.5, count=count)
    for index in range(number):
        log.layer("ims").info(f"entry {index}")
    return log


def test_indexes_are_absolute_and_tell_of_what_was_overwritten() -> None:
    ring = filled(20).ring
    assert (ring.count, ring.first, ring.total, len(ring)) == (8, 12, 20, 8)
    start, entries = ring.since(5)
    assert start == 12  # 7 were lost
    assert [entry.message for entry in entries] == [f"entry {index}" for index in range(12, 20)]
    assert ring.since(18)[0] == 18
    assert [entry.message for entry in ring.since(18)[1]] == ["entry 18", "entry 19"]
    assert ring.since(20) == (20, [])
    assert len(ring.since(0, limit=3)[1]) == 3


def test_clearing_keeps_counting() -> None:
    log = filled(3)
    log.ring.clear()
    log.layer("ims").info("next")
    start, entries = log.ring.since(0)
    assert start == 3
    assert [entry.message for entry in entries] == ["next"]


def test_an_entry_has_what_the_remote_api_tells() -> None:
    log = Log(parse("sip.level=debug").options, utc=lambda: 12.5)
    log.layer("sip").message("FROM", 0x1F, "OPTIONS sip:x", b"OPTIONS sip:x SIP/2.0\r\nVia: a\r\n\r\n")
    (entry,) = log.ring.since(0)[1]
    assert (entry.time, entry.layer, entry.level_name, entry.direction, entry.id) == (
        12.5,
        "sip",
        "info",
        "FROM",
        0x1F,
    )
    assert entry.lines == ["OPTIONS sip:x", "OPTIONS sip:x SIP/2.0", "Via: a"]
