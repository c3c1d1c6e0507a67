"""The cursor over octets names what is missing."""

from __future__ import annotations

import pytest

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader, invalid
from libreims.proto.sms.rp_cause import RpCause


def test_reading_on() -> None:
    reader = Reader(b"\x01\x02\x03")
    assert reader.octet("a") == 1
    assert reader.octets(0, "b") == b""
    assert reader.octets(2, "c") == b"\x02\x03"
    assert reader.left == 0


def test_what_is_missing() -> None:
    reader = Reader(b"\x01")
    with pytest.raises(SmsDecodeError, match="cut in TP-UD") as caught:
        reader.octets(2, "TP-UD")
    assert caught.value.cause == RpCause.INVALID_MANDATORY_INFORMATION
    assert reader.left == 1
    reader.octet("x")
    with pytest.raises(SmsDecodeError, match="cut in TP-MR"):
        reader.octet("TP-MR")


def test_invalid() -> None:
    assert invalid("no").cause == RpCause.INVALID_MANDATORY_INFORMATION
