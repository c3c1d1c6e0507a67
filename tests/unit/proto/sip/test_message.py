"""Messages: raw and typed access, changes, building, printing."""

from __future__ import annotations

import pytest

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.headers import CSeq
from libreims.proto.sip.message import Request, Response, delta_seconds
from libreims.proto.sip.parser import parse


def invite(*more: tuple[str, str], to: str = "<sip:b@y>") -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", "<sip:a@x>;tag=f"),
        ("To", to),
        ("Call-ID", "id@x"),
        ("CSeq", "1 INVITE"),
        *more,
    ]
    return Request.build("INVITE", "sip:b@y", headers)


def test_lookup_of_known_and_unknown_names() -> None:
    message = invite(("k", "a, b"), ("x-first", "1"), ("X-Second", "2"), ("supported", "C"))
    assert message.get("Supported") == "a, b"
    assert message.get_all("Supported") == ["a, b", "C"]
    assert message.elements("Supported") == ["a", "b", "C"]
    assert message.tokens("Supported") == {"a", "b", "c"}
    assert message.get("X-FIRST") == "1"
    assert message.get_all("x-second") == ["2"]
    assert message.get("Subject") is None
    assert message.get_all("Subject") == []
    assert message.get("X-Third") is None
    assert message.tokens("Require") == frozenset()
    assert "supported" in message
    assert "Subject" not in message


def test_changes_keep_typed_values_true() -> None:
    message = invite(("Contact", "<sip:a@1>"))
    assert message.to.tag is None
    message.set("to", "<sip:b@y>;tag=t")
    assert message.to.tag == "t"
    assert message.cseq == CSeq(1, "INVITE")
    message.set("CSeq", "2 INVITE")
    assert message.cseq.number == 2
    assert len(message.contacts) == 1
    message.add("m", "<sip:a@2>")
    assert [each.uri_text for each in message.contacts] == ["sip:a@1", "sip:a@2"]
    message.remove("contact")
    assert message.contacts == []
    message.remove("Contact")
    assert message.from_.tag == "f"
    message.set("From", "<sip:c@x>;tag=g")
    assert message.from_.tag == "g"
    assert message.via.branch == "z9hG4bK1"
    message.prepend("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK2")
    assert message.via.branch == "z9hG4bK2"
    assert len(message.vias) == 2


def test_replace_first_in_a_list() -> None:
    message = invite(("Route", "<sip:1;lr>, <sip:2;lr>"), ("Route", "<sip:3;lr>"))
    assert [route.uri_text for route in message.routes] == ["sip:1;lr", "sip:2;lr", "sip:3;lr"]
    message.replace_first("Route", "<sip:9;lr>")
    assert message.get_all("Route") == ["<sip:9;lr>", "<sip:2;lr>", "<sip:3;lr>"]
    for left in (2, 1, 0):
        message.replace_first("Route", None)
        assert len(message.routes) == left
    assert "Route" not in message


def test_numbers() -> None:
    message = invite(("Max-Forwards", "70"), ("Expires", "600"))
    assert (message.max_forwards, message.expires) == (70, 600)
    message.set("Max-Forwards", "256")
    with pytest.raises(SipParseError):
        message.max_forwards  # noqa: B018
    message.remove("Max-Forwards")
    message.remove("Expires")
    assert (message.max_forwards, message.expires) == (None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("9" * 10, 2**32 - 1),
        ("9" * 99, 2**32 - 1),
        ("soon", 3600),
        ("-1", 3600),
        ("", 3600),
    ],
)
def test_delta_seconds(text: str, seconds: int) -> None:
    assert delta_seconds(text) == seconds


def test_content_type() -> None:
    assert invite().content_type == ""
    assert invite(("c", "Application / SDP ; charset=x")).content_type == "application/sdp"


def test_contact_star() -> None:
    message = invite(("Contact", "*"))
    assert message.contacts_star
    assert message.contacts == []
    assert not invite(("Contact", "<sip:a@b>")).contacts_star


