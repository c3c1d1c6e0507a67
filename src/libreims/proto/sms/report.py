"""Reports of SUBMIT and DELIVER, in an RP-ACK or RP-ERROR (TS 23.040 §9.2.2.1a, §9.2.2.2a).

In an RP-ERROR they have a TP-Failure-Cause.  Nothing in the octets says so: who decodes must know.
"""

from __future__ import annotations

from dataclasses import dataclass

from libreims.proto.sms.optional import encode_optional, indicator, read_indicator, read_optional
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import Timestamp, read_timestamp
from libreims.proto.sms.user_data import UserData

DELIVER_REPORT = 0
"""TP-MTI in the direction from the phone."""
SUBMIT_REPORT = 1
"""TP-MTI in the direction to the phone."""


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """What the phone says of an SMS-DELIVER or SMS-STATUS-REPORT."""

    failure_cause: int | None = None
    """TP-FCS, in an RP-ERROR only (`failure.FailureCause`)."""
    pid: int | None = None
    dcs: int | None = None
    user_data: UserData | None = None

    def encode(self) -> bytes:
        """The TPDU. Raises ValueError for a value that does not fit."""
        return b"".join(
            (
                _head(DELIVER_REPORT, self.failure_cause, self.user_data),
                bytes((indicator(self.pid, self.dcs, self.user_data),)),
                encode_optional(self.pid, self.dcs, self.user_data),
            )
        )


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """What the centre says of an SMS-SUBMIT or SMS-COMMAND."""

    timestamp: Timestamp
    """TP-SCTS: when the centre received it."""
    failure_cause: int | None = None
    """TP-FCS, in an RP-ERROR only (`failure.FailureCause`)."""
    pid: int | None = None
    dcs: int | None = None
    user_data: UserData | None = None

    def encode(self) -> bytes:
        """The TPDU. Raises ValueError for a value that does not fit."""
        return b"".join(
            (
                _head(SUBMIT_REPORT, self.failure_cause, self.user_data),
                bytes((indicator(self.pid, self.dcs, self.user_data),)),
                self.timestamp.octets,
                encode_optional(self.pid, self.dcs, self.user_data),
            )
        )


def read_deliver_report(reader: Reader, first: int, in_error: bool) -> DeliverReport:
    """What follows the first octet."""
    failure_cause = reader.octet("TP-FCS") if in_error else None
    present = read_indicator(reader)
    return DeliverReport(failure_cause, *read_optional(reader, present, bool(first & 0x40)))


def read_submit_report(reader: Reader, first: int, in_error: bool) -> SubmitReport:
    """What follows the first octet."""
    failure_cause = reader.octet("TP-FCS") if in_error else None
    present = read_indicator(reader)
    timestamp = read_timestamp(reader, "TP-SCTS")
    return SubmitReport(timestamp, failure_cause, *read_optional(reader, present, bool(first & 0x40)))


def _head(kind: int, failure_cause: int | None, user_data: UserData | None) -> bytes:
    first = kind | (user_data is not None and user_data.has_header) << 6
    return bytes((first,)) if failure_cause is None else bytes((first, failure_cause))
