"""SMS-DELIVER: each flag has its bit, each field its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_to_phone
from libreims.proto.sms.user_data import UserData
from support.sms import delivers

PLAIN = Deliver(Address.of_number("12"), Timestamp(b"1234567"), UserData())


@given(delivers())
def test_again(deliver: Deliver) -> None:
    assert decode_to_phone(deliver.encode()) == deliver


def test_fields() -> None:
    full = replace(PLAIN, pid=0x7F, dcs=0xF6, user_data=UserData.of_octets(b"\xab"))
    assert full.encode().hex() == "04" + "028121" + "7ff6" + "31323334353637" + "01ab"


@pytest.mark.parametrize(
    ("changed", "bits"),
    [
        (PLAIN, 0x04),
        (replace(PLAIN, more_messages=True), 0x00),
        (replace(PLAIN, loop_prevention=True), 0x0C),
        (replace(PLAIN, status_report_indication=True), 0x24),
        (replace(PLAIN, user_data=UserData(0, b"", True)), 0x44),
        (replace(PLAIN, reply_path=True), 0x84),
    ],
)
def test_flags(changed: Deliver, bits: int) -> None:
    assert changed.encode()[0] == bits
