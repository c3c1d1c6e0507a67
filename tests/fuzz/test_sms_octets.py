"""Any octets, and messages with some octets changed: a short message is read, or it is the one error.

What was read can be looked at in every way without an error, and written again without a change.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms import cp, rp
from libreims.proto.sms.address import Address, read_rp, read_tp
from libreims.proto.sms.alphabet import GSM7, pack, unpack
from libreims.proto.sms.coding import coding
from libreims.proto.sms.command import Command
from libreims.proto.sms.cp import CpCause
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.header import parse_header
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.reassembly import Reassembly, joined_text
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp import RpAck, RpData, RpError
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import FromPhone, ToPhone, decode_from_phone, decode_to_phone
from libreims.proto.sms.user_data import UserData
from support.sms_corpus import Corpus

CORPUS = list(Corpus(7).messages(300))
RELAYED = [octets for octets, _, _ in CORPUS]
CARRIED = [content.encode() for _, _, content in CORPUS if content is not None]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """A message with octets changed, put in, or cut off."""
    octets = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(octets) - 1)))
        what = draw(st.integers(0, 3))
        if what == 0:
            octets[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif what == 1:
            octets[place:place] = draw(st.binary(max_size=3))
        elif what == 2:
            del octets[place:]
        else:
            del octets[place : place + draw(st.integers(1, 3))]
    return bytes(octets)


noise = st.binary(max_size=60)


def look_at_address(address: Address) -> None:
    assert isinstance(address.number, str)
    assert address.is_number or not address.digits.startswith("\x1b")


def look_at_user_data(user_data: UserData, dcs: int) -> None:
    text = user_data.text(dcs)
    assert (text is None) or "\x1b" not in text
    assert len(user_data.data(dcs)) <= 160
    header = user_data.header
    _ = header.ports, header.single_shift, header.locking_shift
    part = header.concatenation
    if part:
        assert 1 <= part.number <= part.total
        Reassembly().add("sender", part, user_data)
    joined_text([user_data, user_data], dcs)


def look_at_time(stamp: Timestamp) -> None:
    assert stamp.utc is None or isinstance(stamp.utc, float)
    assert stamp.zone is None or -79 <= stamp.zone <= 79
    assert len(str(stamp)) == 14


def look_at(content: FromPhone | ToPhone) -> None:
    if isinstance(content, Submit):
        look_at_address(content.destination)
        look_at_user_data(content.user_data, content.dcs)
        if content.validity:
            deadline = content.validity.deadline(1_700_000_000.0)
            assert deadline is None or isinstance(deadline, float)
            assert content.validity.single_shot in (True, False)
    elif isinstance(content, Deliver):
        look_at_address(content.originator)
        look_at_time(content.timestamp)
        look_at_user_data(content.user_data, content.dcs)
    elif isinstance(content, StatusReport):
        look_at_address(content.recipient)
        look_at_time(content.timestamp)
        look_at_time(content.discharge_time)
    elif isinstance(content, Command):
        look_at_address(content.destination)
    if isinstance(content, StatusReport | SubmitReport | DeliverReport) and content.user_data is not None:
        look_at_user_data(content.user_data, content.dcs or 0)


def transfer_layer(
    octets: bytes, decode: Callable[..., FromPhone | ToPhone], in_error: bool
) -> FromPhone | ToPhone | None:
    try:
        content = decode(octets, in_error=in_error)
    except SmsDecodeError as error:
        assert error.cause in (RpCause.INVALID_MANDATORY_INFORMATION, RpCause.MESSAGE_TYPE_NON_EXISTENT)
        assert error.reason
        return None
    look_at(content)
    assert decode(content.encode(), in_error=in_error) == content
    return content


@given(noise | damaged(CARRIED), st.booleans())
def test_from_phone(octets: bytes, in_error: bool) -> None:
    transfer_layer(octets, decode_from_phone, in_error)


@given(noise | damaged(CARRIED), st.booleans())
def test_to_phone(octets: bytes, in_error: bool) -> None:
    transfer_layer(octets, decode_to_phone, in_error)


@given(noise | damaged(RELAYED), st.booleans())
def test_relay_layer(octets: bytes, to_phone: bool) -> None:
    """An error has the reference as soon as there are two octets; the TPDU in the message is as robust."""
    decode, encode = (
        (rp.decode_to_phone, rp.encode_to_phone) if to_phone else (rp.decode_from_phone, rp.encode_from_phone)
    )
    try:
        message = decode(octets)
    except SmsDecodeError as error:
        assert error.reference == (octets[1] if len(octets) > 1 else None)
        assert error.cause in (RpCause.INVALID_MANDATORY_INFORMATION, RpCause.MESSAGE_TYPE_NON_EXISTENT)
        return
    assert decode(encode(message)) == message
    if isinstance(message, RpData | RpAck | RpError) and message.user_data is not None:
        carried = decode_to_phone if to_phone else decode_from_phone
        transfer_layer(message.user_data, carried, isinstance(message, RpError))


@given(noise | st.builds(bytes.__add__, st.sampled_from([b"\x09\x01", b"\xe9\x10", b"\x79\x04"]), noise))
def test_connection_layer(octets: bytes) -> None:
    try:
        message = cp.decode(octets)
    except SmsDecodeError as error:
        assert error.cause in set(CpCause)
        return
    assert cp.decode(cp.encode(message)) == message


@given(noise, st.integers(0, 255), st.integers(0, 200), st.integers(0, 6))
def test_pieces(octets: bytes, number: int, count: int, fill: int) -> None:
    """The parts that take any octets, and the addresses."""
    parse_header(octets)
    coding(number)
    septets = unpack(octets, count, fill)
    assert unpack(pack(septets, fill), len(septets), fill) == septets
    for alphabet in (GSM7, seven_bit(number % 14, count % 14)):
        text = alphabet.decode(septets)
        assert alphabet.decode(alphabet.encode(text)) == text
    for read in (read_tp, read_rp):
        try:
            read(Reader(octets), "address")
        except SmsDecodeError as error:
            assert error.cause == RpCause.INVALID_MANDATORY_INFORMATION
