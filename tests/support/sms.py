"""Short messages at random: a strategy for every type, of values that are written and read without loss."""

from __future__ import annotations

from hypothesis import strategies as st

from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber
from libreims.proto.sms.alphabet import DEFAULT, EXTENSION
from libreims.proto.sms.coding import Alphabet, DataCoding
from libreims.proto.sms.command import Command
from libreims.proto.sms.cp import CpAck, CpData, CpError, CpMessage, Transaction
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.header import Concatenation, Element, Header, Ports
from libreims.proto.sms.report import DeliverReport, SubmitReport
from libreims.proto.sms.rp import RpAck, RpData, RpError, RpMessage, RpSmma
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import (
    AbsoluteValidity,
    EnhancedValidity,
    RelativeValidity,
    Validity,
)

NUMBERS = [kind for kind in TypeOfNumber if kind is not TypeOfNumber.ALPHANUMERIC]
GSM_CHARACTERS = "".join(sorted(set(DEFAULT) - {"\x1b"} | set(EXTENSION.values())))

octets = st.integers(0, 255)
flags = st.booleans()
digits = st.text(alphabet="0123456789*#abc", max_size=20)
numbers = st.builds(Address, digits, st.sampled_from(NUMBERS), st.sampled_from(list(NumberingPlan)))
alphanumerics = st.text(alphabet="LabX 7@_", max_size=11).map(Address.of_text)
addresses = numbers | alphanumerics

moments = st.integers(0, 3_124_223_999)
"""From 1970 to 2068: the years that two digits can say."""
timestamps = st.builds(Timestamp.at, moments, st.integers(-79, 79)) | st.binary(min_size=7, max_size=7).map(
    Timestamp
)
validities: st.SearchStrategy[Validity | None] = (
    st.none()
    | octets.map(RelativeValidity)
    | timestamps.map(AbsoluteValidity)
    | st.binary(min_size=7, max_size=7).map(EnhancedValidity)
)

elements = (
    st.builds(Element, octets, st.binary(max_size=8))
    | st.builds(Concatenation, octets, octets, octets).map(Concatenation.element)
    | st.builds(Ports, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(Ports.element)
)
headers = st.none() | st.lists(elements, max_size=4).map(lambda found: Header(tuple(found)))

gsm_texts = st.text(alphabet=GSM_CHARACTERS, max_size=50)
unicode_texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def coded(draw: st.DrawFn) -> tuple[int, UserData]:
    """A data coding scheme, and user data that it describes."""
    alphabet = draw(st.sampled_from(list(Alphabet)))
    dcs = DataCoding(alphabet, message_class=draw(st.none() | st.integers(0, 3))).octet
    header = draw(headers)
    if alphabet is Alphabet.OCTETS:
        return dcs, UserData.of_octets(draw(st.binary(max_size=80)), header)
    text = draw(gsm_texts if alphabet is Alphabet.GSM7 else unicode_texts)
    return dcs, UserData.of_text(text, alphabet, header)


@st.composite
def submits(draw: st.DrawFn) -> Submit:
    dcs, user_data = draw(coded())
    return Submit(
        draw(octets), draw(addresses), user_data, draw(octets), dcs, draw(validities), *draw(_flags(3))
    )


@st.composite
def delivers(draw: st.DrawFn) -> Deliver:
    dcs, user_data = draw(coded())
    return Deliver(draw(addresses), draw(timestamps), user_data, draw(octets), dcs, *draw(_flags(4)))


@st.composite
def optional_fields(draw: st.DrawFn) -> tuple[int | None, int | None, UserData | None]:
    """TP-PID, TP-DCS and user data, each there or not; without a scheme the data is a GSM 7 bit text."""
    pid = draw(st.none() | octets)
    if draw(flags):
        return pid, *draw(coded())
    if draw(flags):
        return pid, draw(st.none() | octets), None
    return pid, None, UserData.of_text(draw(gsm_texts), header=draw(headers))


@st.composite
def status_reports(draw: st.DrawFn) -> StatusReport:
    return StatusReport(
        *(draw(octets), draw(addresses), draw(timestamps), draw(timestamps), draw(octets)),
        *(draw(flags), draw(flags), draw(flags)),
        *draw(optional_fields()),
    )


@st.composite
def deliver_reports(draw: st.DrawFn, in_error: bool = False) -> DeliverReport:
    return DeliverReport(draw(octets) if in_error else None, *draw(optional_fields()))


@st.composite
def submit_reports(draw: st.DrawFn, in_error: bool = False) -> SubmitReport:
    return SubmitReport(draw(timestamps), draw(octets) if in_error else None, *draw(optional_fields()))


commands = st.builds(
    Command, octets, octets, octets, addresses, octets, st.binary(max_size=157), flags, flags
)


def _flags(count: int) -> st.SearchStrategy[tuple[bool, ...]]:
    return st.tuples(*[flags] * count)


reports = st.none() | st.binary(max_size=160)
centres = st.none() | st.builds(
    Address, digits, st.sampled_from(list(TypeOfNumber)), st.sampled_from(list(NumberingPlan))
)
rp_messages: st.SearchStrategy[RpMessage] = (
    st.builds(RpData, octets, centres, st.binary(max_size=233))
    | st.builds(RpAck, octets, reports)
    | st.builds(RpError, octets, st.integers(0, 127), st.binary(max_size=2), reports)
)
rp_messages_from_phone: st.SearchStrategy[RpMessage] = rp_messages | st.builds(RpSmma, octets)

transactions = st.builds(Transaction, st.integers(0, 6), flags)
cp_messages: st.SearchStrategy[CpMessage] = (
    st.builds(CpData, transactions, st.binary(min_size=1, max_size=248))
    | st.builds(CpAck, transactions)
    | st.builds(CpError, transactions, st.integers(0, 127))
)
