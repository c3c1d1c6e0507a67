"""TP-User-Data: text and octets with and without a header, and lengths that fit."""

from __future__ import annotations

import pytest
from hypothesis import given

from libreims.proto.sms.alphabet import GSM7, unpack
from libreims.proto.sms.coding import Alphabet, coding
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.header import Concatenation, Element, Header
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.national_tables import Language
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.user_data import MAX_REPORT_OCTETS, UserData, header_septets, read_user_data
from support.sms import coded

PART = Header((Concatenation(1, 2, 1).element(),))


@given(coded())
def test_again(scheme: tuple[int, UserData]) -> None:
    dcs, user_data = scheme
    assert read_user_data(Reader(user_data.encode()), dcs, user_data.has_header) == user_data


@pytest.mark.parametrize("size", range(1, 16))
def test_text_begins_on_a_septet_boundary(size: int) -> None:
    """Whatever the header's size: taken as septets from the start, the text is in whole septets."""
    header = Header((Element(0x70, bytes(size)),))
    user_data = UserData.of_text("hello", header=header)
    septets = unpack(user_data.octets, user_data.length)
    assert len(septets) == user_data.length
    assert septets.endswith(b"hello")
    assert user_data.text(0) == "hello"
    taken, fill = header_septets(3 + size)
    assert taken * 7 == (3 + size) * 8 + fill
    assert 0 <= fill < 7
    assert user_data.length == taken + 5


def test_a_header_without_text() -> None:
    user_data = UserData.of_text("", header=PART)
    assert (user_data.length, user_data.octets.hex()) == (7, "05000301020100")
    assert user_data.text(0) == ""
    assert read_user_data(Reader(user_data.encode()), 0, True).text(0) == ""


def test_utf16() -> None:
    user_data = UserData.of_text("жук 😀", Alphabet.UCS2, PART)
    assert user_data.length == len(user_data.octets) == 6 + 12
    assert user_data.text(8) == "жук 😀"
    assert user_data.data(8) == "жук 😀".encode("utf-16-be")


def test_half_a_character_is_a_replacement() -> None:
    assert UserData.of_octets(b"\x04\x36\xd8").text(8) == "ж\ufffd"
    assert UserData.of_octets(b"\xd8\x3d").text(8) == "\ufffd"


def test_octets_are_no_text() -> None:
    user_data = UserData.of_octets(b"\x00\xff", PART)
    assert user_data.data(4) == b"\x00\xff"
    assert user_data.text(4) is None
    with pytest.raises(ValueError, match="no text"):
        UserData.of_text("x", Alphabet.OCTETS)


def test_compressed_text_stays_as_it_is() -> None:
    assert coding(0x20).compressed
    user_data = read_user_data(Reader(b"\x03abc"), 0x20, False)
    assert user_data.data(0x20) == b"abc"
    assert user_data.text(0x20) is None
    assert UserData.of_octets(b"ab").text(0x28) is None


def test_national_tables_of_the_header() -> None:
    header = Header((Element(0x25, bytes((Language.PORTUGUESE,))),))
    septets = seven_bit(Language.PORTUGUESE).encode("açúcar")
    assert UserData.of_septets(septets, header).text(0) == "açúcar"
    assert UserData.of_septets(septets).text(0) != "açúcar"
    assert UserData.of_septets(b"a").seven_bit is GSM7


@pytest.mark.parametrize(
    ("user_data", "dcs", "text"),
    [
        (UserData(0, b"", True), 0, ""),
        (UserData(3, b"\x05ab", True), 0, ""),
        (UserData(4, b"\xffabc", True), 8, ""),
        (UserData(2, b"\x00", True), 0, ""),
        (UserData(5, b"", False), 0, ""),
    ],
)
def test_a_header_or_length_that_lies(user_data: UserData, dcs: int, text: str) -> None:
    """§9.2.3.24: the header is ignored, what it covers is no text either."""
    assert user_data.text(dcs) == text
    assert user_data.header == Header()


def test_octets_beyond_the_length_are_passed_over() -> None:
    reader = Reader(b"\x02abc")
    assert read_user_data(reader, 4, False) == UserData(2, b"ab")
    assert reader.left == 1


@pytest.mark.parametrize(
    ("octets", "dcs", "why"),
    [
        (b"", 0, "cut in TP-UDL"),
        (b"\x01", 0, "cut in TP-UD"),
        (b"\x09" + bytes(7), 0, "cut in TP-UD"),
        (b"\xa1" + bytes(141), 0, "161, the user data would have 141 octets"),
        (b"\x8d" + bytes(141), 4, "141 octets"),
    ],
)
def test_what_is_no_user_data(octets: bytes, dcs: int, why: str) -> None:
    with pytest.raises(SmsDecodeError, match=why):
        read_user_data(Reader(octets), dcs, False)


def test_limits() -> None:
    assert len(UserData(160, bytes(140)).encode()) == 141
    assert len(UserData(159, bytes(159)).encode(MAX_REPORT_OCTETS)) == 160
    with pytest.raises(ValueError, match="141 octets, at most 140"):
        UserData(141, bytes(141)).encode()
    with pytest.raises(ValueError, match="256 is not"):
        UserData(256, b"").encode()
