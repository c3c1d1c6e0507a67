"""CP messages: CP-DATA, CP-ACK, CP-ERROR (TS 24.011 §7.2, §8.1), the layer below RP over NAS and SGs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader

PROTOCOL: Final = 9
"""Protocol discriminator of SMS messages (TS 24.007 §11.2.3.1.1)."""
DATA: Final = 0x01
ACK: Final = 0x04
ERROR: Final = 0x10
MAX_DATA: Final = 248
"""Octets of CP-User-Data, at most (§8.1.4.1)."""


class CpCause(IntEnum):
    """Causes of CP-ERROR (§8.1.4.2, table 8.2)."""

    NETWORK_FAILURE = 17
    CONGESTION = 22
    INVALID_TRANSACTION_IDENTIFIER = 81
    SEMANTICALLY_INCORRECT = 95
    INVALID_MANDATORY_INFORMATION = 96
    MESSAGE_TYPE_NON_EXISTENT = 97
    NOT_COMPATIBLE_WITH_STATE = 98
    INFORMATION_ELEMENT_NON_EXISTENT = 99
    PROTOCOL_ERROR = 111

    @property
    def text(self) -> str:
        """The words of TS 24.011."""
        return _TEXTS[self]


_TEXTS: Final = {
    CpCause.NETWORK_FAILURE: "network failure",
    CpCause.CONGESTION: "congestion",
    CpCause.INVALID_TRANSACTION_IDENTIFIER: "invalid transaction identifier value",
    CpCause.SEMANTICALLY_INCORRECT: "semantically incorrect message",
    CpCause.INVALID_MANDATORY_INFORMATION: "invalid mandatory information",
    CpCause.MESSAGE_TYPE_NON_EXISTENT: "message type non-existent or not implemented",
    CpCause.NOT_COMPATIBLE_WITH_STATE: "message not compatible with the short message protocol state",
    CpCause.INFORMATION_ELEMENT_NON_EXISTENT: "information element non-existent or not implemented",
    CpCause.PROTOCOL_ERROR: "protocol error, unspecified",
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """Transaction identifier (TS 24.007 §11.2.3.1.3)."""

    value: int
    """0 to 6; 7 is reserved."""
    to_originator: bool = False
    """TI flag: the message goes to the side that chose the value."""

    @property
    def answered(self) -> Transaction:
        """As the other side writes it."""
        return Transaction(self.value, not self.to_originator)


@dataclass(frozen=True, slots=True)
class CpData:
    """An RP message on its way (§7.2.1)."""

    transaction: Transaction
    user_data: bytes


@dataclass(frozen=True, slots=True)
class CpAck:
    """CP-DATA has come (§7.2.2)."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class CpError:
    """CP-DATA was not accepted (§7.2.3)."""

    transaction: Transaction
    cause: int
    """`CpCause`."""


CpMessage = CpData | CpAck | CpError


def encode(message: CpMessage) -> bytes:
    """The octets. Raises ValueError for a value that does not fit."""
    transaction = message.transaction
    if not 0 <= transaction.value <= 6:
        raise ValueError(f"transaction identifier {transaction.value} is not from 0 to 6")
    head = transaction.to_originator << 7 | transaction.value << 4 | PROTOCOL
    if isinstance(message, CpData):
        if len(message.user_data) > MAX_DATA:
            raise ValueError(
                f"CP-User-Data of {len(message.user_data)} octets, at most {MAX_DATA} are allowed"
            )
        return bytes((head, DATA, len(message.user_data))) + message.user_data
    if isinstance(message, CpAck):
        return bytes((head, ACK))
    return bytes((head, ERROR, message.cause))


def decode(octets: bytes) -> CpMessage:
    """Read a message of either side. Raises SmsDecodeError, nothing else."""
    reader = Reader(octets)
    head = reader.octet("protocol discriminator")
    if head & 15 != PROTOCOL:
        raise SmsDecodeError(CpCause.PROTOCOL_ERROR, f"protocol discriminator {head & 15} is not SMS")
    transaction = Transaction(head >> 4 & 7, bool(head & 0x80))
    if transaction.value == 7:
        raise SmsDecodeError(CpCause.INVALID_TRANSACTION_IDENTIFIER, "transaction identifier 7 is reserved")
    try:
        return _read(reader, transaction)
    except SmsDecodeError as error:
        error.transaction = transaction
        raise


def _read(reader: Reader, transaction: Transaction) -> CpMessage:
    kind = reader.octet("CP message type")
    if kind == DATA:
        size = reader.octet("CP-User-Data")
        if not 0 < size <= MAX_DATA:
            why = f"CP-User-Data of {size} octets, 1 to {MAX_DATA} are allowed"
            raise SmsDecodeError(CpCause.INVALID_MANDATORY_INFORMATION, why)
        return CpData(transaction, reader.octets(size, "CP-User-Data"))
    if kind == ACK:
        return CpAck(transaction)
    if kind == ERROR:
        return CpError(transaction, reader.octet("CP-Cause") & 0x7F)
    raise SmsDecodeError(CpCause.MESSAGE_TYPE_NON_EXISTENT, f"CP message type {kind:#04x} does not exist")
