"""TS 24.011: RP and CP messages, their limits, their causes, and what is answered to bad ones."""

from __future__ import annotations

import pytest

from libreims.proto.sms import cp, rp
from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber
from libreims.proto.sms.cp import CpAck, CpCause, CpData, CpError, CpMessage, Transaction
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.rp import RpAck, RpData, RpError, RpMessage, RpSmma
from libreims.proto.sms.rp_cause import RpCause

CENTRE = Address("33600000000", TypeOfNumber.INTERNATIONAL)
PRIVATE = Address("123", TypeOfNumber.NATIONAL, NumberingPlan.PRIVATE)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("0001" + "00" + "07913306000000f0" + "02" + "0102", RpData(1, CENTRE, b"\x01\x02")),
        ("00ff" + "00" + "03a921f3" + "00", RpData(255, PRIVATE, b"")),
        ("0201", RpAck(1)),
        ("0201" + "4102" + "0000", RpAck(1, b"\x00\x00")),
        ("0401" + "0116", RpError(1, RpCause.MEMORY_CAPACITY_EXCEEDED)),
        ("0401" + "026f05" + "4103" + "00d300", RpError(1, RpCause.PROTOCOL_ERROR, b"\x05", b"\x00\xd3\x00")),
        ("0601", RpSmma(1)),
    ],
)
def test_s73_from_the_phone(octets: str, message: RpMessage) -> None:
    """§7.3, table 8.3: types 0, 2, 4, 6; the originator of RP-DATA is empty, the destination the centre."""
    assert rp.encode_from_phone(message).hex() == octets
    assert rp.decode_from_phone(bytes.fromhex(octets)) == message


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("0101" + "07913306000000f0" + "00" + "02" + "0102", RpData(1, CENTRE, b"\x01\x02")),
        ("0301", RpAck(1)),
        ("0301" + "4109" + "010099309251619580", RpAck(1, bytes.fromhex("010099309251619580"))),
        ("0501" + "0115", RpError(1, RpCause.TRANSFER_REJECTED)),
    ],
)
def test_s73_to_the_phone(octets: str, message: RpMessage) -> None:
    """§7.3, table 8.3: types 1, 3, 5; the originator of RP-DATA is the centre, the destination is empty."""
    assert rp.encode_to_phone(message).hex() == octets
    assert rp.decode_to_phone(bytes.fromhex(octets)) == message


def test_s822_the_type_has_three_bits() -> None:
    """§8.2.2: bits 3 to 1; the others are spare."""
    assert rp.decode_from_phone(b"\xfa\x01") == RpAck(1)
    assert rp.decode_from_phone(b"\x0e\x01") == RpSmma(1)


@pytest.mark.parametrize(
    ("decode", "octets"),
    [
        (rp.decode_from_phone, "0101"),
        (rp.decode_from_phone, "0301"),
        (rp.decode_from_phone, "0501"),
        (rp.decode_from_phone, "0701"),
        (rp.decode_to_phone, "0001"),
        (rp.decode_to_phone, "0201"),
        (rp.decode_to_phone, "0401"),
        (rp.decode_to_phone, "0601"),
        (rp.decode_to_phone, "0701"),
    ],
)
def test_s93_types_that_do_not_exist(decode, octets: str) -> None:  # type: ignore[no-untyped-def]
    """§9.3: a reserved type, or one of the other direction: cause 97, with the reference that came."""
    with pytest.raises(SmsDecodeError) as caught:
        decode(bytes.fromhex(octets))
    assert caught.value.cause == RpCause.MESSAGE_TYPE_NON_EXISTENT
    assert caught.value.reference == 1


@pytest.mark.parametrize(
    "octets",
    [
        "0007",
        "000700",
        "00070007913306",
        "00070007913306000000f0",
        "00070007913306000000f0" + "05" + "0102",
        "0007" + "00" + "0c91" + "11" * 11 + "00",
        "0007" + "00" + "0291f1" + "ea" + "00" * 234,
        "0407",
        "040700",
    ],
)
def test_s93_mandatory_elements(octets: str) -> None:
    """§9.3: a mandatory element that is missing or wrong: cause 96, with the reference that came."""
    with pytest.raises(SmsDecodeError) as caught:
        rp.decode_from_phone(bytes.fromhex(octets))
    assert caught.value.cause == RpCause.INVALID_MANDATORY_INFORMATION
    assert caught.value.reference == 7


