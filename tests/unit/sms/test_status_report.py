"""SMS-STATUS-REPORT for who asked for one."""

from __future__ import annotations

from dataclasses import replace

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import Status
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.pending import Origin, Pending
from libreims.sms.status_report import status_report

ACCEPTED, NOW = Timestamp.at(1_800_000_000, 4), Timestamp.at(1_800_000_060, 4)
ORIGIN = Origin("alice", "tel:1", "call", 1, 77, Address.of_number("+2"), True)
PENDING = Pending(
    "m", "bob", "tel:2", Deliver(Address("1"), ACCEPTED, UserData.of_text("x")), 0, 9, origin=ORIGIN
)


def made(pending: Pending) -> Pending | None:
    return status_report(pending, Status.VALIDITY_PERIOD_EXPIRED, NOW, lambda: "new", 99.0)


def test_what_it_says_and_to_whom() -> None:
    report = made(PENDING)
    assert report is not None
    assert (report.id, report.impi, report.impu, report.expires_at) == ("new", "alice", "tel:1", 99.0)
    assert report.accepted_at == 1_800_000_060
    assert report.tpdu == StatusReport(77, Address.of_number("+2"), ACCEPTED, NOW, 0x46)
    assert report.origin is None


def test_who_wants_none_gets_none() -> None:
    assert made(PENDING.with_report(False)) is None
    assert made(replace(PENDING, origin=None)) is None
    assert made(replace(PENDING, origin=replace(ORIGIN, destination=None))) is None
    assert made(replace(PENDING, tpdu=StatusReport(1, Address("2"), NOW, NOW, 0))) is None
