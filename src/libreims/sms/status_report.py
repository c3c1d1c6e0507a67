"""SMS-STATUS-REPORT: the sender of a message hears what became of it (TS 23.040 §9.2.2.3)."""

from __future__ import annotations

from collections.abc import Callable

from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import Status
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.pending import Pending


def status_report(
    pending: Pending, status: Status, now: Timestamp, new_id: Callable[[], str], expires_at: float
) -> Pending | None:
    """The report for the sender of a message that has left the centre; None where it wants none."""
    origin, tpdu = pending.origin, pending.tpdu
    if origin is None or origin.destination is None or not origin.report or not isinstance(tpdu, Deliver):
        return None
    report = StatusReport(origin.reference, origin.destination, tpdu.timestamp, now, status)
    return Pending(new_id(), origin.impi, origin.impu, report, now.utc or 0.0, expires_at)
