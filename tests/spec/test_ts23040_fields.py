"""TS 23.040 §9.1 and §9.2.3, fields of a TPDU: addresses, time stamps, validity, user data and its header."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber, read_tp
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.header import Concatenation, Header, Ports, parse_header
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.segments import segment
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData, header_septets, read_user_data
from libreims.proto.sms.validity import EnhancedValidity, RelativeValidity

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


@pytest.mark.parametrize(
    ("address", "octets"),
    [
        (Address("46708251358", TypeOfNumber.INTERNATIONAL), "0b916407281553f8"),
        (Address("27838890001", TypeOfNumber.SUBSCRIBER, NumberingPlan.NATIONAL), "0bc87238880900f1"),
        (Address("0812", TypeOfNumber.UNKNOWN), "04818021"),
        (Address("1", TypeOfNumber.NATIONAL, NumberingPlan.PRIVATE), "01a9f1"),
        (Address("*0#abc", TypeOfNumber.ABBREVIATED, NumberingPlan.UNKNOWN), "06e00acbed"),
        (Address.of_text("Design@Home"), "14d0c4f23c7d760390ef7619"),
    ],
)
def test_s9125_address_fields(address: Address, octets: str) -> None:
    """§9.1.2.5: length in useful semi-octets, type of number, plan; the end mark 1111 fills an odd number."""
    assert address.encode_tp().hex() == octets
    assert read_tp(Reader(bytes.fromhex(octets)), "address") == address


def test_s9125_at_most_twelve_octets() -> None:
    """§9.1.2.5: an address field has at most 12 octets, so 20 semi-octets of value."""
    assert len(Address("1" * 20).encode_tp()) == 12
    with pytest.raises(SmsDecodeError):
        read_tp(Reader(bytes.fromhex("1591" + "11" * 11)), "address")


@pytest.mark.parametrize(
    ("octets", "zone", "utc"),
    [
        ("99309251619580", 8, datetime(1999, 3, 29, 13, 16, 59, tzinfo=UTC)),
        ("62119291035000", 0, datetime(2026, 11, 29, 19, 30, 5, tzinfo=UTC)),
        ("6211929103502b", -32, datetime(2026, 11, 30, 3, 30, 5, tzinfo=UTC)),
        ("6211929103501a", -21, datetime(2026, 11, 30, 0, 45, 5, tzinfo=UTC)),
    ],
)
def test_s92311_service_centre_time_stamp(octets: str, zone: int, utc: datetime) -> None:
    """§9.2.3.11: local time, and the quarters of an hour to GMT with the sign in bit 3 of the last octet."""
    stamp = Timestamp(bytes.fromhex(octets))
    assert stamp.zone == zone
    assert stamp.utc == utc.timestamp()
    if utc.year >= 2000:
        assert Timestamp.at(utc.timestamp(), zone) == stamp


def test_s92311_what_is_no_number_is_kept() -> None:
    """§9.2.3.11: a field with digits that are none is stored exactly as received."""
    octets = bytes.fromhex("ffaabbccddeeff")
    stamp = Timestamp(octets)
    assert stamp.utc is None
    assert stamp.octets == octets


@pytest.mark.parametrize(
    ("values", "period"),
    [
        (range(144), lambda value: (value + 1) * 5 * MINUTE),
        (range(144, 168), lambda value: 12 * HOUR + (value - 143) * 30 * MINUTE),
        (range(168, 197), lambda value: (value - 166) * DAY),
        (range(197, 256), lambda value: (value - 192) * WEEK),
    ],
)
def test_s923121_relative_validity(values: range, period) -> None:  # type: ignore[no-untyped-def]
    """§9.2.3.12.1, the table."""
    for value in values:
        assert RelativeValidity(value).seconds == period(value)


@pytest.mark.parametrize(
    ("octets", "seconds", "single_shot"),
    [
        ("00000000000000", None, False),  # 000: no validity period.
        ("01000000000000", 5 * MINUTE, False),  # 001: as in the relative form.
        ("023c0000000000", MINUTE, False),  # 010: seconds.
        ("02000000000000", None, False),  # Of these 0 is reserved.
        ("03100203000000", HOUR + 20 * MINUTE + 30, False),  # 011: hours, minutes, seconds, as in TP-SCTS.
        ("40000000000000", None, True),  # Bit 6: one attempt only.
        ("043c0000000000", None, False),  # Others are reserved.
    ],
)
def test_s923123_enhanced_validity(octets: str, seconds: int | None, single_shot: bool) -> None:
    """§9.2.3.12.3: bits 2 to 0 of the functionality indicator say what follows."""
    validity = EnhancedValidity(bytes.fromhex(octets))
    assert validity.seconds == seconds
    assert validity.single_shot is single_shot


def test_s92316_what_the_length_counts() -> None:
    """§9.2.3.16: septets for the GSM 7 bit alphabet, octets for 8 bit data, UCS2, and what is compressed."""
    for dcs, length, octets in (
        (0x00, 8, 7),
        (0x04, 8, 8),
        (0x08, 8, 8),
        (0x20, 8, 8),
        (0xC0, 8, 7),
        (0xE0, 8, 8),
    ):
        assert len(read_user_data(Reader(bytes((length,)) + bytes(20)), dcs, False).octets) == octets


@pytest.mark.parametrize(
    ("octets", "septets", "fill"), [(6, 7, 1), (7, 8, 0), (5, 6, 2), (8, 10, 6), (1, 2, 6), (12, 14, 2)]
)
def test_s92324_fill_bits(octets: int, septets: int, fill: int) -> None:
    """§9.2.3.24, figure (a): fill bits make the text begin on a septet boundary; the length counts them."""
    assert header_septets(octets) == (septets, fill)


def test_s92324_a_text_after_a_header() -> None:
    """§9.2.3.24: of a concatenated text 153 septets fit, 134 octets, 67 characters of UCS2."""
    assert segment("a" * 161, 0).parts[0].length == 7 + 153
    assert segment("ж" * 71, 0).parts[0].length == 6 + 2 * 67
    first = segment("a" * 161, 0xCC).parts[0]
    assert first.octets[:7].hex() == "050003cc0201" + "c2"
    assert len(first.octets) == 140


def test_s92324_an_uneven_header_is_ignored() -> None:
    """§9.2.3.24: with too few or too many octets in the last element the whole header is ignored."""
    for octets in ("050003cc02", "060003cc020100", "040003cc02"):
        assert parse_header(bytes.fromhex(octets)) == Header()


def test_s92324_the_last_of_repeated_elements_counts() -> None:
    """§9.2.3.24: where an element must not be repeated, the last one is used."""
    header = parse_header(bytes.fromhex("0c" + "050423f00000" + "05040b840000"))
    assert header.ports == Ports(2948, 0)


@pytest.mark.parametrize(
    "element", ["0003cc0001", "0003cc0200", "0003cc0203", "080400cc0001", "080400cc0103"]
)
def test_s923241_impossible_parts_are_ignored(element: str) -> None:
    """§9.2.3.24.1, §9.2.3.24.8: no parts, part zero, or one beyond the last: the element is ignored."""
    octets = bytes.fromhex(element)
    assert parse_header(bytes((len(octets),)) + octets).concatenation is None


def test_s923241_concatenation() -> None:
    """§9.2.3.24.1: reference, number of parts, part; §9.2.3.24.8: the reference has 16 bits."""
    assert Concatenation(0xCC, 3, 2).element().data.hex() == "cc0302"
    assert Concatenation(0x1234, 3, 2, wide=True).element().data.hex() == "12340302"
    assert Header((Concatenation(0xCC, 3, 2).element(),)).encode().hex() == "050003cc0302"
    assert Header((Concatenation(0x1234, 3, 2, wide=True).element(),)).encode().hex() == "060804" + "12340302"


def test_s923241_an_escape_is_not_separated() -> None:
    """§9.2.3.24.1: a character of two septets stays in one part."""
    first, second = segment("a" * 152 + "€" * 10, 0).parts
    assert first.length == 7 + 152
    assert (second.text(0) or "").startswith("€")


def test_s923243_ports() -> None:
    """§9.2.3.24.3 and .4: destination, then originator."""
    assert Header((Ports(9200, 2948).element(),)).encode().hex() == "060504" + "23f0" + "0b84"
    assert Header((Ports(240, 241, wide=False).element(),)).encode().hex() == "040402" + "f0f1"


def test_s9232415_national_language() -> None:
    """§9.2.3.24.15, .16: 0x24 names the single, 0x25 the locking shift table; reserved ones are ignored."""
    user_data = segment("ığ", 0, languages=[(1, 1)]).parts[0]
    assert user_data.octets[:7].hex() == "06240101250101"
    assert user_data.text(0) == "ığ"
    reserved = UserData(10, bytes.fromhex("06250150240151" + "7820"), True)
    assert (reserved.header.locking_shift, reserved.header.single_shift) == (0x50, 0x51)
    assert reserved.text(0) == "x¡"
