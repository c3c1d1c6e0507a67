"""`base.log_dump`: the lines below a log line."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from libreims.base.log_dump import INDENT, escape, hex_dump, message_dump, text_dump


def assert_is_a_dump(dump: str) -> None:
    """Every line is indented, nothing but line ends controls, and one empty line ends it."""
    assert dump.endswith("\n\n")
    lines = dump[:-2].split("\n")
    assert all(line.startswith(INDENT) and line.isprintable() for line in lines)


def test_a_text_message() -> None:
    data = b"INVITE sip:a SIP/2.0\r\nVia: x\r\n\r\nv=0\r\no=- 1 1\r\n"
    assert message_dump(data, 32) == (
        "        INVITE sip:a SIP/2.0\n        Via: x\n        \n        v=0\n        o=- 1 1\n\n"
    )


def test_a_binary_body_is_shown_in_hexadecimal() -> None:
    dump = message_dump(b"MESSAGE sip:a SIP/2.0\r\nVia: x\r\n\r\n\x00\x05\x01A", 32)
    assert dump == (
        "        MESSAGE sip:a SIP/2.0\n        Via: x\n        \n"
        "        0000:  00 05 01 41                                      ...A\n\n"
    )


def test_tabs_are_spaces() -> None:
    assert message_dump(b"\tMESSAGE\tsip:a", 32) == "            MESSAGE    sip:a\n\n"


def test_text_in_utf8_is_shown_as_it_is() -> None:
    assert "Zoë" in message_dump("MESSAGE sip:a SIP/2.0\r\n\r\nZoë".encode(), 32)


def test_a_body_that_is_neither_text_nor_control_characters_is_binary() -> None:
    assert "0000:  c3 28" in message_dump(b"MESSAGE sip:a SIP/2.0\r\n\r\n\xc3\x28", 32)


def test_hexadecimal_rows_and_the_limit() -> None:
    assert hex_dump(bytes(range(0x30, 0x44)), 100) == (
        "        0000:  30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f  0123456789:;<=>?\n"
        "        0010:  40 41 42 43                                      @ABC\n"
    )
    assert hex_dump(bytes(40), 4) == (
        "        0000:  00 00 00 00                                      ....\n        ... 40 bytes\n"
    )
    assert hex_dump(b"", 4) == ""


def test_nobody_writes_lines_of_his_own_into_the_log() -> None:
    forged = b"OPTIONS sip:a SIP/2.0\r\nX: a\n10:00:00.000 [SIP] FROM 0001 forged\r\n\r\n"
    assert_is_a_dump(message_dump(forged, 32))
    assert escape("a\nb\x1b[2J\udcff") == "a\\nb\\x1b[2J\\udcff"


@given(st.binary(min_size=1, max_size=200))
def test_any_octets(data: bytes) -> None:
    assert_is_a_dump(message_dump(data, 32))


@given(st.text(alphabet=string.printable + "\x00\x1b\x85\u2028\udcff", min_size=1, max_size=200))
def test_any_text(text: str) -> None:
    assert_is_a_dump(text_dump(text))
