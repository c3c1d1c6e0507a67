"""Header names, compact forms, reason phrases."""

from __future__ import annotations

import pytest

from libreims.proto.sip.names import COMPACT, canonical
from libreims.proto.sip.reasons import REASONS, reason_phrase


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("cSEQ", "CSeq"),
        ("call-id", "Call-ID"),
        ("WWW-AUTHENTICATE", "WWW-Authenticate"),
        ("p-access-network-info", "P-Access-Network-Info"),
        ("rack", "RAck"),
        ("X-Mine", "X-Mine"),
        ("", ""),
    ],
)
def test_canonical(spelling: str, name: str) -> None:
    assert canonical(spelling) == name


def test_every_registered_compact_form() -> None:
    assert "".join(sorted(COMPACT)) == "abcdefijklmnorstuvxy"
    for letter, name in COMPACT.items():
        assert canonical(letter) == canonical(letter.upper()) == canonical(name.lower()) == name


def test_reason_phrases() -> None:
    assert reason_phrase(404) == "Not Found"
    assert reason_phrase(499) == REASONS[400]
    assert reason_phrase(199) == "Early Dialog Terminated"
    assert all(100 <= status <= 699 for status in REASONS)
