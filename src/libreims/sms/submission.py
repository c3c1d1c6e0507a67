"""SMS-SUBMIT and SMS-COMMAND of a phone: judged, then given to the centre (TS 23.040 §9.2.2.2, §9.2.2.4).

Whatever the way it came: over IP (`sms.incoming`), over SGs later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from libreims.base.bus import Bus
from libreims.config.store import ConfigStore
from libreims.proto.sip.message import Request
from libreims.proto.sms.command import Command, CommandType
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.centre import SmsCentre
from libreims.sms.destination import Destinations, Receiver, uri_of
from libreims.sms.errors import SmsRefused
from libreims.sms.events import SmsReceived
from libreims.sms.parties import Sender
from libreims.sms.pending import Origin, Pending
from libreims.sms.sender import originator
from libreims.store.port import StoreError

REPEATED: Final = 300.0
"""Seconds in which a phone repeats what had no RP-ACK: TR1M is 35 to 45 s, and it tries up to three times."""


class Submissions:
    """Takes what phones submit."""

    def __init__(self, config: ConfigStore, centre: SmsCentre, destinations: Destinations, bus: Bus) -> None:
        self._config = config
        self._centre = centre
        self._destinations = destinations
        self._bus = bus

    # -- SMS-SUBMIT --------------------------------------------------------------------------------------

    def submit(self, submit: Submit, sender: Sender, origin: Origin, received: Timestamp) -> Request | None:
        """Take a message; for a number of another network, return a request for the trunk.

        It is in the store when this returns None. Raises SmsRefused, SipParseError.
        """
        centre = self._centre
        if centre.came_in(origin.submission):
            return None  # its answer was lost, with an earlier process perhaps
        number = submit.destination.number
        if submit.reject_duplicates and self._had(origin.impi, submit.reference, number):
            raise SmsRefused(
                RpCause.TRANSFER_REJECTED,
                f"SMS of {origin.impi} to {number} refused: the centre has had the message with this number "
                f"({submit.reference}) already, and the phone wants no second one (TP-RD)",
                failure=FailureCause.REJECTED_DUPLICATE,
            )
        if self.hooked():
            self._tell(submit, sender)
            return None
        uri = uri_of(submit.destination, self._config.current.domain)
        receiver = self._destinations.of(uri, sender)
        if isinstance(receiver, Receiver):
            origin = replace(
                origin,
                reference=submit.reference,
                destination=submit.destination,
                report=submit.status_report_request,
            )
            self._accept(submit, sender, receiver, str(uri), origin, received)
        self._tell(submit, sender)
        return receiver if isinstance(receiver, Request) else None

    def _had(self, impi: str, reference: int, number: str) -> bool:
        """Whether a message is a repetition (§9.2.3.6): of one that waits, or has just been delivered."""
        if self._centre.submitted(impi, reference, number) is not None:
            return True
        fate = self._centre.fate(impi, reference, number)
        if fate is None or fate.status is not Status.RECEIVED:
            return False
        return self._centre.utc() - fate.settled_at < REPEATED

    def hooked(self) -> bool:
        """`sms_hook_only`: clients of the remote API take the messages, the centre does not."""
        return self._config.current.sms_hook_only and self._bus.wanted(SmsReceived)

    def _accept(
        self,
        submit: Submit,
        sender: Sender,
        receiver: Receiver,
        dialled: str,
        origin: Origin,
        received: Timestamp,
    ) -> None:
        centre = self._centre
        now = centre.utc()
        validity = submit.validity
        until = None if validity is None else validity.deadline(now)
        deliver = Deliver(
            originator(sender.identity),
            received,
            submit.user_data,
            submit.pid,
            submit.dcs,
            status_report_indication=submit.status_report_request,
            reply_path=submit.reply_path,
        )
        pending = Pending(
            centre.new_id(),
            receiver.subscriber.impi,
            receiver.entry.key,
            deliver,
            now,
            centre.expires() if until is None else until,
            dialled,
            single_shot=validity is not None and validity.single_shot,
            origin=origin,
        )
        centre.accept((pending,))

    def _tell(self, submit: Submit, sender: Sender) -> None:
        if self._bus.wanted(SmsReceived):
            self._bus.publish(
                SmsReceived(
                    originator(sender.identity).number,
                    submit.destination.number,
                    submit.user_data.text(submit.dcs),
                    submit.user_data.octets,
                    submit.dcs,
                    self._centre.utc(),
                )
            )

    # -- SMS-COMMAND -------------------------------------------------------------------------------------

    def command(self, command: Command, origin: Origin) -> None:
        """Ask about, or change, a message that the phone sent. Raises SmsRefused."""
        centre, number = self._centre, command.destination.number
        if centre.came_in(origin.submission):
            return
        pending = centre.submitted(origin.impi, command.message_number, number)
        what = f"SMS-COMMAND of {origin.impi} about its message {command.message_number} to {number}"
        match command.command:
            case CommandType.ENQUIRY:
                self._report(command, origin, self._status(command, origin, pending))
                return
            case CommandType.DELETE | CommandType.CANCEL_STATUS_REPORT | CommandType.ENABLE_STATUS_REPORT:
                if pending is None:
                    raise SmsRefused(
                        RpCause.TRANSFER_REJECTED,
                        f"{what} refused: the centre holds no such message",
                        failure=FailureCause.COMMAND_CANNOT_BE_ACTIONED,
                    )
            case other:
                raise SmsRefused(
                    RpCause.FACILITY_NOT_IMPLEMENTED,
                    f"{what} refused: there is no command of type {other}",
                    failure=FailureCause.COMMAND_UNSUPPORTED,
                )
        if command.command == CommandType.DELETE:
            centre.delete(pending)
            status = Status.DELETED_BY_ORIGINATOR
        else:
            try:
                centre.request_report(pending, command.command == CommandType.ENABLE_STATUS_REPORT)
            except StoreError as error:
                raise SmsRefused(RpCause.TEMPORARY_FAILURE, f"{what} refused: {error}") from error
            status = Status.TRYING_NO_RESPONSE
        if command.status_report_request:
            self._report(command, origin, status)

    def _status(self, command: Command, origin: Origin, pending: Pending | None) -> Status:
        """The answer to an enquiry: one that waits has no response of its receiver yet."""
        if pending is not None:
            return Status.TRYING_NO_RESPONSE
        number = command.destination.number
        fate = self._centre.fate(origin.impi, command.message_number, number)
        return fate.status if fate is not None else Status.DOES_NOT_EXIST

    def _report(self, command: Command, origin: Origin, status: Status) -> None:
        """The result of a command is a status report too (§9.2.2.3, TP-SRQ)."""
        centre = self._centre
        now = centre.now()
        number = command.destination.number
        fate = centre.fate(origin.impi, command.message_number, number)
        pending = centre.submitted(origin.impi, command.message_number, number)
        accepted = pending.tpdu.timestamp if pending is not None else fate.accepted if fate else now
        report = StatusReport(command.reference, command.destination, accepted, now, status, of_command=True)
        centre.accept(
            (
                Pending(
                    centre.new_id(),
                    origin.impi,
                    origin.impu,
                    report,
                    centre.utc(),
                    centre.expires(),
                    origin=origin,
                ),
            )
        )
