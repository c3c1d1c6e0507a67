"""RFC 5118: the SIP torture messages for IPv6, each with the verdict of its section."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.proto.sip.message import Request
from libreims.proto.sip.parser import parse
from libreims.proto.sip.uri import Uri
from libreims.proto.sip.validation import check_request

DATA = Path(__file__).parent / "data" / "rfc5118"
METHODS = ("BYE", "INVITE", "OPTIONS", "REGISTER")

VERDICTS = {
    "ipv6-good": 0,  # §4.1
    "ipv6-bad": 400,  # §4.2: no brackets around the reference
    "port-ambiguous": 0,  # §4.3: valid, 5070 being part of the address
    "port-unambiguous": 0,  # §4.4
    "via-received-param-with-delim": 0,  # §4.5: both forms of received are to be accepted
    "via-received-param-no-delim": 0,  # §4.5
    "ipv6-in-sdp": 0,  # §4.6
    "mult-ip-in-header": 0,  # §4.7
    "mult-ip-in-sdp": 0,  # §4.8
    "ipv4-mapped-ipv6": 0,  # §4.9
    "ipv6-bug-abnf-3-colons": 400,  # §4.10: what only the faulty ABNF of RFC 3261 allows
    "ipv6-correct-abnf-2-colons": 0,  # §4.10
}


def load(name: str) -> Request:
    message = parse((DATA / f"{name}.dat").read_bytes())
    assert isinstance(message, Request)
    return message


def test_all_messages_are_here() -> None:
    assert {path.stem for path in DATA.glob("*.dat")} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    refusal = check_request(load(name), methods=METHODS, extensions=())
    assert (0 if refusal is None else refusal.status) == VERDICTS[name]


def test_reference_without_port_and_with() -> None:
    assert load("ipv6-good").target.host_port() == ("2001:db8::10", 5060)
    assert load("port-ambiguous").target.host_port() == ("2001:db8::10:5070", 5060)
    assert load("port-unambiguous").target.host_port() == ("2001:db8::10", 5070)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_with_and_without_brackets(name: str) -> None:
    assert load(name).via.received == "2001:db8::9:255"


def test_both_families_in_one_message() -> None:
    vias = load("mult-ip-in-header").vias
    assert [(via.host, via.port) for via in vias] == [
        ("2001:db8::9:1", 6050),
        ("192.0.2.1", None),
        ("2001:db8::9:255", None),
    ]
    assert vias[2].received == "192.0.2.200"


def test_mapped_addresses() -> None:
    message = load("ipv4-mapped-ipv6")
    assert [via.host for via in message.vias] == ["::ffff:192.0.2.10", "::ffff:192.0.2.2"]
    assert message.contacts[0].uri == Uri.parse("sip:ted@[::FFFF:c000:202]")


def test_embedded_ipv4_is_the_same_address() -> None:
    assert load("ipv6-correct-abnf-2-colons").target == Uri.parse("sip:user@[2001:db8::c000:201]")
