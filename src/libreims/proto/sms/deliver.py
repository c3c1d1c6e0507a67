"""SMS-DELIVER: a message to a phone (TS 23.040 §9.2.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.proto.sms.address import Address, read_tp
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import Timestamp, read_timestamp
from libreims.proto.sms.user_data import UserData, read_user_data

DELIVER = 0
"""TP-MTI in the direction to the phone."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """A short message on its way to the phone."""

    originator: Address
    timestamp: Timestamp
    """TP-SCTS: when the centre received it."""
    user_data: UserData
    pid: int = 0
    dcs: int = 0
    more_messages: bool = False
    """More wait in the centre (TP-MMS, whose bit says the contrary)."""
    loop_prevention: bool = False
    status_report_indication: bool = False
    reply_path: bool = False

    def encode(self) -> bytes:
        """The TPDU. Raises ValueError for a value that does not fit."""
        first = (
            DELIVER
            | (not self.more_messages) << 2
            | self.loop_prevention << 3
            | self.status_report_indication << 5
            | self.user_data.has_header << 6
            | self.reply_path << 7
        )
        return b"".join(
            (
                bytes((first,)),
                self.originator.encode_tp(),
                bytes((self.pid, self.dcs)),
                self.timestamp.octets,
                self.user_data.encode(),
            )
        )


def read_deliver(reader: Reader, first: int) -> Deliver:
    """What follows the first octet."""
    originator = read_tp(reader, "TP-OA")
    pid = reader.octet("TP-PID")
    dcs = reader.octet("TP-DCS")
    timestamp = read_timestamp(reader, "TP-SCTS")
    return Deliver(
        originator,
        timestamp,
        read_user_data(reader, dcs, bool(first & 0x40)),
        pid,
        dcs,
        more_messages=not first & 0x04,
        loop_prevention=bool(first & 0x08),
        status_report_indication=bool(first & 0x20),
        reply_path=bool(first & 0x80),
    )
