"""Which TPDU it is, in each direction; every type is read as it was written."""

from __future__ import annotations

import pytest

from libreims.proto.sms.address import Address
from libreims.proto.sms.coding import Alphabet
from libreims.proto.sms.command import Command, CommandType
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import FromPhone, ToPhone, decode_from_phone, decode_to_phone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import RelativeValidity

NUMBER = Address.of_number("+33600000124")
NOW = Timestamp.at(1_700_000_000, 4)
HELLO = UserData.of_text("hello")

FROM_PHONE: list[FromPhone] = [
    Submit(7, NUMBER, HELLO),
    Submit(
        255,
        Address.of_number("1000"),
        UserData.of_text("жук", Alphabet.UCS2),
        pid=0x41,
        dcs=8,
        validity=RelativeValidity(167),
        reject_duplicates=True,
        status_report_request=True,
        reply_path=True,
    ),
    Command(3, CommandType.DELETE, 7, NUMBER, data=b"abc", status_report_request=True),
    DeliverReport(),
    DeliverReport(pid=1, dcs=4, user_data=UserData.of_octets(b"\x01\x02")),
]
TO_PHONE: list[ToPhone] = [
    Deliver(NUMBER, NOW, HELLO),
    Deliver(
        Address.of_text("Lab"),
        NOW,
        UserData.of_octets(b"\x00\xff"),
        pid=1,
        dcs=4,
        more_messages=True,
        loop_prevention=True,
        status_report_indication=True,
        reply_path=True,
    ),
    StatusReport(7, NUMBER, NOW, NOW, Status.RECEIVED),
    StatusReport(7, NUMBER, NOW, NOW, Status.DOES_NOT_EXIST, True, True, True, 1, 0, HELLO),
    SubmitReport(NOW),
    SubmitReport(NOW, pid=2),
]


@pytest.mark.parametrize("tpdu", FROM_PHONE)
def test_from_phone(tpdu: FromPhone) -> None:
    assert decode_from_phone(tpdu.encode()) == tpdu


@pytest.mark.parametrize("tpdu", TO_PHONE)
def test_to_phone(tpdu: ToPhone) -> None:
    assert decode_to_phone(tpdu.encode()) == tpdu


def test_reports_of_an_error() -> None:
    deliver = DeliverReport(FailureCause.MEMORY_CAPACITY_EXCEEDED)
    submit = SubmitReport(NOW, FailureCause.SC_BUSY, dcs=0)
    assert decode_from_phone(deliver.encode(), in_error=True) == deliver
    assert decode_to_phone(submit.encode(), in_error=True) == submit


def test_a_reserved_type_from_a_phone_is_an_error() -> None:
    with pytest.raises(SmsDecodeError) as caught:
        decode_from_phone(b"\x03")
    assert caught.value.cause == RpCause.MESSAGE_TYPE_NON_EXISTENT


def test_a_reserved_type_to_a_phone_counts_as_deliver() -> None:
    octets = Deliver(NUMBER, NOW, HELLO).encode()
    assert decode_to_phone(bytes((octets[0] | 3,)) + octets[1:]) == decode_to_phone(octets)


def test_a_tpdu_that_is_cut_anywhere_is_an_error() -> None:
    for whole in (tpdu.encode() for tpdu in FROM_PHONE):
        for size in range(len(whole)):
            with pytest.raises(SmsDecodeError) as caught:
                decode_from_phone(whole[:size])
            assert caught.value.cause == RpCause.INVALID_MANDATORY_INFORMATION