def test_encode_counts_the_body_in_octets_and_puts_via_first() -> None:
    message = Request.build("MESSAGE", "sip:b@y", [("To", "<sip:b@y>"), ("l", "99")], "é".encode())
    message.prepend("Via", "SIP/2.0/TCP h")
    assert message.encode() == (
        b"MESSAGE sip:b@y SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nTo: <sip:b@y>\r\nContent-Length: 2\r\n\r\n\xc3\xa9"
    )
    assert bytes(message) == message.encode()


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb"])
def test_encode_refuses_line_breaks_in_values(value: str) -> None:
    with pytest.raises(ValueError, match="Subject"):
        invite(("Subject", value)).encode()
    with pytest.raises(ValueError, match="line break"):
        Request.build("INVITE", f"sip:{value}", []).encode()


def test_response_from_the_lines_of_the_request() -> None:
    request = invite(("Via", "SIP/2.0/TCP h2"), ("Record-Route", "<sip:p;lr>"), ("Timestamp", "5"))
    response = Response.to_request(request, 180, tag="t", headers=[("Contact", "<sip:b@z>")])
    assert response.reason == "Ringing"
    assert response.get_all("Via") is request.get_all("Via")
    assert response.get("To") == "<sip:b@y>;tag=t"
    assert (response.call_id, response.cseq, response.from_.tag) == ("id@x", CSeq(1, "INVITE"), "f")
    assert response.get("Record-Route") == "<sip:p;lr>"
    assert "Timestamp" not in response
    assert request.get("To") == "<sip:b@y>"


def test_changes_of_a_response_leave_the_request_alone() -> None:
    request = invite(("Record-Route", "<sip:p;lr>"))
    response = Response.to_request(request, 200, headers=[("Record-Route", "<sip:q;lr>")])
    response.add("Via", "SIP/2.0/UDP z")
    assert len(request.get_all("Via")) == 1
    assert request.get_all("Record-Route") == ["<sip:p;lr>"]


def test_what_a_response_takes_along() -> None:
    request = invite(("Record-Route", "<sip:p;lr>"), ("Timestamp", "5"))
    trying = Response.to_request(request, 100, tag="t")
    assert (trying.to.tag, trying.get("Timestamp"), trying.get("Record-Route")) == (None, "5", None)
    assert Response.to_request(request, 486).get("Record-Route") is None
    request.method = "OPTIONS"
    assert Response.to_request(request, 200).get("Record-Route") is None
    assert Response.to_request(request, 299, "Fine").reason == "Fine"


def test_a_tag_that_is_there_stays() -> None:
    response = Response.to_request(invite(to='"x;tag=y" <sip:b@y>;tag=old'), 200, tag="new")
    assert response.to.tag == "old"
    response = Response.to_request(invite(to='"x;tag=y" <sip:b@y>'), 200, tag="new")
    assert response.to.tag == "new"


def test_response_to_a_request_with_a_broken_to() -> None:
    response = Response.to_request(invite(to='"x <sip:b@y>'), 400, tag="t")
    assert response.get("To") == '"x <sip:b@y>;tag=t'


def test_response_to_a_request_without_to() -> None:
    request = invite()
    request.remove("To")
    assert "To" not in Response.to_request(request, 400, tag="t")


def test_retarget() -> None:
    request = invite()
    assert request.target.user == "b"
    request.retarget("tel:+331")
    assert request.target.scheme == "tel"
    assert request.encode().startswith(b"INVITE tel:+331 SIP/2.0\r\n")


def test_missing_header() -> None:
    request = Request.build("INVITE", "sip:b@y", [])
    for name in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(SipParseError, match="Missing"):
            getattr(request, name)
    request.set("Via", ",")
    with pytest.raises(SipParseError):
        request.via  # noqa: B018


def test_octets_survive() -> None:
    data = invite(("Subject", "X"), ("X-Raw", "Y")).encode().replace(b"X\r\n", b"\xff\xfe \xc3\xa9\r\n")
    assert parse(data).encode() == data


def test_repr_is_the_start_line() -> None:
    assert repr(invite()) == "<Request INVITE sip:b@y SIP/2.0>"
    assert repr(Response.to_request(invite(), 404)) == "<Response SIP/2.0 404 Not Found>"
