"""SMS-COMMAND: each flag has its bit, each field its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from libreims.proto.sms.address import Address
from libreims.proto.sms.command import Command, CommandType
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.tpdu import decode_from_phone
from support.sms import commands

PLAIN = Command(1, CommandType.DELETE, 9, Address.of_number("12"), data=b"ab")


@given(commands)
def test_again(command: Command) -> None:
    assert decode_from_phone(command.encode()) == command


def test_fields() -> None:
    assert PLAIN.encode().hex() == "02" + "01" + "00" + "02" + "09" + "028121" + "026162"
    assert replace(PLAIN, status_report_request=True).encode()[0] == 0x22
    assert replace(PLAIN, has_header=True).encode()[0] == 0x42


def test_lengths() -> None:
    with pytest.raises(ValueError, match="158 octets"):
        replace(PLAIN, data=bytes(158)).encode()
    with pytest.raises(SmsDecodeError, match="cut in TP-CD"):
        decode_from_phone(PLAIN.encode()[:-1])
