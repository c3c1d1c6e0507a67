"""Addresses, Via, CSeq, RAck."""

from __future__ import annotations

import pytest

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.headers import CSeq, NameAddr, RAck, Via
from libreims.proto.sip.uri import Uri


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@b>;tag=1", "", "sip:a@b", {"tag": "1"}),
        ('"A. \\"B\\" <C>" <sip:a@b;lr> ; tag = 1', 'A. "B" <C>', "sip:a@b;lr", {"tag": "1"}),
        ("Alice Smith <sip:a@b>", "Alice Smith", "sip:a@b", {}),
        ("caller<sip:a@b>", "caller", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("tel:+33600000124", "", "tel:+33600000124", {}),
        ("<tel:+33600000124>", "", "tel:+33600000124", {}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ("<sip:a@b>", "", "sip:a@b", {}),
        ("Änne <sip:a@b>", "Änne", "sip:a@b", {}),
    ],
)
def test_addresses(text: str, display: str, uri: str, params: dict[str, str | None]) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri_text, address.params) == (display, uri, params)
    assert str(address) == text
    assert address.tag == params.get("tag")


def test_contact_of_a_real_phone() -> None:
    address = NameAddr.parse(
        '<sip:[2001:0db8:0000:0000:0000:0000:0000:0002]:5060>;+sip.instance="<urn:gsma:imei:35622410-483840-0>"'
        ';q=1.0;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";audio;video;+g.3gpp.smsip'
    )
    assert (address.uri.user, address.uri.host_port()) == ("", ("2001:db8::2", 5060))
    assert address.params == {
        "+sip.instance": "<urn:gsma:imei:35622410-483840-0>",
        "q": "1.0",
        "+g.3gpp.icsi-ref": "urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel",
        "audio": None,
        "video": None,
        "+g.3gpp.smsip": None,
    }


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (";audio;video;+g.3gpp.smsip", {"audio": None, "video": None, "+g.3gpp.smsip": None}),
        (";q=1.0;expires=;reg-id=1", {"q": "1.0", "expires": "", "reg-id": "1"}),
        (';x="é;>\\"\\\\"', {"x": 'é;>"\\'}),
        (";maddr=[2001:db8::1] ; to = h.example:5060", {"maddr": "[2001:db8::1]", "to": "h.example:5060"}),
        (";tag=-.!%*_+`'~", {"tag": "-.!%*_+`'~"}),
        (';+u.sip!model.example.com="7"', {"+u.sip!model.example.com": "7"}),
    ],
)
def test_parameters_that_phones_send(text: str, params: dict[str, str | None]) -> None:
    """Tokens, hosts and quoted strings (RFC 3261 §25.1, generic-param), flags, and values left empty."""
    assert NameAddr.parse("<sip:a@b>" + text).params == params
    assert NameAddr.parse("sip:a@b" + text).params == params


def test_addresses_made() -> None:
    address = NameAddr(Uri.sip("a", "b"), 'Al "x"', {"tag": "1", "lr": None})
    assert str(address) == '"Al \\"x\\"" <sip:a@b>;tag=1;lr'
    assert str(address.without_params()) == '"Al \\"x\\"" <sip:a@b>'
    assert str(NameAddr("tel:1")) == "<tel:1>"
    assert NameAddr("tel:1").uri == Uri.parse("tel:1")


def test_lists() -> None:
    addresses = NameAddr.parse_list('"a,b" <sip:a@b,c>;x="1,2" , <sip:c@d>')
    assert [each.uri_text for each in addresses] == ["sip:a@b,c", "sip:c@d"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "alice",
        "<>",
        "<alice>",
        "<sip:a@b",
        '"a <sip:a@b>',
        '"a" b <sip:a@b>',
        '"a"',
        "a, b <sip:a@b>",
        'a"b" <sip:a@b>',
        "<sip:a@b> x",
        "<sip:a@b>;;",
        "< sip:a@b >",
        "sip:a@b?x=y",
        "sip:a@b>",
        "sip:a b@c",
        '<sip:a"b>',
        '<tel:666>;x"',
        '<sip:a@b>;tag=a"b',
        'sip:a@b;tag=a"b',
        '<sip:a@b>;tag="a"b',
        "<sip:a@b>;tag=a b",
        "<sip:a@b>;t ag=a",
        "<sip:a@b>;<tag>=a",
        "<sip:a@b>;tag=<a>",
        "<sip:a@b>;tag=a=b",
        "<sip:a@b>;tag=a\x01",
        "<sip:a@b>;tag=é",
        "<sip:a@b>;é",
        "<sip:a@b>;tag@x=a",
        '<sip:a@b>;"tag"=a',
    ],
)
def test_malformed_addresses(text: str) -> None:
    with pytest.raises(SipParseError):
        NameAddr.parse(text)


