"""The parameter indicator and what it announces."""

from __future__ import annotations

import pytest

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.optional import encode_optional, indicator, read_indicator, read_optional
from libreims.proto.sms.reader import Reader
from libreims.proto.sms.user_data import UserData


def test_bits() -> None:
    assert indicator(None, None, None) == 0
    assert indicator(0, None, None) == 1
    assert indicator(None, 0, None) == 2
    assert indicator(None, None, UserData()) == 4


def test_fields_are_in_order() -> None:
    octets = encode_optional(1, 4, UserData.of_octets(b"ab"))
    assert octets.hex() == "0104026162"
    assert read_optional(Reader(octets), 7, False) == (1, 4, UserData.of_octets(b"ab"))
    assert read_optional(Reader(octets), 1, False) == (1, None, None)
    assert read_optional(Reader(octets), 0, False) == (None, None, None)


def test_reserved_bits_and_extensions_are_passed_over() -> None:
    """§9.2.3.27: a receiver ignores reserved bits; bit 7 announces another octet."""
    reader = Reader(bytes.fromhex("f981007f"))
    present = read_indicator(reader)
    assert present == 0xF9
    assert read_optional(reader, present, False) == (0x7F, None, None)


def test_an_extension_without_an_end() -> None:
    with pytest.raises(SmsDecodeError, match="cut in TP-PI"):
        read_indicator(Reader(b"\x80\x80"))
    with pytest.raises(SmsDecodeError, match="cut in TP-DCS"):
        read_optional(Reader(b"\x01"), 3, False)
