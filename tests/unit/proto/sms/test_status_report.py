"""SMS-STATUS-REPORT: each flag has its bit, each field its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from libreims.proto.sms.address import Address
from libreims.proto.sms.failure import Status
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_to_phone
from libreims.proto.sms.user_data import UserData
from support.sms import status_reports

PLAIN = StatusReport(
    7, Address.of_number("12"), Timestamp(b"1234567"), Timestamp(b"7654321"), Status.VALIDITY_PERIOD_EXPIRED
)


@given(status_reports())
def test_again(report: StatusReport) -> None:
    assert decode_to_phone(report.encode()) == report


def test_fields() -> None:
    assert PLAIN.encode().hex() == "0607" + "028121" + "31323334353637" + "37363534333231" + "46"
    full = replace(PLAIN, pid=1, dcs=4, user_data=UserData.of_octets(b"a"))
    assert full.encode() == PLAIN.encode() + bytes.fromhex("0701040161")


@pytest.mark.parametrize(
    ("changed", "bits"),
    [
        (replace(PLAIN, more_messages=True), 0x02),
        (replace(PLAIN, loop_prevention=True), 0x0E),
        (replace(PLAIN, of_command=True), 0x26),
        (replace(PLAIN, user_data=UserData(0, b"", True)), 0x46),
    ],
)
def test_flags(changed: StatusReport, bits: int) -> None:
    assert changed.encode()[0] == bits
