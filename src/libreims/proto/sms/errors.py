"""The one error of the SMS codecs.

Everything under `proto/sms` that reads octets raises `SmsDecodeError` and nothing else.  It carries what
the SMS centre needs to answer with RP-ERROR or CP-ERROR (TS 24.011 §9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libreims.proto.sms.cp import Transaction


class SmsDecodeError(ValueError):
    """What was received is not what TS 24.011 or TS 23.040 describe.

    `cause` is a cause of RP (`rp_cause.RpCause`), in an error of `cp` one of CP (`cp.CpCause`).  `reason` is
    one short phrase for the log.  `reference` is the RP message reference, `transaction` the identifier of
    the CP transaction, where they could be read: without them there is no answer.
    """

    def __init__(self, cause: int, reason: str, reference: int | None = None) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.reference = reference
        self.transaction: Transaction | None = None

    def __str__(self) -> str:
        return f"{self.reason} (cause {self.cause})"
