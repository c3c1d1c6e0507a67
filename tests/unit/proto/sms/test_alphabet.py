"""The GSM 7 bit default alphabet, and septets in octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.alphabet import DEFAULT, ESCAPE, EXTENSION, GSM7, SevenBit, octets_of, pack, unpack
from support.sms import GSM_CHARACTERS


def test_every_character_is_read_as_it_was_written() -> None:
    assert GSM7.decode(GSM7.encode(GSM_CHARACTERS)) == GSM_CHARACTERS
    assert len(GSM7.encode(GSM_CHARACTERS)) == 127 + 2 * 10
    assert GSM7.has(GSM_CHARACTERS)


def test_what_it_does_not_have() -> None:
    for character in "çžЖ\x1b\0😀":
        assert not GSM7.has(character)
        with pytest.raises(ValueError, match="not in this 7 bit alphabet"):
            GSM7.encode("a" + character)


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        (b"\x1b\x65", "€"),
        (b"\x1ba", "a"),
        (b"a\x1b", "a "),
        (b"\x1b\x1b\x65", " e"),
        (b"\x1b\x0d\x0d", "\r\r"),
        (b"", ""),
    ],
)
def test_escapes(septets: bytes, text: str) -> None:
    assert GSM7.decode(septets) == text


def test_a_table_without_the_escape_is_none() -> None:
    with pytest.raises(ValueError, match="128 characters"):
        SevenBit(DEFAULT[:-1], EXTENSION)
    with pytest.raises(ValueError, match="0x1B"):
        SevenBit("x" * 128, EXTENSION)
    assert DEFAULT[ESCAPE] == "\x1b"


@pytest.mark.parametrize(
    ("septets", "fill", "octets"),
    [
        (b"", 0, ""),
        (b"", 3, "00"),
        (b"1", 0, "31"),
        (b"hellohello", 0, "e8329bfd4697d9ec37"),
        (b"1234567", 0, "31d98c56b3dd00"),
        (b"12345678", 0, "31d98c56b3dd70"),
        (b"\x7f", 1, "fe"),
        (b"\x7f", 2, "fc01"),
    ],
)
def test_packing(septets: bytes, fill: int, octets: str) -> None:
    assert pack(septets, fill) == bytes.fromhex(octets)
    assert unpack(bytes.fromhex(octets), len(septets), fill) == septets


@given(st.binary(max_size=200).map(lambda data: bytes(each & 0x7F for each in data)), st.integers(0, 6))
def test_unpacked_again(septets: bytes, fill: int) -> None:
    packed = pack(septets, fill)
    assert len(packed) == (fill + 7 * len(septets) + 7) // 8
    assert unpack(packed, len(septets), fill) == septets


@given(st.binary(max_size=20), st.integers(0, 200), st.integers(0, 6))
def test_no_more_septets_than_there_are(octets: bytes, count: int, fill: int) -> None:
    found = unpack(octets, count, fill)
    assert len(found) == min(count, max(0, len(octets) * 8 - fill) // 7)


def test_octets_of_septets() -> None:
    assert [octets_of(count) for count in (0, 1, 7, 8, 9, 160)] == [0, 1, 7, 7, 8, 140]
