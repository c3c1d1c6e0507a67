"""Short messages as a phone writes and reads them."""

from __future__ import annotations

import pytest

from libreims.proto.sms import rp
from libreims.proto.sms.address import Address, TypeOfNumber
from libreims.proto.sms.coding import Alphabet, coding
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.report import SubmitReport
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.ue.short_message import (
    SmsError,
    destination_of,
    refusal,
    status_text,
    submissions,
    summary,
)

NOW = Timestamp.at(1_800_000_000)


@pytest.mark.parametrize(
    ("uri", "number", "kind"),
    [
        ("tel:+15550101", "+15550101", TypeOfNumber.INTERNATIONAL),
        ("tel:1002;phone-context=ims.test", "1002", TypeOfNumber.UNKNOWN),
        ("sip:+15550101@ims.test;user=phone", "+15550101", TypeOfNumber.INTERNATIONAL),
        ("sip:1002@ims.test", "1002", TypeOfNumber.UNKNOWN),
        ("tel:*100%23", "*100#", TypeOfNumber.UNKNOWN),
    ],
)
def test_destinations(uri: str, number: str, kind: TypeOfNumber) -> None:
    address = destination_of(uri)
    assert (address.number, address.type_of_number) == (number, kind)


@pytest.mark.parametrize("uri", ["sip:bob@ims.test", "sip:ims.test", "tel:", "urn:service:sos"])
def test_a_short_message_needs_a_number(uri: str) -> None:
    with pytest.raises(SmsError):
        destination_of(uri)


def test_a_long_text_has_parts_with_references_of_their_own() -> None:
    parts = submissions(Address("1002"), "x" * 400, 254, reference=9, report=True)
    assert [each.reference for each in parts] == [254, 255, 0]
    assert all(each.status_report_request for each in parts)
    found = [each.user_data.header.concatenation for each in parts]
    assert [(each.reference, each.total, each.number) for each in found if each] == [
        (9, 3, 1),
        (9, 3, 2),
        (9, 3, 3),
    ]
    (single,) = submissions(Address("1002"), "\u20ac \U0001f4f1", 1, reference=1)
    assert coding(single.dcs).alphabet is Alphabet.UCS2 and not single.user_data.has_header
    with pytest.raises(SmsError, match="cannot be sent"):
        submissions(Address("1002"), "x" * 50_000, 1, reference=1)


def test_refusals_in_words() -> None:
    assert str(refusal(rp.RpError(1, 1))).startswith("RP-ERROR 1 unassigned")
    report = SubmitReport(NOW, failure_cause=0xC3).encode()
    assert str(refusal(rp.RpError(1, 21, user_data=report))).endswith("0xc3 invalid SME address")
    assert "cannot be read" in str(refusal(rp.RpError(1, 21, user_data=b"\x01")))
    assert refusal(rp.RpError(1, 200)).cause == 200


def test_reports_in_words() -> None:
    report = StatusReport(7, Address("1002"), NOW, NOW, 0)
    assert status_text(report) == "message 7 to 1002: received"
    assert status_text(StatusReport(7, Address("1002"), NOW, NOW, 0x1F)).endswith("status 0x1f")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            rp.encode_from_phone(
                rp.RpData(3, Address("1"), submissions(Address("2"), "Hello", 1, reference=1)[0].encode())
            ),
            "RP-DATA 3 SUBMIT 'Hello'",
        ),
        (
            rp.encode_from_phone(
                rp.RpData(3, None, submissions(Address("2"), "y" * 200, 1, reference=1)[1].encode())
            ),
            "RP-DATA 3 SUBMIT 2/2 'yyyyyyyyyyyyyyyyyyyyyyy…'",
        ),
        (
            rp.encode_to_phone(
                rp.RpData(4, None, Deliver(Address("2"), NOW, UserData.of_octets(b"\1"), dcs=4).encode())
            ),
            "RP-DATA 4 DELIVER with data",
        ),
        (
            rp.encode_to_phone(rp.RpData(4, None, StatusReport(7, Address("2"), NOW, NOW, 0).encode())),
            "RP-DATA 4 STATUS-REPORT",
        ),
        (rp.encode_to_phone(rp.RpAck(5)), "RP-ACK 5"),
        (rp.encode_from_phone(rp.RpError(6, 22)), "RP-ERROR 6 cause 22"),
        (rp.encode_from_phone(rp.RpSmma(7)), "RP-SMMA 7"),
        (
            rp.encode_to_phone(rp.RpData(8, None, b"\0")),
            "RP-DATA 8 with a TPDU that cannot be read (TP-OA is cut (cause 96))",
        ),
        (b"", "RP that cannot be read"),
        (b"\1\2\3", "RP that cannot be read"),
    ],
)
def test_summaries(body: bytes, said: str) -> None:
    assert summary(body).startswith(said[:40]) if "cannot" in said else summary(body) == said
