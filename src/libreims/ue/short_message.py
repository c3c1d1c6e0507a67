"""Short messages as a phone writes and reads them: texts to TPDUs, RP bodies to what they say.

Pure; `ue.sms` sends and receives, `ue.report` puts `summary` into ladders.
"""

from __future__ import annotations

from dataclasses import dataclass

from libreims.base.errors import LibreImsError
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.uri import Uri
from libreims.proto.sms import rp, tpdu
from libreims.proto.sms.address import Address
from libreims.proto.sms.coding import DataCoding
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import Status, failure_text
from libreims.proto.sms.report import SubmitReport
from libreims.proto.sms.rp_cause import cause_text
from libreims.proto.sms.segments import segment
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit

SMS_TYPE = "application/vnd.3gpp.sms"
"""RP messages in SIP (TS 24.341 §5)."""

_SHOWN = 24
"""Characters of a text in a ladder."""


class SmsError(LibreImsError):
    """A short message that was not accepted or did not come; the text says why."""

    def __init__(self, text: str, cause: int | None = None) -> None:
        super().__init__(text)
        self.cause = cause
        """RP cause of the centre (TS 24.011 §8.2.5.4); None without one."""


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """A message that came, all its parts together."""

    sender: str
    """A number, or the name of an alphanumeric sender."""
    text: str
    """Empty for 8 bit data."""
    sent_at: float | None = None
    """TP-SCTS: when the centre got it, UTC; None for a MESSAGE with text."""
    parts: int = 1
    data: bytes = b""
    """8 bit data."""
    over: str = "sms"
    """`sms`: RP-DATA; `text`: a MESSAGE with text (RFC 3428)."""


def destination_of(uri: str) -> Address:
    """TP-DA for what a user dials, as a URI. Raises SmsError where it has no number."""
    try:
        parsed = Uri.parse(uri)
    except SipParseError as error:
        raise SmsError(f"a short message to {uri}: {error.reason}") from None
    number = parsed.number
    address = Address.of_sender(number) if number else None
    if address is None or not address.is_number:
        raise SmsError(f"a short message goes to a number, {uri} has none: use `message` for text to a URI")
    return address


def submissions(
    destination: Address, text: str, first: int, *, reference: int, report: bool = False
) -> list[Submit]:
    """The SMS-SUBMITs of a text; `first` is the TP-MR of the first one, `reference` ties the parts together.

    Raises SmsError for a text that is too long.
    """
    try:
        segments = segment(text, reference)
    except ValueError as error:
        raise SmsError(f"the text cannot be sent: {error}") from None
    dcs = DataCoding(segments.alphabet).octet
    return [
        Submit(first + number & 0xFF, destination, part, dcs=dcs, status_report_request=report)
        for number, part in enumerate(segments.parts)
    ]


def refusal(error: rp.RpError) -> SmsError:
    """An RP-ERROR of the centre in words, with the cause of its SMS-SUBMIT-REPORT."""
    text = f"RP-ERROR {cause_text(error.cause)}"
    if error.user_data:
        try:
            report = tpdu.decode_to_phone(error.user_data, in_error=True)
        except SmsDecodeError as unreadable:
            text = f"{text}, with a report that cannot be read ({unreadable})"
        else:
            if isinstance(report, SubmitReport) and report.failure_cause is not None:
                text = f"{text}, {failure_text(report.failure_cause)}"
    return SmsError(text, error.cause)


def status_text(report: StatusReport) -> str:
    """What became of a message, in words."""
    try:
        name = Status(report.status).name.lower().replace("_", " ")
    except ValueError:
        name = f"status 0x{report.status:02x}"
    return f"message {report.reference} to {report.recipient.number}: {name}"


def summary(body: bytes) -> str:
    """An RP message in a few words; whose direction it has is in its type."""
    to_phone = bool(body) and bool(body[0] & 1)
    try:
        message = (rp.decode_to_phone if to_phone else rp.decode_from_phone)(body)
    except SmsDecodeError as error:
        return f"RP that cannot be read ({error})"
    match message:
        case rp.RpData(reference, _, data):
            return f"RP-DATA {reference} {_tpdu(data, to_phone)}"
        case rp.RpAck(reference):
            return f"RP-ACK {reference}"
        case rp.RpError(reference, cause):
            return f"RP-ERROR {reference} cause {cause}"
    return f"RP-SMMA {message.reference}"


def _tpdu(data: bytes, to_phone: bool) -> str:
    try:
        decoded = (tpdu.decode_to_phone if to_phone else tpdu.decode_from_phone)(data)
    except SmsDecodeError as error:
        return f"with a TPDU that cannot be read ({error})"
    if isinstance(decoded, Deliver | Submit):
        part = decoded.user_data.header.concatenation if decoded.user_data.has_header else None
        number = f" {part.number}/{part.total}" if part is not None else ""
        return f"{_kind(decoded)}{number} {_quoted(decoded.user_data.text(decoded.dcs))}"
    return _kind(decoded)


def _kind(decoded: tpdu.FromPhone | tpdu.ToPhone) -> str:
    names = {
        "Submit": "SUBMIT",
        "Deliver": "DELIVER",
        "StatusReport": "STATUS-REPORT",
        "Command": "COMMAND",
        "SubmitReport": "SUBMIT-REPORT",
        "DeliverReport": "DELIVER-REPORT",
    }
    return names[type(decoded).__name__]


def _quoted(text: str | None) -> str:
    if text is None:
        return "with data"
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
