"""SMS-SUBMIT: a message from a phone (TS 23.040 §9.2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.proto.sms.address import Address, read_tp
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.user_data import UserData, read_user_data
from libreims.proto.sms.validity import Validity, read_validity

SUBMIT = 1
"""TP-MTI in the direction from the phone."""


@dataclass(frozen=True, slots=True)
class Submit:
    """A short message on its way to the centre."""

    reference: int
    """TP-MR: comes back in a status report; 0 to 255."""
    destination: Address
    user_data: UserData
    pid: int = 0
    dcs: int = 0
    validity: Validity | None = None
    reject_duplicates: bool = False
    status_report_request: bool = False
    reply_path: bool = False

    def encode(self) -> bytes:
        """The TPDU. Raises ValueError for a value that does not fit."""
        validity = self.validity
        first = (
            SUBMIT
            | self.reject_duplicates << 2
            | (validity.format << 3 if validity is not None else 0)
            | self.status_report_request << 5
            | self.user_data.has_header << 6
            | self.reply_path << 7
        )
        return b"".join(
            (
                bytes((first, self.reference)),
                self.destination.encode_tp(),
                bytes((self.pid, self.dcs)),
                validity.encode() if validity is not None else b"",
                self.user_data.encode(),
            )
        )


def read_submit(reader: Reader, first: int) -> Submit:
    """What follows the first octet."""
    reference = reader.octet("TP-MR")
    destination = read_tp(reader, "TP-DA")
    pid = reader.octet("TP-PID")
    dcs = reader.octet("TP-DCS")
    validity = read_validity(reader, first >> 3 & 3)
    return Submit(
        reference,
        destination,
        read_user_data(reader, dcs, bool(first & 0x40)),
        pid,
        dcs,
        validity,
        reject_duplicates=bool(first & 0x04),
        status_report_request=bool(first & 0x20),
        reply_path=bool(first & 0x80),
    )
