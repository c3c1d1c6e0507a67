"""The user data header: what is read of it, and that a bad one is ignored as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.header import Concatenation, Element, Header, Ports, parse_header
from support.sms import headers


@given(headers)
def test_again(header: Header | None) -> None:
    if header:
        octets = header.encode()
        assert parse_header(octets + b"text") == header


@given(st.integers(0, 0xFF), st.integers(1, 255), st.integers(1, 255))
def test_concatenation_again(reference: int, total: int, number: int) -> None:
    for wide in (False, True):
        part = Concatenation(reference, total, number, wide)
        found = Header((part.element(),)).concatenation
        assert found == (part if number <= total else None)


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        ("050003cc0201", Concatenation(0xCC, 2, 1)),
        ("06080412340302", Concatenation(0x1234, 3, 2, wide=True)),
        ("050003cc0203", None),
        ("050003cc0200", None),
        ("050003cc0001", None),
        ("040002cc02", None),
        ("0a0003cc02010003dd0202", Concatenation(0xDD, 2, 2)),
        ("0a0003cc02010003dd0203", Concatenation(0xCC, 2, 1)),
    ],
)
def test_concatenation(octets: str, part: Concatenation | None) -> None:
    assert parse_header(bytes.fromhex(octets)).concatenation == part


@pytest.mark.parametrize(
    ("octets", "ports"),
    [
        ("06050423f00000", Ports(9200, 0)),
        ("0404020a0b", Ports(10, 11, wide=False)),
        ("06050323f000", None),
        ("0a04020a0b050423f00b84", Ports(9200, 2948)),
        ("050003cc0201", None),
    ],
)
def test_ports(octets: str, ports: Ports | None) -> None:
    header = parse_header(bytes.fromhex(octets))
    assert header.ports == ports
    if ports and len(header.elements) == 1:
        assert header == Header((ports.element(),))


def test_languages() -> None:
    header = parse_header(bytes.fromhex("06240101250103"))
    assert (header.single_shift, header.locking_shift) == (1, 3)
    assert (Header().single_shift, Header().locking_shift) == (0, 0)
    assert parse_header(bytes.fromhex("0424020101")).single_shift == 0


@pytest.mark.parametrize(
    "octets", ["", "05", "050003cc02", "0100", "020003", "030003cc", "050004cc0201", "0a0003cc02010003dd02"]
)
def test_what_does_not_come_out_even_is_ignored(octets: str) -> None:
    assert parse_header(bytes.fromhex(octets)) == Header()


def test_unknown_elements_are_kept() -> None:
    header = parse_header(bytes.fromhex("05700101a000"))
    assert header.elements == (Element(0x70, b"\x01"), Element(0xA0, b""))


def test_a_header_that_is_too_long() -> None:
    assert Header((Element(0, bytes(137)),)).encode()[0] == 139
    with pytest.raises(ValueError, match="140 octets"):
        Header((Element(0, bytes(138)),)).encode()
