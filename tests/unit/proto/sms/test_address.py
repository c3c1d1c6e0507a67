"""Addresses of TP and RP."""

from __future__ import annotations

import pytest
from hypothesis import given

from libreims.proto.sms.address import (
    Address,
    NumberingPlan,
    TypeOfNumber,
    centre_address,
    read_rp,
    read_tp,
)
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader
from support.sms import addresses, centres


@given(addresses)
def test_tp_again(address: Address) -> None:
    assert read_tp(Reader(address.encode_tp()), "TP-DA") == address


@given(centres)
def test_rp_again(address: Address | None) -> None:
    octets = address.encode_rp() if address else b"\0"
    assert read_rp(Reader(octets), "RP-Destination Address") == address


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("+33600000124", Address("33600000124", TypeOfNumber.INTERNATIONAL)),
        ("0600000124", Address("0600000124")),
        ("*#100#", Address("*#100#")),
        ("Lab", Address("Lab", TypeOfNumber.ALPHANUMERIC, NumberingPlan.UNKNOWN)),
        ("123456789012345678901", Address.of_text("123456789012345678901")),
        ("+", Address.of_text("+")),
    ],
)
def test_what_a_user_wrote(written: str, address: Address) -> None:
    assert Address.of_sender(written) == address
    assert address.number == written
    assert address.is_number is (address.type_of_number is not TypeOfNumber.ALPHANUMERIC)


@pytest.mark.parametrize("count", range(12))
def test_letters_are_counted_in_semi_octets(count: int) -> None:
    octets = Address.of_text("@" * count).encode_tp()
    assert octets[0] == (count * 7 + 3) // 4
    assert len(octets) == 2 + (octets[0] + 1) // 2
    assert read_tp(Reader(octets), "TP-OA").digits == "@" * count


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (Address("1" * 21), "longer than 20"),
        (Address("12x"), "'x' in '12x' is no digit"),
        (Address.of_text("a" * 12), "longer than 20 semi-octets"),
        (Address.of_text("Ж"), "7 bit alphabet"),
        (Address("1", numbering_plan=16), "numbering plan 16"),
    ],
)
def test_what_cannot_be_written(address: Address, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        address.encode_tp()


def test_rp_has_no_letters() -> None:
    with pytest.raises(ValueError, match="no digit"):
        Address.of_text("Lab").encode_rp()
    with pytest.raises(ValueError, match="longer than 20 digits"):
        Address("1" * 21).encode_rp()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("", "cut in TP-DA"),
        ("02", "cut in TP-DA"),
        ("039121", "cut in TP-DA"),
        ("1591" + "11" * 11, "21 semi-octets"),
        ("ff91" + "11" * 11, "255 semi-octets"),
    ],
)
def test_what_is_no_tp_address(octets: str, why: str) -> None:
    with pytest.raises(SmsDecodeError, match=why):
        read_tp(Reader(bytes.fromhex(octets)), "TP-DA")


@pytest.mark.parametrize(
    ("octets", "why"), [("", "cut in RP"), ("0291", "cut in RP"), ("0c91" + "11" * 11, "12 octets")]
)
def test_what_is_no_rp_address(octets: str, why: str) -> None:
    with pytest.raises(SmsDecodeError, match=why):
        read_rp(Reader(bytes.fromhex(octets)), "RP-Destination Address")


def test_the_end_mark_ends_the_digits() -> None:
    assert read_tp(Reader(bytes.fromhex("048121f3")), "TP-DA").digits == "123"
    assert read_tp(Reader(bytes.fromhex("0381214f")), "TP-DA").digits == "12"
    assert read_rp(Reader(bytes.fromhex("0391214f")), "RP") == Address("12", TypeOfNumber.INTERNATIONAL)


def test_reserved_types_and_plans_are_kept() -> None:
    for kind in range(0x80, 0x100):
        octets = bytes((2, kind, 0x21))
        if kind >> 4 & 7 != TypeOfNumber.ALPHANUMERIC:
            assert read_tp(Reader(octets), "TP-DA").encode_tp() == octets


@pytest.mark.parametrize(
    ("configured", "address"),
    [
        (("1234", "unknown", "unknown"), Address("1234", TypeOfNumber.UNKNOWN, NumberingPlan.UNKNOWN)),
        (("+1234", "unknown", "unknown"), Address("1234", TypeOfNumber.INTERNATIONAL, NumberingPlan.ISDN)),
        (("1234", "national", "private"), Address("1234", TypeOfNumber.NATIONAL, NumberingPlan.PRIVATE)),
        (("+1234", "national", "national"), Address("1234", TypeOfNumber.NATIONAL, NumberingPlan.NATIONAL)),
    ],
)
def test_the_configured_centre(configured: tuple[str, str, str], address: Address) -> None:
    assert centre_address(*configured) == address
