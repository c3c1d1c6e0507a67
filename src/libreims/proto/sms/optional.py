"""TP-Parameter-Indicator and the optional fields that it announces (TS 23.040 §9.2.3.27).

TP-PID, TP-DCS and TP-UD at the end of reports and status reports.
"""

from __future__ import annotations

from typing import Final

from libreims.proto.sms.reader import Reader
from libreims.proto.sms.user_data import MAX_REPORT_OCTETS, UserData, read_user_data

PID: Final = 0x01
DCS: Final = 0x02
USER_DATA: Final = 0x04
EXTENSION: Final = 0x80


def indicator(pid: int | None, dcs: int | None, user_data: UserData | None) -> int:
    """The octet for what is present."""
    return (
        (PID if pid is not None else 0)
        | (DCS if dcs is not None else 0)
        | (USER_DATA if user_data is not None else 0)
    )


def encode_optional(pid: int | None, dcs: int | None, user_data: UserData | None) -> bytes:
    """The fields, in their order."""
    parts = bytes(each for each in (pid, dcs) if each is not None)
    return parts + user_data.encode(MAX_REPORT_OCTETS) if user_data is not None else parts


def read_indicator(reader: Reader) -> int:
    """The first octet; octets that extend it have no meaning so far and are passed over."""
    first = reader.octet("TP-PI")
    octet = first
    while octet & EXTENSION:
        octet = reader.octet("TP-PI")
    return first


def read_optional(
    reader: Reader, present: int, has_header: bool
) -> tuple[int | None, int | None, UserData | None]:
    """TP-PID, TP-DCS and user data, as far as they are present; reserved bits are ignored."""
    pid = reader.octet("TP-PID") if present & PID else None
    dcs = reader.octet("TP-DCS") if present & DCS else None
    if not present & USER_DATA:
        return pid, dcs, None
    return pid, dcs, read_user_data(reader, dcs or 0, has_header, MAX_REPORT_OCTETS)
