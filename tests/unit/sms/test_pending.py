"""A message and its record."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.segments import segment
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.pending import Origin, Pending
from support import sms

NOW = Timestamp.at(1_800_000_000, 4)
PENDING = Pending(
    "id", "bob@ims.test", "tel:2", Deliver(Address("1"), NOW, UserData.of_text("Hello")), 10.0, 20.5
)
ORIGIN = Origin("alice@ims.test", "tel:1", "call", 7, 3, Address.of_number("+2"), True)


def again(pending: Pending) -> Pending:
    return Pending.read(pending.id, json.loads(json.dumps(pending.record())))


@pytest.mark.parametrize(
    "pending",
    [
        PENDING,
        replace(PENDING, dialled="tel:+2", from_='"A" <sip:a@b>', sos=True, single_shot=True, origin=ORIGIN),
        replace(PENDING, origin=Origin("trunk 192.0.2.1", "", "call", 1)),
        replace(PENDING, tpdu=StatusReport(3, Address("2"), NOW, NOW, 0x46)),
    ],
)
def test_a_record_is_read_as_it_was_written(pending: Pending) -> None:
    assert again(pending) == pending


@given(sms.delivers() | sms.status_reports())
def test_any_message_that_can_be_sent_is_kept(tpdu: Deliver | StatusReport) -> None:
    tpdu = replace(tpdu, more_messages=False)
    assert again(replace(PENDING, tpdu=tpdu)).tpdu.encode() == tpdu.encode()


@given(st.integers(0, 255), st.binary(max_size=140), st.booleans(), st.integers(0, 255))
def test_lengths_that_do_not_fit_are_kept(length: int, octets: bytes, header: bool, dcs: int) -> None:
    tpdu = Deliver(Address("1"), NOW, UserData(length, octets, header), dcs=dcs)
    assert again(replace(PENDING, tpdu=tpdu)).tpdu.encode() == tpdu.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"tpdu": "zz"},
        {"tpdu": "00"},
        {"tpdu": 5},
        {"impi": None, "tpdu": ""},
        {"accepted": "soon"},
        {"origin": {}},
        {"origin": {"impi": "a", "impu": "", "call_id": "c", "cseq": 1, "destination": [1]}},
        {"user_data": [1]},
    ],
)
def test_what_is_no_record_is_a_value_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Pending.read("id", {**PENDING.record(), **change})


def test_text_part_and_sender() -> None:
    assert (PENDING.text, PENDING.part, PENDING.sender) == ("Hello", None, "1")
    part = Deliver(Address("1"), NOW, segment("x" * 200, 9).parts[1])
    found = replace(PENDING, tpdu=part).part
    assert found is not None and (found.reference, found.total, found.number) == (9, 2, 2)
    octets = Deliver(Address("1"), NOW, UserData.of_octets(b"ab"), dcs=4)
    assert replace(PENDING, tpdu=octets).text is None
    report = replace(PENDING, tpdu=StatusReport(3, Address("2"), NOW, NOW, 0))
    assert (report.text, report.part, report.sender) == (None, None, "the SMS centre")


def test_a_report_is_wanted_or_not() -> None:
    pending = replace(PENDING, origin=ORIGIN)
    changed = pending.with_report(False)
    assert changed.origin is not None and not changed.origin.report
    assert changed.with_report(True) == pending
    assert PENDING.with_report(True) is PENDING
