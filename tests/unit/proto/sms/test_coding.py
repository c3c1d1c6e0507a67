"""What a data coding scheme says."""

from __future__ import annotations

import pytest

from libreims.proto.sms.coding import Alphabet, DataCoding, Waiting, coding


def test_a_scheme_that_can_be_said_is_said_again() -> None:
    """Each octet gives a value; the octet of this value means the same."""
    for octet in range(256):
        scheme = coding(octet)
        assert coding(scheme.octet) == scheme


@pytest.mark.parametrize(
    ("octet", "septets"),
    [(0x00, True), (0x04, False), (0x08, False), (0x20, False), (0xF0, True), (0xC8, True)],
)
def test_what_the_length_counts(octet: int, septets: bool) -> None:
    assert coding(octet).counts_septets is septets


@pytest.mark.parametrize(
    "impossible",
    [
        DataCoding(message_class=4),
        DataCoding(discard=True),
        DataCoding(waiting_active=True),
        DataCoding(waiting=Waiting.FAX, message_class=0),
        DataCoding(waiting=Waiting.FAX, compressed=True),
        DataCoding(Alphabet.OCTETS, waiting=Waiting.FAX),
        DataCoding(Alphabet.UCS2, waiting=Waiting.FAX, discard=True),
    ],
)
def test_what_no_octet_says(impossible: DataCoding) -> None:
    with pytest.raises(ValueError, match=r"message|indication"):
        _ = impossible.octet
