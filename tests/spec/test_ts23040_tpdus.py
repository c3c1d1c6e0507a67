"""TS 23.040 §9.2.2, TPDUs of both directions: octets on the wire; what receivers do with reserved values."""

from __future__ import annotations

import pytest

from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber
from libreims.proto.sms.coding import Alphabet
from libreims.proto.sms.command import Command, CommandType
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.header import Concatenation, Header
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import FromPhone, ToPhone, decode_from_phone, decode_to_phone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity

NUMBER = Address("46708251358", TypeOfNumber.INTERNATIONAL)
STAMP = Timestamp(bytes.fromhex("99309251619580"))
PART = Header((Concatenation(0xCC, 2, 1).element(),))


@pytest.mark.parametrize(
    ("octets", "submit"),
    [
        (
            "1100" + "0b916407281553f8" + "0000" + "aa" + "0a" + "e8329bfd4697d9ec37",
            Submit(0, NUMBER, UserData.of_text("hellohello"), validity=RelativeValidity(0xAA)),
        ),
        (
            "017b" + "04812143" + "0008" + "04" + "04360443",
            Submit(123, Address("1234"), UserData.of_text("жу", Alphabet.UCS2), dcs=8),
        ),
        (
            "bd01" + "0381" + "21f3" + "41f1" + "99309251619580" + "00",
            Submit(
                *(1, Address("123"), UserData(), 0x41, 0xF1, AbsoluteValidity(STAMP)),
                reject_duplicates=True,
                status_report_request=True,
                reply_path=True,
            ),
        ),
        (
            "4901" + "0381" + "21f3" + "0004" + "423c0000000000" + "07" + "050003cc0201" + "ff",
            Submit(
                *(1, Address("123"), UserData.of_octets(b"\xff", PART)),
                dcs=4,
                validity=EnhancedValidity.of_seconds(60, single_shot=True),
            ),
        ),
    ],
)
def test_s9222_submit(octets: str, submit: Submit) -> None:
    """§9.2.2.2: MTI 01, RD, VPF, SRR, UDHI, RP; MR, DA, PID, DCS, VP, UDL, UD."""
    assert submit.encode().hex() == octets
    assert decode_from_phone(bytes.fromhex(octets)) == submit


@pytest.mark.parametrize(
    ("octets", "deliver"),
    [
        (
            "04" + "0bc87238880900f1" + "0000" + "99309251619580" + "0a" + "e8329bfd4697d9ec37",
            Deliver(
                Address("27838890001", TypeOfNumber.SUBSCRIBER, NumberingPlan.NATIONAL),
                STAMP,
                UserData.of_text("hellohello"),
            ),
        ),
        (
            "e8" + "06d0ccb018" + "7f04" + "99309251619580" + "07" + "050003cc0201" + "ff",
            Deliver(
                *(Address.of_text("Lab"), STAMP, UserData.of_octets(b"\xff", PART), 0x7F, 4),
                more_messages=True,
                loop_prevention=True,
                status_report_indication=True,
                reply_path=True,
            ),
        ),
    ],
)
def test_s9221_deliver(octets: str, deliver: Deliver) -> None:
    """§9.2.2.1: MTI 00, MMS (0 when more wait), LP, SRI, UDHI, RP; OA, PID, DCS, SCTS, UDL, UD."""
    assert deliver.encode().hex() == octets
    assert decode_to_phone(bytes.fromhex(octets)) == deliver


@pytest.mark.parametrize(
    ("octets", "report", "in_error"),
    [
        ("0000", DeliverReport(), False),
        ("00d300", DeliverReport(FailureCause.MEMORY_CAPACITY_EXCEEDED), True),
        ("00d5" + "03" + "7ff6", DeliverReport(FailureCause.SIM_DATA_DOWNLOAD_ERROR, 0x7F, 0xF6), True),
        (
            "40" + "07" + "7ff6" + "08" + "0270000102030405",
            DeliverReport(None, 0x7F, 0xF6, UserData(8, bytes.fromhex("0270000102030405"), True)),
            False,
        ),
    ],
)
def test_s9221a_deliver_report(octets: str, report: DeliverReport, in_error: bool) -> None:
    """§9.2.2.1a: MTI 00, UDHI; FCS in an RP-ERROR; PI, PID, DCS, UDL, UD."""
    assert report.encode().hex() == octets
    assert decode_from_phone(bytes.fromhex(octets), in_error=in_error) == report


