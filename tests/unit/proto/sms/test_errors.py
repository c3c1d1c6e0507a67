"""The one error says what was wrong and what the answer needs."""

from __future__ import annotations

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.rp_cause import RpCause


def test_what_it_carries() -> None:
    error = SmsDecodeError(RpCause.INVALID_MANDATORY_INFORMATION, "cut in TP-DA", 7)
    assert isinstance(error, ValueError)
    assert (error.cause, error.reason, error.reference, error.transaction) == (96, "cut in TP-DA", 7, None)
    assert str(error) == "cut in TP-DA (cause 96)"
