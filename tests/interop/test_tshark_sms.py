"""tshark's eyes on short messages that we write: nothing malformed, and it reads what we meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from libreims.proto.sms import rp
from libreims.proto.sms.address import Address
from libreims.proto.sms.coding import DataCoding
from libreims.proto.sms.command import Command
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp import RpData, RpError, RpMessage
from libreims.proto.sms.segments import segment
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import FromPhone, ToPhone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity
from support.process import needs
from support.sms_capture import Dissected, dissect, write_capture
from support.sms_corpus import Corpus

pytestmark = needs("tshark")

COUNT = 400
NUMBER = Address.of_number("+33600000124")
NOW = Timestamp.at(1_700_000_000, 4)
STRAY = "Trailing stray characters"
"""tshark says so of the SIP header, which it takes to reach into the body, when that has a zero octet."""
SCTS = ("year", "month", "day", "hour", "minutes", "seconds")
FIELDS = (
    *("_ws.malformed", "_ws.expert.message", "sip.Method"),
    *("gsm_a.rp.msg_type", "gsm_a.rp.rp_message_reference", "gsm_a.rp.cause"),
    *("gsm_a.dtap.cld_party_bcd_num",),
    *(
        f"gsm_sms.{each}"
        for each in ("tp-mti", "tp-mr", "tp-oa", "tp-da", "tp-ra", "tp-pid", "tp-dcs", "tp-vpf")
    ),
    *(
        f"gsm_sms.{each}"
        for each in ("tp-mms", "tp-lp", "tp-sri", "tp-srr", "tp-udhi", "tp-rp", "tp-rd", "tp-srq")
    ),
    *(f"gsm_sms.{each}" for each in ("tp-fcs", "sms_text", "sms_body", "tp.user_data_length")),
    *(f"gsm_sms.scts.{each}" for each in (*SCTS, "timezone")),
    *(f"gsm_sms.udh.mm.{each}" for each in ("msg_id", "msg_parts", "msg_part")),
    *("gsm_sms.destination_port", "gsm_sms.originator_port"),
    *("gsm_sms.vp.validity_period", "gsm_sms.vp.single_shot_sm"),
    *("gsm_sms.tp.message_number", "gsm_sms.tp.command_type", "gsm_sms.tp.command_data_length"),
    *("gsm_sms.dis_field.st_error", "gsm_sms.dis.field_st_reason"),
    *("gsm_sms.dis_field_addr.num_type", "gsm_sms.dis_field_addr.num_plan"),
)

Found = list[tuple[Dissected, bytes, RpMessage, FromPhone | ToPhone | None]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    file = tmp_path_factory.mktemp("sms") / "sms.pcap"
    messages = list(Corpus().messages(COUNT))
    write_capture(file, [octets for octets, _, _ in messages])
    dissected = dissect(file, FIELDS)
    assert len(dissected) == COUNT
    return [(seen, *message) for seen, message in zip(dissected, messages, strict=True)]


def test_nothing_is_malformed(found: Found) -> None:
    for seen, octets, _, _ in found:
        assert seen.text("sip.Method") == "MESSAGE"
        assert seen.all("_ws.malformed") == [], octets.hex()
        assert set(seen.all("_ws.expert.message")) <= {STRAY}, octets.hex()


def test_a_long_text_is_put_together(tmp_path: Path) -> None:
    """The parts of a text of each alphabet; the last packet shows the whole."""
    for number, text in enumerate(("[0123456789] " * 40 + "€", "жук 😀 " * 40)):
        file = tmp_path / f"{number}.pcap"
        segments = segment(text, 0x123, wide=bool(number))
        dcs = DataCoding(segments.alphabet).octet
        parts = [RpData(0, NUMBER, Deliver(NUMBER, NOW, part, dcs=dcs).encode()) for part in segments.parts]
        assert len(parts) >= 4
        write_capture(file, map(rp.encode_to_phone, parts))
        *first, last = dissect(file, ("_ws.malformed", "gsm_sms.sms_text"), together=True)
        assert [seen.all("_ws.malformed") for seen in first] == [[]] * len(first)
        assert "".join(last.all("gsm_sms.sms_text")) == text


def test_relay_layer(found: Found) -> None:
    for seen, octets, message, _ in found:
        assert seen.number("gsm_a.rp.msg_type") == octets[0]
        assert seen.number("gsm_a.rp.rp_message_reference") == message.reference
        if isinstance(message, RpData):
            assert message.centre is not None
            assert seen.text("gsm_a.dtap.cld_party_bcd_num") == message.centre.digits
        if isinstance(message, RpError):
            assert seen.number("gsm_a.rp.cause") == message.cause


def reads_address(seen: Dissected, field: str, address: Address) -> None:
    assert seen.text(field) == address.digits
    assert seen.number("gsm_sms.dis_field_addr.num_type") == address.type_of_number
    assert seen.number("gsm_sms.dis_field_addr.num_plan") == address.numbering_plan


def reads_time(seen: Dissected, *stamps: Timestamp) -> None:
    for number, stamp in enumerate(stamps):
        said = [int(seen.all(f"gsm_sms.scts.{each}")[number]) for each in SCTS]
        assert said == [octet % 16 * 10 + octet // 16 for octet in stamp.octets[:6]]
        assert stamp.zone is not None
        assert seen.numbers("gsm_sms.scts.timezone")[number] == abs(stamp.zone)


def reads_user_data(seen: Dissected, dcs: int, user_data: UserData) -> None:
    assert seen.number("gsm_sms.tp.user_data_length") == user_data.length
    text = user_data.text(dcs)
    part, ports = user_data.header.concatenation, user_data.header.ports
    if part:
        assert seen.number("gsm_sms.udh.mm.msg_id") == part.reference
        assert seen.number("gsm_sms.udh.mm.msg_parts") == part.total
        assert seen.number("gsm_sms.udh.mm.msg_part") == part.number
    if ports:
        assert seen.number("gsm_sms.destination_port") == ports.destination
        assert seen.number("gsm_sms.originator_port") == ports.origin
    elif text is not None:  # What goes to a port is not shown as text.
        assert seen.text("gsm_sms.sms_text") == text


def reads_optional(seen: Dissected, report: DeliverReport | SubmitReport) -> None:
    assert seen.numbers("gsm_sms.tp-fcs") == ([] if report.failure_cause is None else [report.failure_cause])
    assert seen.numbers("gsm_sms.tp-pid") == ([] if report.pid is None else [report.pid])
    if report.user_data is not None and report.dcs is not None:
        assert seen.number("gsm_sms.tp-dcs") == report.dcs
        reads_user_data(seen, report.dcs, report.user_data)


def reads_submit(seen: Dissected, submit: Submit) -> None:
    assert seen.number("gsm_sms.tp-mr") == submit.reference
    assert seen.number("gsm_sms.tp-pid") == submit.pid
    assert seen.number("gsm_sms.tp-dcs") == submit.dcs
    assert seen.number("gsm_sms.tp-rd") == submit.reject_duplicates
    assert seen.number("gsm_sms.tp-srr") == submit.status_report_request
    assert seen.number("gsm_sms.tp-udhi") == submit.user_data.has_header
    assert seen.number("gsm_sms.tp-rp") == submit.reply_path
    assert seen.number("gsm_sms.tp-vpf") == (submit.validity.format if submit.validity else 0)
    if isinstance(submit.validity, RelativeValidity):
        assert seen.number("gsm_sms.vp.validity_period") == submit.validity.value
    if isinstance(submit.validity, AbsoluteValidity):
        reads_time(seen, submit.validity.until)
    if isinstance(submit.validity, EnhancedValidity):
        assert seen.number("gsm_sms.vp.validity_period") == submit.validity.seconds
        assert seen.number("gsm_sms.vp.single_shot_sm") == submit.validity.single_shot
    reads_address(seen, "gsm_sms.tp-da", submit.destination)
    reads_user_data(seen, submit.dcs, submit.user_data)


def reads_deliver(seen: Dissected, deliver: Deliver) -> None:
    assert seen.number("gsm_sms.tp-pid") == deliver.pid
    assert seen.number("gsm_sms.tp-dcs") == deliver.dcs
    assert seen.number("gsm_sms.tp-mms") == (not deliver.more_messages)
    assert seen.number("gsm_sms.tp-lp") == deliver.loop_prevention
    assert seen.number("gsm_sms.tp-sri") == deliver.status_report_indication
    assert seen.number("gsm_sms.tp-udhi") == deliver.user_data.has_header
    assert seen.number("gsm_sms.tp-rp") == deliver.reply_path
    reads_address(seen, "gsm_sms.tp-oa", deliver.originator)
    reads_time(seen, deliver.timestamp)
    reads_user_data(seen, deliver.dcs, deliver.user_data)


def reads_status_report(seen: Dissected, report: StatusReport) -> None:
    assert seen.number("gsm_sms.tp-mr") == report.reference
    assert seen.number("gsm_sms.tp-mms") == (not report.more_messages)
    assert seen.number("gsm_sms.tp-lp") == report.loop_prevention
    assert seen.number("gsm_sms.tp-srq") == report.of_command
    assert seen.number("gsm_sms.dis_field.st_error") == report.status >> 5
    assert seen.number("gsm_sms.dis.field_st_reason") == report.status & 0x1F
    reads_address(seen, "gsm_sms.tp-ra", report.recipient)
    reads_time(seen, report.timestamp, report.discharge_time)


def reads_command(seen: Dissected, command: Command) -> None:
    assert seen.number("gsm_sms.tp-mr") == command.reference
    assert seen.number("gsm_sms.tp-pid") == command.pid
    assert seen.number("gsm_sms.tp-srr") == command.status_report_request
    assert seen.number("gsm_sms.tp.command_type") == command.command
    assert seen.number("gsm_sms.tp.message_number") == command.message_number
    assert seen.number("gsm_sms.tp.command_data_length") == len(command.data)
    reads_address(seen, "gsm_sms.tp-da", command.destination)


def reads_submit_report(seen: Dissected, report: SubmitReport) -> None:
    reads_time(seen, report.timestamp)
    reads_optional(seen, report)


TYPES: list[tuple[type[FromPhone | ToPhone], int, Callable[..., None]]] = [
    (Submit, 1, reads_submit),
    (Deliver, 0, reads_deliver),
    (StatusReport, 2, reads_status_report),
    (Command, 2, reads_command),
    (SubmitReport, 1, reads_submit_report),
    (DeliverReport, 0, reads_optional),
]


@pytest.mark.parametrize(("kind", "indicator", "reads"), TYPES, ids=[kind.__name__ for kind, _, _ in TYPES])
def test_transfer_layer(
    found: Found, kind: type[FromPhone | ToPhone], indicator: int, reads: Callable[..., None]
) -> None:
    contents = [(seen, content) for seen, _, _, content in found if isinstance(content, kind)]
    assert len(contents) >= COUNT // 20
    for seen, content in contents:
        assert seen.number("gsm_sms.tp-mti") == indicator
        reads(seen, content)
