"""SMS-STATUS-REPORT: what became of a message, to its sender (TS 23.040 §9.2.2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.proto.sms.address import Address, read_tp
from libreims.proto.sms.optional import encode_optional, indicator, read_indicator, read_optional
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import Timestamp, read_timestamp
from libreims.proto.sms.user_data import UserData

STATUS_REPORT = 2
"""TP-MTI in the direction to the phone."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The fate of an SMS-SUBMIT or the result of an SMS-COMMAND."""

    reference: int
    """TP-MR of the message that it is about."""
    recipient: Address
    timestamp: Timestamp
    """TP-SCTS: when the centre received the message."""
    discharge_time: Timestamp
    """TP-DT: when it was delivered, or when the centre last tried."""
    status: int
    """TP-ST (`failure.Status`)."""
    more_messages: bool = False
    loop_prevention: bool = False
    of_command: bool = False
    """The result of an SMS-COMMAND (TP-SRQ)."""
    pid: int | None = None
    dcs: int | None = None
    user_data: UserData | None = None

    def encode(self) -> bytes:
        """The TPDU; without optional fields it ends with the status. Raises ValueError for a misfit."""
        first = (
            STATUS_REPORT
            | (not self.more_messages) << 2
            | self.loop_prevention << 3
            | self.of_command << 5
            | (self.user_data is not None and self.user_data.has_header) << 6
        )
        present = indicator(self.pid, self.dcs, self.user_data)
        return b"".join(
            (
                bytes((first, self.reference)),
                self.recipient.encode_tp(),
                self.timestamp.octets,
                self.discharge_time.octets,
                bytes((self.status, present)) if present else bytes((self.status,)),
                encode_optional(self.pid, self.dcs, self.user_data),
            )
        )


def read_status_report(reader: Reader, first: int) -> StatusReport:
    """What follows the first octet."""
    reference = reader.octet("TP-MR")
    recipient = read_tp(reader, "TP-RA")
    timestamp = read_timestamp(reader, "TP-SCTS")
    discharge_time = read_timestamp(reader, "TP-DT")
    status = reader.octet("TP-ST")
    present = read_indicator(reader) if reader.left else 0
    pid, dcs, user_data = read_optional(reader, present, bool(first & 0x40))
    return StatusReport(
        reference,
        recipient,
        timestamp,
        discharge_time,
        status,
        more_messages=not first & 0x04,
        loop_prevention=bool(first & 0x08),
        of_command=bool(first & 0x20),
        pid=pid,
        dcs=dcs,
        user_data=user_data,
    )