def test_a_malformed_uri_is_found_when_asked_for() -> None:
    address = NameAddr.parse("<sip:a@b:x>;tag=1")
    with pytest.raises(SipParseError):
        address.uri  # noqa: B018


def test_via() -> None:
    via = Via.parse("SIP/2.0/udp Host.example.com:5070;branch=z9hG4bKx;rport;keep;received=192.0.2.1")
    assert (via.transport, via.host, via.port) == ("UDP", "host.example.com", 5070)
    assert (via.branch, via.received, via.rport) == ("z9hG4bKx", "192.0.2.1", None)
    assert via.params["keep"] is None
    assert via.sent_by == "host.example.com:5070"
    assert via.response_address() == ("192.0.2.1", 5070)


def test_via_with_ports_and_families() -> None:
    via = Via.parse("SIP/2.0/TCP [2001:DB8::1]:5070;rport=1234")
    assert (via.host, via.sent_by, via.rport) == ("2001:db8::1", "[2001:db8::1]:5070", 1234)
    assert via.response_address() == ("2001:db8::1", 1234)
    assert Via.parse("SIP/2.0/UDP h;maddr=192.0.2.9").response_address() == ("192.0.2.9", 5060)
    assert Via.parse("SIP/2.0/UDP h;rport=99999").rport is None


def test_via_loosely_written() -> None:
    via = Via.parse("sip /\t2.0 / UDP   h : 5060 ; branch = x")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "h", 5060, "x")
    assert Via.parse("SIP/7.0/UDP h").version == "7.0"


def test_via_changed() -> None:
    via = Via.parse("SIP/2.0/UDP [::1];rport;branch=x")
    changed = via.with_params(received="2001:db8::1", rport="5062")
    assert str(changed) == "SIP/2.0/UDP [::1];rport=5062;branch=x;received=2001:db8::1"
    assert str(via) == "SIP/2.0/UDP [::1];rport;branch=x"


def test_via_list() -> None:
    vias = Via.parse_list("SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b")
    assert [str(via) for via in vias] == ["SIP/2.0/UDP a;branch=1", "SIP/2.0/TCP b"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 h",
        "HTTP/2.0/UDP h",
        "SIP/2.0/U?P h",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP h:p",
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP [::1",
    ],
)
def test_malformed_via(text: str) -> None:
    with pytest.raises(SipParseError):
        Via.parse(text)


def test_cseq() -> None:
    assert CSeq.parse("0009   INVITE") == CSeq(9, "INVITE")
    assert CSeq.parse("1\tX-!") == CSeq(1, "X-!")
    assert CSeq.parse("4294967295 BYE").number == 2**32 - 1
    assert str(CSeq(7, "ACK")) == "7 ACK"


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "1 2 INVITE", "-1 INVITE", "4294967296 BYE", "1 é", "1 a/b", "1 "]
)
def test_malformed_cseq(text: str) -> None:
    with pytest.raises(SipParseError):
        CSeq.parse(text)


def test_rack() -> None:
    assert RAck.parse("776656 1 INVITE") == RAck(776656, 1, "INVITE")
    assert str(RAck(2, 1, "INVITE")) == "2 1 INVITE"
    for bad in ("", "0 1 INVITE", "1 INVITE", "1 2 3 INVITE", "1 4294967296 INVITE", "1 2 a/b"):
        with pytest.raises(SipParseError):
            RAck.parse(bad)


def test_repr_is_the_text() -> None:
    assert repr(NameAddr.parse("<sip:a@b>")) == "NameAddr('<sip:a@b>')"
    assert repr(Via.parse("SIP/2.0/UDP h")) == "Via('SIP/2.0/UDP h')"