def test_s93_too_short_for_a_reference() -> None:
    """§9.3: without a reference there is nothing that could be answered."""
    for octets in (b"", b"\x00", b"\x07"):
        with pytest.raises(SmsDecodeError) as caught:
            rp.decode_from_phone(octets)
        assert caught.value.reference is None


def test_s8253_user_data_has_at_most_233_octets() -> None:
    assert rp.decode_from_phone(rp.encode_from_phone(RpData(1, CENTRE, bytes(233))))
    with pytest.raises(ValueError, match="at most 233"):
        rp.encode_from_phone(RpData(1, CENTRE, bytes(234)))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "unassigned (unallocated) number"),
        (8, "operator determined barring"),
        (10, "call barred"),
        (11, "reserved"),
        (21, "short message transfer rejected"),
        (22, "memory capacity exceeded"),
        (27, "destination out of order"),
        (28, "unidentified subscriber"),
        (29, "facility rejected"),
        (30, "unknown subscriber"),
        (38, "network out of order"),
        (41, "temporary failure"),
        (42, "congestion"),
        (47, "resources unavailable, unspecified"),
        (50, "requested facility not subscribed"),
        (69, "requested facility not implemented"),
        (81, "invalid short message transfer reference value"),
        (95, "semantically incorrect message"),
        (96, "invalid mandatory information"),
        (97, "message type non-existent or not implemented"),
        (98, "message not compatible with short message protocol state"),
        (99, "information element non-existent or not implemented"),
        (111, "protocol error, unspecified"),
        (127, "interworking, unspecified"),
    ],
)
def test_s8254_causes(number: int, words: str) -> None:
    """§8.2.5.4, table 8.4; the first bit of the cause is an extension bit and no part of it."""
    assert RpCause(number).text == words
    for octet in (number, number | 0x80):
        assert rp.decode_to_phone(bytes((5, 9, 1, octet))) == RpError(9, number)
    assert len(RpCause) == 24


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("0901" + "02" + "0201", CpData(Transaction(0), b"\x02\x01")),
        ("8904", CpAck(Transaction(0, to_originator=True))),
        ("6910" + "51", CpError(Transaction(6), CpCause.INVALID_TRANSACTION_IDENTIFIER)),
    ],
)
def test_s72_connection_layer(octets: str, message: CpMessage) -> None:
    """§7.2, §8.1: protocol discriminator 9, transaction identifier, type 1, 4 or 16."""
    assert cp.encode(message).hex() == octets
    assert cp.decode(bytes.fromhex(octets)) == message


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        ("7901020201", CpCause.INVALID_TRANSACTION_IDENTIFIER),
        ("0902", CpCause.MESSAGE_TYPE_NON_EXISTENT),
        ("0901", CpCause.INVALID_MANDATORY_INFORMATION),
        ("09010302", CpCause.INVALID_MANDATORY_INFORMATION),
        ("0910", CpCause.INVALID_MANDATORY_INFORMATION),
        ("0504", CpCause.PROTOCOL_ERROR),
    ],
)
def test_s92_bad_messages_of_the_connection_layer(octets: str, cause: CpCause) -> None:
    """§9.2: what CP-ERROR would say."""
    with pytest.raises(SmsDecodeError) as caught:
        cp.decode(bytes.fromhex(octets))
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (17, "network failure"),
        (22, "congestion"),
        (81, "invalid transaction identifier value"),
        (95, "semantically incorrect message"),
        (96, "invalid mandatory information"),
        (97, "message type non-existent or not implemented"),
        (98, "message not compatible with the short message protocol state"),
        (99, "information element non-existent or not implemented"),
        (111, "protocol error, unspecified"),
    ],
)
def test_s8142_causes(number: int, words: str) -> None:
    """§8.1.4.2, table 8.2."""
    assert CpCause(number).text == words
    assert len(CpCause) == 9
