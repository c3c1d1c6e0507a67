"""What became of messages lately."""

from __future__ import annotations

import pytest

from libreims.proto.sms.address import Address
from libreims.proto.sms.failure import Status
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.pending import Origin
from libreims.sms.recent import Fate, Recent

FATE = Fate(Timestamp.at(1_800_000_000), 1_800_000_001, Status.RECEIVED)


def origin(number: int, destination: str | None = "2") -> Origin:
    return Origin("a", "tel:1", f"call{number}", 1, number, Address(destination) if destination else None)


def test_the_last_fate_of_a_reference_and_number() -> None:
    recent = Recent()
    recent.note(origin(1), FATE)
    assert recent.fate("a", 1, "2") == FATE
    assert recent.fate("a", 1, "3") is None and recent.fate("b", 1, "2") is None
    later = FATE._replace(status=Status.VALIDITY_PERIOD_EXPIRED)
    recent.note(origin(1), later)
    assert recent.fate("a", 1, "2") == later
    assert ("a", "call1", 1) in recent
    assert ("a", "call1", 2) not in recent


def test_text_has_no_reference() -> None:
    recent = Recent()
    recent.note(origin(0, None), FATE)
    assert ("a", "call0", 1) in recent


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libreims.sms.recent.REMEMBERED", 3)
    recent = Recent()
    for number in range(5):
        recent.note(origin(number), FATE)
    assert [("a", f"call{number}", 1) in recent for number in range(5)] == [False, False, True, True, True]
    assert recent.fate("a", 1, "2") is None and recent.fate("a", 4, "2") == FATE
