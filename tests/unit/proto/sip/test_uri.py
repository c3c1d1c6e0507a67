"""URIs: parts, escapes, comparison (RFC 3261 §19.1, RFC 3966, RFC 5031, RFC 8141)."""

from __future__ import annotations

import pytest

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.uri import Uri, normal_host, split_host_port


def test_all_parts_of_a_sip_uri() -> None:
    text = "sip:alice:secret@Atlanta.example.com:5070;transport=TCP;lr?subject=x&priority=urgent"
    uri = Uri.parse(text)
    assert (uri.scheme, uri.user, uri.password) == ("sip", "alice", "secret")
    assert (uri.host, uri.port) == ("atlanta.example.com", 5070)
    assert uri.params == {"transport": "TCP", "lr": None}
    assert uri.headers == "subject=x&priority=urgent"
    assert str(uri) == text


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:[2001:db8::1]:5062", "", "2001:db8::1", 5062),
        (
            "sip:t@[2001:0DB8:0000:0000:0000:0000:0000:0001]",
            "t",
            "2001:0db8:0000:0000:0000:0000:0000:0001",
            None,
        ),
        ("SIPS:bob@biloxi.com", "bob", "biloxi.com", None),
        ("sip:192.0.2.4", "", "192.0.2.4", None),
        ("sip:06;phone-context=home.net@home.net;user=phone", "06;phone-context=home.net", "home.net", None),
    ],
)
def test_hosts_and_users(text: str, user: str, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert str(uri) == text


def test_host_port_is_what_sockets_want() -> None:
    assert Uri.parse("sip:a@[2001:0db8:0:0::0001]").host_port() == ("2001:db8::1", 5060)
    assert Uri.parse("sip:a@example.com:5080").host_port() == ("example.com", 5080)
    assert Uri.parse("sips:a@example.com").host_port(5061) == ("example.com", 5061)


def test_phone_context_and_number() -> None:
    uri = Uri.parse("sip:0600-000.124;phone-context=home.net@home.net;user=phone")
    assert (uri.phone_context, uri.number) == ("home.net", "0600000124")
    uri = Uri.parse("tel:0600000124;phone-context=+33")
    assert (uri.phone_context, uri.number) == ("+33", "0600000124")
    assert Uri.parse("sip:alice@home.net").number is None
    assert Uri.parse("sip:alice;x=1@home.net").phone_context is None


def test_tel_without_visual_separators() -> None:
    uri = Uri.parse("tel:+1-(201)-555.0123;isub=12;ext=45")
    assert (uri.user, uri.params) == ("+12015550123", {"isub": "12", "ext": "45"})
    assert str(uri) == "tel:+1-(201)-555.0123;isub=12;ext=45"
    assert Uri.parse("tel:*21%23").user == "*21#"


def test_urn_and_other_schemes() -> None:
    uri = Uri.parse("urn:service:sos.police")
    assert (uri.scheme, uri.user) == ("urn", "service:sos.police")
    assert Uri.parse("urn:gsma:imei:35622410-483840-0").user == "gsma:imei:35622410-483840-0"
    uri = Uri.parse("nobodyKnowsThisScheme:totallyopaquecontent")
    assert (uri.scheme, uri.user) == ("nobodyknowsthisscheme", "totallyopaquecontent")
    assert str(uri) == "nobodyKnowsThisScheme:totallyopaquecontent"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "alice@example.com",
        ":x",
        "1sip:x",
        "sip:a b@example.com",
        "sip:a@b@example.com",
        "sip:@example.com",
        "sip:a@",
        "sip:a@exa mple.com",
        "sip:a@example.com:",
        "sip:a@example.com:x",
        "sip:a@example.com:70000",
        "sip:a@example.com:٣",
        "sip:a@[2001:db8::1",
        "sip:a@[2001:db8::1]x",
        "sip:a@[example]",
        "sip:a@2001:db8::1",
        "sip:a@example.com;;lr",
        "sip:a@example.com;x=",
        "sip:a%4@example.com",
        "sip:a%zz@example.com",
        "sip:<a@example.com>",
        "tel:",
        "tel:alice",
        "tel:+33600000124@example.com",
        "tel:+",
        "tel:-",
        "tel:+336;;x=y",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(SipParseError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_octets_that_are_no_utf8_survive() -> None:
    uri = Uri.parse("sip:%ff%00@example.com")
    assert uri.user == "\udcff\x00"
    assert str(uri.bare()) == "sip:%FF%00@example.com"


# RFC 3261 §19.1.4: the examples.


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::0001]"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.COM"),
        ("tel:7042;ext=1-2;phone-context=+1-2", "tel:70-42;phone-context=+12;ext=12"),
        ("URN:SERVICE:sos", "urn:service:SOS"),
        ("urn:ISBN:123a", "urn:isbn:123a"),
    ],
)
def test_equal(a: str, b: str) -> None:
    assert Uri.parse(a) == Uri.parse(b)
    assert Uri.parse(b) == Uri.parse(a)
    assert hash(Uri.parse(a)) == hash(Uri.parse(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;maddr=192.0.2.1", "sip:a@b"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a:x@b", "sip:a:y@b"),
        ("tel:+12015550123", "tel:12015550123"),
        ("tel:7042;phone-context=a.com", "tel:7042"),
        ("urn:isbn:123a", "urn:isbn:123A"),
        ("tel:7042", "sip:7042@a.com"),
    ],
)
def test_not_equal(a: str, b: str) -> None:
    assert Uri.parse(a) != Uri.parse(b)
    assert Uri.parse(b) != Uri.parse(a)


