"""RP-DATA of a phone, and the RP-ACK or RP-ERROR that it gets (TS 24.341 §5.3.3.4.3, TS 24.011 §6.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from libreims.base.counters import Counters
from libreims.base.log import LayerLog
from libreims.proto.sip.message import Request
from libreims.proto.sms.command import Command
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.report import SubmitReport
from libreims.proto.sms.rp import RpAck, RpData, RpError
from libreims.proto.sms.rp_cause import RpCause, cause_text
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_from_phone
from libreims.sms.centre import SmsCentre
from libreims.sms.errors import SmsRefused
from libreims.sms.filter import SmsFilter
from libreims.sms.over_ip import OverIp
from libreims.sms.parties import Sender
from libreims.sms.pending import Origin
from libreims.sms.submission import Submissions
from libreims.sms.to_trunk import ToTrunk
from libreims.users.bindings import Binding
from libreims.users.subscriber import ImpuEntry, Subscriber

Send = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Phone:
    """Where an RP message came from and its answer goes."""

    sender: Sender
    subscriber: Subscriber
    entry: ImpuEntry
    binding: Binding
    request: Request
    """The MESSAGE."""

    @property
    def impi(self) -> str:
        """Whose it is."""
        return self.subscriber.impi

    @property
    def call_id(self) -> str:
        """In-Reply-To of the answer."""
        return self.request.call_id

    def origin(self) -> Origin:
        """Of what it submits."""
        return Origin(self.impi, self.entry.key, self.call_id, self.request.cseq.number)


class Originating:
    """Serves what phones submit over IP."""

    def __init__(
        self,
        submissions: Submissions,
        centre: SmsCentre,
        bearer: OverIp,
        trunk: ToTrunk,
        filters: SmsFilter,
        counters: Counters,
        log: LayerLog,
    ) -> None:
        self._submissions = submissions
        self._centre = centre
        self._bearer = bearer
        self._trunk = trunk
        self._filters = filters
        self._counters = counters
        self._log = log

    def data(self, data: RpData, phone: Phone) -> Send:
        """Take an RP-DATA; what is returned sends the answer, once the 202 is out."""
        received = self._centre.now()
        try:
            tpdu = decode_from_phone(data.user_data)
            if isinstance(tpdu, Submit):
                elsewhere = self._submissions.submit(tpdu, phone.sender, phone.origin(), received)
                if elsewhere is not None:
                    return partial(self._to_trunk, elsewhere, tpdu, data.reference, received, phone)
            elif isinstance(tpdu, Command):
                self._submissions.command(tpdu, phone.origin())
            else:
                raise SmsRefused(
                    RpCause.SEMANTICALLY_INCORRECT,
                    f"RP-DATA of {phone.impi} refused: it brings a report, which belongs into an RP-ACK; "
                    "mend the phone",
                    failure=FailureCause.TPDU_NOT_SUPPORTED,
                )
        except SmsRefused as refused:
            return partial(self._refuse, phone, data.reference, refused)
        except SmsDecodeError as error:
            return partial(self.malformed, phone, data.reference, error)
        return partial(self._acknowledge, phone, data.reference, received)

    def malformed(self, phone: Phone, reference: int, error: SmsDecodeError) -> None:
        """RP-ERROR for octets that are no RP message or TPDU (TS 24.011 §9.3)."""
        why = f"SMS of {phone.impi} refused: {error}; mend the phone"
        self._error(phone, reference, error.cause, None, why)

    def filtered(self, phone: Phone, reference: int) -> None:
        """RP-ERROR because the configuration wants it."""
        why = f"RP-DATA {reference} of {phone.impi} is rejected (sms_message_filter)"
        self._error(phone, reference, RpCause.TRANSFER_REJECTED, None, why)

    def _acknowledge(self, phone: Phone, reference: int, received: Timestamp) -> None:
        report = SubmitReport(received)
        self._answer(RpAck(reference, report.encode()), phone)

    def _refuse(self, phone: Phone, reference: int, refused: SmsRefused) -> None:
        self._error(phone, reference, refused.cause, refused.failure, refused.why)

    def _error(
        self, phone: Phone, reference: int, cause: int, failure: FailureCause | None, why: str
    ) -> None:
        sent = self._filters.rp_cause(cause)
        forced = f" (sms_forced_rp_cause, otherwise {cause})" if sent != cause else ""
        self._counters.error("sms_rp_error")
        self._log.warn(f"RP-ERROR {cause_text(sent)}{forced}: {why}")
        report = SubmitReport(self._centre.now(), failure).encode() if failure is not None else None
        self._answer(RpError(reference, sent, user_data=report), phone)

    def _answer(self, message: RpAck | RpError, phone: Phone) -> None:
        self._bearer.answer_submission(message, phone.binding, phone.subscriber, phone.entry, phone.call_id)

    # -- to another network ----------------------------------------------------------------------------

    def _to_trunk(
        self, request: Request, submit: Submit, reference: int, received: Timestamp, phone: Phone
    ) -> None:
        """The phone is answered when the trunk has answered."""

        def taken() -> None:
            self._acknowledge(phone, reference, received)

        def refused(why: SmsRefused) -> None:
            self._refuse(phone, reference, why)

        self._trunk.submit(request, submit, phone.sender, taken, refused)
