"""A short message that is not taken, before it is an RP-ERROR or a SIP answer."""

from __future__ import annotations

from libreims.proto.sms.failure import FailureCause
from libreims.proto.sms.rp_cause import RpCause


class SmsRefused(Exception):
    """Raised where a submission is judged.

    `cause` is that of the RP-ERROR (TS 24.011 §8.2.5.4), `failure` the TP-FCS of its SUBMIT-REPORT where
    there is one that fits (TS 23.040 §9.2.3.22), `status` what a MESSAGE with text gets instead.  `why` is
    one sentence for the log: who, what, why, and what to change.
    """

    def __init__(
        self, cause: RpCause, why: str, *, failure: FailureCause | None = None, status: int = 480
    ) -> None:
        super().__init__(why)
        self.cause = cause
        self.failure = failure
        self.status = status
        self.why = why