@pytest.mark.parametrize(
    ("octets", "report", "in_error"),
    [
        ("0100" + "99309251619580", SubmitReport(STAMP), False),
        ("01c000" + "99309251619580", SubmitReport(STAMP, FailureCause.SC_BUSY), True),
        (
            "01" + "05" + "99309251619580" + "00" + "01" + "61",
            SubmitReport(STAMP, pid=0, user_data=UserData.of_text("a")),
            False,
        ),
    ],
)
def test_s9222a_submit_report(octets: str, report: SubmitReport, in_error: bool) -> None:
    """§9.2.2.2a: MTI 01, UDHI; FCS in an RP-ERROR; PI, SCTS, PID, DCS, UDL, UD."""
    assert report.encode().hex() == octets
    assert decode_to_phone(bytes.fromhex(octets), in_error=in_error) == report


@pytest.mark.parametrize(
    ("octets", "report"),
    [
        (
            "0607" + "0b916407281553f8" + "99309251619580" * 2 + "00",
            StatusReport(7, NUMBER, STAMP, STAMP, Status.RECEIVED),
        ),
        (
            "2a07" + "0b916407281553f8" + "99309251619580" * 2 + "49" + "01" + "00",
            StatusReport(7, NUMBER, STAMP, STAMP, Status.DOES_NOT_EXIST, True, True, True, pid=0),
        ),
    ],
)
def test_s9223_status_report(octets: str, report: StatusReport) -> None:
    """§9.2.2.3: MTI 10, MMS, LP, SRQ, UDHI; MR, RA, SCTS, DT, ST and, when announced, PI and what follows."""
    assert report.encode().hex() == octets
    assert decode_to_phone(bytes.fromhex(octets)) == report


@pytest.mark.parametrize(
    ("octets", "command"),
    [
        ("0205" + "00" + "02" + "07" + "04812143" + "00", Command(5, CommandType.DELETE, 7, Address("1234"))),
        (
            "6205" + "1f" + "e0" + "07" + "04812143" + "03" + "0270ff",
            Command(5, 0xE0, 7, Address("1234"), 0x1F, bytes.fromhex("0270ff"), True, True),
        ),
    ],
)
def test_s9224_command(octets: str, command: Command) -> None:
    """§9.2.2.4: MTI 10, UDHI, SRR; MR, PID, CT, MN, DA, CDL, CD."""
    assert command.encode().hex() == octets
    assert decode_from_phone(bytes.fromhex(octets)) == command


def test_s9231_reserved_type() -> None:
    """§9.2.3.1: a phone takes a reserved type for an SMS-DELIVER; in the other direction it is an error."""
    octets = bytes.fromhex("07" + "04812143" + "0000" + "99309251619580" + "00")
    assert decode_to_phone(octets) == Deliver(Address("1234"), STAMP, UserData())
    with pytest.raises(SmsDecodeError):
        decode_from_phone(octets)


@pytest.mark.parametrize(
    ("direction", "octets"),
    [
        (decode_from_phone, "0100" + "04812143" + "0000" + "00"),
        (decode_from_phone, "020500020704812143" + "00"),
        (decode_to_phone, "04" + "04812143" + "0000" + "99309251619580" + "00"),
        (decode_to_phone, "0607" + "04812143" + "99309251619580" * 2 + "00"),
    ],
)
def test_unused_bits_are_ignored(direction, octets: str) -> None:  # type: ignore[no-untyped-def]
    """§9.2.2: bits of the first octet that a type does not use are ignored by the receiver."""
    plain = direction(bytes.fromhex(octets))
    unused = {Submit: 0, Command: 0x9C, Deliver: 0x10, StatusReport: 0x90}[type(plain)]
    spoilt = bytearray.fromhex(octets)
    spoilt[0] |= unused
    assert direction(bytes(spoilt)) == plain


def test_s92327_reserved_bits_of_the_indicator() -> None:
    """§9.2.3.27: reserved bits are ignored, extension octets passed over."""
    assert decode_from_phone(bytes.fromhex("0078")) == DeliverReport()
    assert decode_from_phone(bytes.fromhex("0081" + "00" + "7f")) == DeliverReport(pid=0x7F)


@pytest.mark.parametrize(
    "longest",
    [
        Submit(0, Address("1" * 20), UserData.of_text("a" * 160), validity=AbsoluteValidity(STAMP)),
        Deliver(Address("1" * 20), STAMP, UserData.of_text("a" * 160)),
    ],
)
def test_the_longest_messages_fit_an_rpdu(longest: FromPhone | ToPhone) -> None:
    """§9.2.2: TP-UD has at most 140 octets, an address 12, so no TPDU has more than 164."""
    assert len(longest.encode()) <= 164
