"""The one error of the SMS codecs.

Everything under `proto/sms` that reads octets raises `SmsDecodeError` and nothing else.  It carries what
the SMS centre needs to answer with RP-ERROR (TS 24.011 §6.3.1, §9.3) or CP-ERROR (§9.2).
"""

from __future__ import annotations


class SmsDecodeError(ValueError):
    """What was received is not what TS 24.011 or TS 23.040 describe.

    `cause` is a cause of RP (`rp_cause.RpCause`), in an error of `cp` one of CP (`cp.CpCause`).  `reason` is
    one short phrase for the log.  `reference` is the RP message reference where it could be read: without
    it no RP-ERROR can be sent.
    """

    def __init__(self, cause: int, reason: str, reference: int | None = None) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.reference = reference

    def __str__(self) -> str:
        return f"{self.reason} (cause {self.cause})"
