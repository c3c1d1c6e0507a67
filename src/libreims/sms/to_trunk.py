"""Messages to numbers that nobody here has: plain text in a MESSAGE to the SIP trunk."""

from __future__ import annotations

from collections.abc import Callable

from libreims.proto.sip.message import Request
from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.submit import Submit
from libreims.sms.errors import SmsRefused
from libreims.sms.messages import Answered, Letter, Messages, Place, Reply
from libreims.sms.over_ip import TEXT_TYPE
from libreims.sms.parties import Sender, Trunk

_CAUSES = {
    404: (RpCause.UNASSIGNED_NUMBER, FailureCause.INVALID_SME_ADDRESS),
    410: (RpCause.UNASSIGNED_NUMBER, FailureCause.INVALID_SME_ADDRESS),
    484: (RpCause.UNASSIGNED_NUMBER, FailureCause.INVALID_SME_ADDRESS),
    604: (RpCause.UNASSIGNED_NUMBER, FailureCause.INVALID_SME_ADDRESS),
    403: (RpCause.CALL_BARRED, FailureCause.DESTINATION_SME_BARRED),
    603: (RpCause.CALL_BARRED, FailureCause.DESTINATION_SME_BARRED),
    480: (RpCause.DESTINATION_OUT_OF_ORDER, None),
    486: (RpCause.DESTINATION_OUT_OF_ORDER, None),
    600: (RpCause.DESTINATION_OUT_OF_ORDER, None),
    405: (RpCause.FACILITY_NOT_IMPLEMENTED, None),
    415: (RpCause.FACILITY_NOT_IMPLEMENTED, None),
    501: (RpCause.FACILITY_NOT_IMPLEMENTED, None),
}
"""What a phone hears of the trunk's refusal; everything else is the trunk's own trouble (38)."""


class ToTrunk:
    """Sends to the trunk."""

    def __init__(self, trunk: Trunk, messages: Messages) -> None:
        self._trunk = trunk
        self._messages = messages

    def send(
        self,
        request: Request,
        sender: Sender,
        content_type: str,
        body: bytes,
        answered: Answered,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Send a body to the number in the Request-URI of `request`."""
        target = self._trunk.target(request, sender)
        place = Place(target.uri, target.flow, direct=True, tcp_threshold=target.tcp_threshold)
        letter = Letter(target.from_, target.to, content_type, body, (*target.headers, *headers))
        self._messages.send(place, letter, answered)

    def submit(
        self,
        request: Request,
        submit: Submit,
        sender: Sender,
        taken: Callable[[], None],
        refused: Callable[[SmsRefused], None],
    ) -> None:
        """Send a short message as text; one of `taken` and `refused` is called with the outcome."""
        text = submit.user_data.text(submit.dcs)
        if text is None:
            refused(
                SmsRefused(
                    RpCause.FACILITY_NOT_IMPLEMENTED,
                    f"SMS of {sender.phone} to {request.uri} refused: it is no text (TP-DCS {submit.dcs}), "
                    "and the trunk takes text only",
                    failure=FailureCause.UNSPECIFIED_DCS_ERROR,
                )
            )
            return

        def answered(reply: Reply) -> None:
            if reply.good:
                taken()
                return
            cause, failure = _CAUSES.get(reply.status, (RpCause.NETWORK_OUT_OF_ORDER, None))
            refused(
                SmsRefused(
                    cause,
                    f"SMS of {sender.phone} to {request.uri} refused: the trunk {reply.why}",
                    failure=failure,
                )
            )

        self.send(request, sender, TEXT_TYPE, text.encode(), answered)
