"""CP messages are read as they were written; what is wrong names cause and transaction."""

from __future__ import annotations

import pytest
from hypothesis import given

from libreims.proto.sms import cp
from libreims.proto.sms.cp import CpAck, CpCause, CpData, CpError, CpMessage, Transaction
from libreims.proto.sms.errors import SmsDecodeError
from support.sms import cp_messages


@given(cp_messages)
def test_again(message: CpMessage) -> None:
    assert cp.decode(cp.encode(message)) == message


def test_octets() -> None:
    assert cp.encode(CpData(Transaction(0), b"rp")).hex() == "0901027270"
    assert cp.encode(CpAck(Transaction(3, to_originator=True))).hex() == "b904"
    assert cp.encode(CpError(Transaction(6), CpCause.CONGESTION)).hex() == "691016"


def test_the_other_side_turns_the_flag() -> None:
    ours = Transaction(2)
    assert ours.answered == Transaction(2, to_originator=True)
    assert ours.answered.answered == ours


@pytest.mark.parametrize(
    ("octets", "cause", "transaction"),
    [
        ("", CpCause.INVALID_MANDATORY_INFORMATION, None),
        ("0804", CpCause.PROTOCOL_ERROR, None),
        ("7904", CpCause.INVALID_TRANSACTION_IDENTIFIER, None),
        ("19", CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1)),
        ("1902", CpCause.MESSAGE_TYPE_NON_EXISTENT, Transaction(1)),
        ("9901", CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1, True)),
        ("190100", CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1)),
        ("1901027f", CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1)),
        ("1901f9" + "00" * 249, CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1)),
        ("1910", CpCause.INVALID_MANDATORY_INFORMATION, Transaction(1)),
    ],
)
def test_what_is_wrong(octets: str, cause: CpCause, transaction: Transaction | None) -> None:
    with pytest.raises(SmsDecodeError) as caught:
        cp.decode(bytes.fromhex(octets))
    assert (caught.value.cause, caught.value.transaction) == (cause, transaction)


@pytest.mark.parametrize("message", [CpAck(Transaction(7)), CpData(Transaction(0), bytes(249))])
def test_what_does_not_fit(message: CpMessage) -> None:
    with pytest.raises(ValueError, match=r"transaction identifier 7|249 octets"):
        cp.encode(message)


@pytest.mark.parametrize("cause", list(CpCause))
def test_every_cause_has_words(cause: CpCause) -> None:
    assert cause.text
