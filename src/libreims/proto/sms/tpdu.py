"""TPDUs of either direction (TS 23.040 §9.2.2): which type it is depends on who sent it.

`decode_from_phone` and `decode_to_phone` give one of the classes of `submit`, `deliver`, `report`,
`status_report`, `command`; each of these has `encode`.
"""

from __future__ import annotations

from libreims.proto.sms.command import COMMAND, Command, read_command
from libreims.proto.sms.deliver import Deliver, read_deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.report import (
    DELIVER_REPORT,
    SUBMIT_REPORT,
    DeliverReport,
    SubmitReport,
    read_deliver_report,
    read_submit_report,
)
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.status_report import STATUS_REPORT, StatusReport, read_status_report
from libreims.proto.sms.submit import SUBMIT, Submit, read_submit

FromPhone = Submit | Command | DeliverReport
ToPhone = Deliver | StatusReport | SubmitReport


def decode_from_phone(tpdu: bytes, *, in_error: bool = False) -> FromPhone:
    """What a phone sent. `in_error`: it came in an RP-ERROR, a report has a failure cause then.

    Raises SmsDecodeError, nothing else.
    """
    reader = Reader(tpdu)
    first = reader.octet("TP-MTI")
    kind = first & 3
    if kind == SUBMIT:
        return read_submit(reader, first)
    if kind == DELIVER_REPORT:
        return read_deliver_report(reader, first, in_error)
    if kind == COMMAND:
        return read_command(reader, first)
    raise SmsDecodeError(RpCause.MESSAGE_TYPE_NON_EXISTENT, f"TP-MTI {kind} from a phone is reserved")


def decode_to_phone(tpdu: bytes, *, in_error: bool = False) -> ToPhone:
    """What a phone receives; a reserved type counts as SMS-DELIVER (§9.2.3.1).

    Raises SmsDecodeError, nothing else.
    """
    reader = Reader(tpdu)
    first = reader.octet("TP-MTI")
    kind = first & 3
    if kind == SUBMIT_REPORT:
        return read_submit_report(reader, first, in_error)
    if kind == STATUS_REPORT:
        return read_status_report(reader, first)
    return read_deliver(reader, first)
