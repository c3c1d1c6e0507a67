"""RP messages of both directions are read as they were written; what is wrong names cause and reference."""

from __future__ import annotations

import pytest
from hypothesis import given

from libreims.proto.sms import rp
from libreims.proto.sms.address import Address
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.rp import RpAck, RpData, RpError, RpMessage, RpSmma
from libreims.proto.sms.rp_cause import RpCause
from support.sms import rp_messages, rp_messages_from_phone

CENTRE = Address.of_number("+33600000000")
BOTH: list[RpMessage] = [
    RpData(1, CENTRE, b"tpdu"),
    RpData(0, None, b""),
    RpAck(255),
    RpAck(2, b"report"),
    RpError(3, RpCause.MEMORY_CAPACITY_EXCEEDED),
    RpError(4, RpCause.PROTOCOL_ERROR, b"\x05", b"report"),
]


@pytest.mark.parametrize("message", BOTH)
def test_both_directions(message: RpMessage) -> None:
    assert rp.decode_from_phone(rp.encode_from_phone(message)) == message
    assert rp.decode_to_phone(rp.encode_to_phone(message)) == message
    assert rp.encode_from_phone(message)[0] + 1 == rp.encode_to_phone(message)[0]


def test_memory_available_comes_from_a_phone_only() -> None:
    assert rp.encode_from_phone(RpSmma(9)) == b"\x06\x09"
    assert rp.decode_from_phone(b"\x06\x09") == RpSmma(9)
    with pytest.raises(ValueError, match="phones only"):
        rp.encode_to_phone(RpSmma(9))


def test_each_address_has_its_place() -> None:
    assert rp.encode_from_phone(RpData(1, CENTRE, b"")).hex() == "00010007913306000000f000"
    assert rp.encode_to_phone(RpData(1, CENTRE, b"")).hex() == "010107913306000000f00000"


@pytest.mark.parametrize("octets", ["0109", "0309", "0509", "0709"])
def test_the_other_direction_is_a_type_that_does_not_exist(octets: str) -> None:
    with pytest.raises(SmsDecodeError) as caught:
        rp.decode_from_phone(bytes.fromhex(octets))
    assert (caught.value.cause, caught.value.reference) == (RpCause.MESSAGE_TYPE_NON_EXISTENT, 9)


def test_what_is_cut_names_the_reference() -> None:
    whole = rp.encode_from_phone(RpData(77, CENTRE, b"tpdu"))
    for size in range(2, len(whole)):
        with pytest.raises(SmsDecodeError) as caught:
            rp.decode_from_phone(whole[:size])
        assert (caught.value.cause, caught.value.reference) == (RpCause.INVALID_MANDATORY_INFORMATION, 77)
    with pytest.raises(SmsDecodeError) as caught:
        rp.decode_from_phone(b"\x00")
    assert caught.value.reference is None


@given(rp_messages_from_phone)
def test_from_phone_again(message: RpMessage) -> None:
    assert rp.decode_from_phone(rp.encode_from_phone(message)) == message


@given(rp_messages)
def test_to_phone_again(message: RpMessage) -> None:
    assert rp.decode_to_phone(rp.encode_to_phone(message)) == message


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("0209", RpAck(9)),
        ("020941020000", RpAck(9, b"\x00\x00")),
        ("02094100", RpAck(9, b"")),
        ("0209a1410100", RpAck(9, b"\x00")),
        ("0209420155410100410101", RpAck(9, b"\x00")),
        ("04090196", RpError(9, 22)),
        ("0409021605", RpError(9, 22, b"\x05")),
        ("fa09", RpAck(9)),
        ("020941", RpAck(9)),
        ("02094103ff", RpAck(9)),
        ("0209420255", RpAck(9)),
        ("0409011641", RpError(9, 22)),
    ],
)
def test_optional_elements_and_spare_bits(octets: str, message: RpMessage) -> None:
    """Unknown elements are passed over; the first of a repeated one counts, one that is cut does not."""
    assert rp.decode_from_phone(bytes.fromhex(octets)) == message


@pytest.mark.parametrize(
    "octets",
    ["0409", "040900", "04090216", "000900" + "00" + "ea" + "00" * 234],
)
def test_bad_elements(octets: str) -> None:
    with pytest.raises(SmsDecodeError) as caught:
        rp.decode_from_phone(bytes.fromhex(octets))
    assert (caught.value.cause, caught.value.reference) == (RpCause.INVALID_MANDATORY_INFORMATION, 9)


@pytest.mark.parametrize(
    "message", [RpAck(256), RpData(1, None, bytes(234)), RpError(1, 300), RpAck(1, bytes(234))]
)
def test_what_does_not_fit(message: RpMessage) -> None:
    with pytest.raises(ValueError, match=r"256|234"):
        rp.encode_to_phone(message)