def test_is_never_equal_to_text() -> None:
    assert Uri.parse("sip:a@b") != "sip:a@b"


def test_made_from_parts() -> None:
    assert str(Uri.sip("a b;c@d", "[2001:DB8::1]", 5070, lr=None, transport="tcp")) == (
        "sip:a%20b;c%40d@[2001:db8::1]:5070;lr;transport=tcp"
    )
    assert str(Uri.sip("", "example.com")) == "sip:example.com"
    assert str(Uri.tel("+33 6".replace(" ", "-"))) == "tel:+336"
    assert str(Uri.tel("*21#", "home.net")) == "tel:*21%23;phone-context=home.net"
    assert Uri.parse(str(Uri.sip("é%", "example.com"))).user == "é%"


def test_derived() -> None:
    uri = Uri.parse("sip:a:b@example.com:5070;lr;ob?x=y")
    assert str(uri.with_param("x", "1;2")) == "sip:a:b@example.com:5070;lr;ob;x=1%3B2?x=y"
    assert str(uri.without_params("lr")) == "sip:a:b@example.com:5070;ob?x=y"
    assert str(uri.bare()) == "sip:a:b@example.com:5070"
    assert str(uri) == "sip:a:b@example.com:5070;lr;ob?x=y"


def test_split_host_port() -> None:
    assert split_host_port("Example.COM:5061") == ("example.com", 5061)
    assert split_host_port("[::1]") == ("::1", None)
    assert split_host_port("host_with_underscore") == ("host_with_underscore", None)


def test_hosts_that_only_look_like_ipv6() -> None:
    assert normal_host("2001:DB8::G") == "2001:db8::g"
    assert normal_host("Example.COM") == "example.com"


def test_other_uris_made_and_derived() -> None:
    assert str(Uri("urn", "service:sos")) == "urn:service:sos"
    assert repr(Uri.parse("tel:+331")) == "Uri('tel:+331')"
    assert Uri.parse("mailto:a@b") == Uri.parse("MAILTO:a@b")
    assert Uri.parse("mailto:a@b") != Uri.parse("mailto:A@b")
    assert Uri.parse("sip:0600;isub=1;Phone-Context=+33@b").phone_context == "+33"
