"""SMS-COMMAND: a phone asks about, or deletes, a message that it sent (TS 23.040 §9.2.2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from libreims.proto.sms.address import Address, read_tp
from libreims.proto.sms.reader import Reader

COMMAND = 2
"""TP-MTI in the direction from the phone."""


class CommandType(IntEnum):
    """TP-CT (§9.2.3.19); 0xE0 to 0xFF are specific to a centre, the others reserved."""

    ENQUIRY = 0
    CANCEL_STATUS_REPORT = 1
    DELETE = 2
    ENABLE_STATUS_REPORT = 3


@dataclass(frozen=True, slots=True)
class Command:
    """An operation on a message in the centre."""

    reference: int
    """TP-MR of the command itself."""
    command: int
    """TP-CT (`CommandType`)."""
    message_number: int
    """TP-MN: the TP-MR of the message that it is about."""
    destination: Address
    """TP-DA: to whom that message goes."""
    pid: int = 0
    data: bytes = b""
    has_header: bool = False
    status_report_request: bool = False

    def encode(self) -> bytes:
        """The TPDU. Raises ValueError for a value that does not fit."""
        if len(self.data) > 157:
            raise ValueError(f"command data of {len(self.data)} octets, at most 157 are allowed")
        first = COMMAND | self.status_report_request << 5 | self.has_header << 6
        return b"".join(
            (
                bytes((first, self.reference, self.pid, self.command, self.message_number)),
                self.destination.encode_tp(),
                bytes((len(self.data),)),
                self.data,
            )
        )


def read_command(reader: Reader, first: int) -> Command:
    """What follows the first octet."""
    reference = reader.octet("TP-MR")
    pid = reader.octet("TP-PID")
    command = reader.octet("TP-CT")
    message_number = reader.octet("TP-MN")
    destination = read_tp(reader, "TP-DA")
    data = reader.octets(reader.octet("TP-CDL"), "TP-CD")
    return Command(
        reference,
        command,
        message_number,
        destination,
        pid,
        data,
        has_header=bool(first & 0x40),
        status_report_request=bool(first & 0x20),
    )
