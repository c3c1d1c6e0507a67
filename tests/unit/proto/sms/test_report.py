"""Reports of SUBMIT and DELIVER, in an RP-ACK and in an RP-ERROR."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_from_phone, decode_to_phone
from libreims.proto.sms.user_data import UserData
from support.sms import deliver_reports, submit_reports

NOW = Timestamp(b"1234567")


@given(st.booleans().flatmap(lambda error: st.tuples(st.just(error), deliver_reports(error))))
def test_deliver_report_again(found: tuple[bool, DeliverReport]) -> None:
    in_error, report = found
    assert decode_from_phone(report.encode(), in_error=in_error) == report


@given(st.booleans().flatmap(lambda error: st.tuples(st.just(error), submit_reports(error))))
def test_submit_report_again(found: tuple[bool, SubmitReport]) -> None:
    in_error, report = found
    assert decode_to_phone(report.encode(), in_error=in_error) == report


def test_octets() -> None:
    assert DeliverReport().encode().hex() == "0000"
    assert DeliverReport(FailureCause.MEMORY_CAPACITY_EXCEEDED).encode().hex() == "00d300"
    assert DeliverReport(pid=1, dcs=4, user_data=UserData.of_octets(b"a")).encode().hex() == "000701040161"
    assert SubmitReport(NOW).encode().hex() == "010031323334353637"
    assert SubmitReport(NOW, FailureCause.SC_BUSY, dcs=0).encode().hex() == "01c0023132333435363700"
    assert DeliverReport(user_data=UserData(0, b"", True)).encode().hex() == "400400"


def test_a_report_in_the_wrong_message_is_cut_or_something_else() -> None:
    """Nothing in the octets tells: this is why who decodes must say where they came from."""
    assert decode_from_phone(bytes.fromhex("00d300"), in_error=True) == DeliverReport(0xD3)
    with pytest.raises(SmsDecodeError, match="cut in TP-FCS"):
        decode_from_phone(b"\x00", in_error=True)
    with pytest.raises(SmsDecodeError, match="cut in TP-PI"):
        decode_from_phone(bytes.fromhex("00d3"), in_error=True)
