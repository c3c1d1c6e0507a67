"""SMS-SUBMIT: each flag has its bit, each field its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from libreims.proto.sms.address import Address
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_from_phone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity, Validity
from support.sms import submits

PLAIN = Submit(0, Address.of_number("12"), UserData())


@given(submits())
def test_again(submit: Submit) -> None:
    assert decode_from_phone(submit.encode()) == submit


@pytest.mark.parametrize(
    ("changed", "bits"),
    [
        (replace(PLAIN, reject_duplicates=True), 0x04),
        (replace(PLAIN, status_report_request=True), 0x20),
        (replace(PLAIN, user_data=UserData(0, b"", True)), 0x40),
        (replace(PLAIN, reply_path=True), 0x80),
    ],
)
def test_flags(changed: Submit, bits: int) -> None:
    assert PLAIN.encode()[0] == 0x01
    assert changed.encode()[0] == 0x01 | bits


@pytest.mark.parametrize(
    ("validity", "bits", "octets"),
    [
        (RelativeValidity(0xA7), 0x10, "a7"),
        (EnhancedValidity.of_seconds(5), 0x08, "02050000000000"),
        (AbsoluteValidity(Timestamp(bytes(7))), 0x18, "00000000000000"),
    ],
)
def test_validity_period(validity: Validity, bits: int, octets: str) -> None:
    encoded = replace(PLAIN, validity=validity).encode()
    assert encoded[0] == 0x01 | bits
    assert encoded.hex() == f"{encoded[0]:02x}" + "00" + "028121" + "0000" + octets + "00"


@pytest.mark.parametrize(
    "changed", [{"reference": 256}, {"pid": -1}, {"dcs": 256}, {"user_data": UserData(300, b"")}]
)
def test_what_does_not_fit(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"256|255"):
        replace(PLAIN, **changed).encode()  # type: ignore[arg-type]
