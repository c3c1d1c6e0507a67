"""Messages to numbers that nobody here has: plain text in a MESSAGE to the SIP trunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libreims.base.clock import Cancellable, Clock
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

PATIENCE: Final = 30.0
"""Seconds until a phone is told that the trunk does not answer: it waits 35 to 45 (TR1M, TS 24.011 §10.1)."""


class ToTrunk:
    """Sends to the trunk."""

    def __init__(self, trunk: Trunk, messages: Messages, clock: Clock) -> None:
        self._trunk = trunk
        self._messages = messages
        self._clock = clock

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

        attempt = _Attempt(request, sender, taken, refused)
        attempt.patience = self._clock.call_later(PATIENCE, attempt.silent)
        self.send(request, sender, TEXT_TYPE, text.encode(), attempt.answered)


class _Attempt:
    """A short message that the trunk has got, until it answers."""

    __slots__ = ("_over", "_refused", "_request", "_sender", "_taken", "patience")

    def __init__(
        self,
        request: Request,
        sender: Sender,
        taken: Callable[[], None],
        refused: Callable[[SmsRefused], None],
    ) -> None:
        self._request = request
        self._sender = sender
        self._taken = taken
        self._refused = refused
        self._over = False
        self.patience: Cancellable | None = None

    def silent(self) -> None:
        """No answer for long."""
        self.answered(Reply(408, f"has not answered for {PATIENCE:g} s"))

    def answered(self, reply: Reply) -> None:
        """The trunk's answer, or what stands for it; the first one counts."""
        if self._over:
            return
        self._over = True
        if self.patience is not None:
            self.patience.cancel()
        if reply.good:
            self._taken()
            return
        cause, failure = _CAUSES.get(reply.status, (RpCause.NETWORK_OUT_OF_ORDER, None))
        why = f"SMS of {self._sender.phone} to {self._request.uri} refused: the trunk {reply.why}"
        self._refused(SmsRefused(cause, why, failure=failure))
