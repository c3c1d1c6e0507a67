"""What a server refuses before any procedure, and what a client drops."""

from __future__ import annotations

import pytest

from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.validation import Refusal, check_request, check_response


def make(method: str = "INVITE", uri: str = "sip:b@y", body: bytes = b"", **headers: str) -> Request:
    return Request.build(
        method,
        uri,
        [
            ("Via", headers.pop("via", "SIP/2.0/UDP h;branch=z9hG4bK1")),
            ("From", "<sip:a@x>;tag=f"),
            ("To", headers.pop("to", "<sip:b@y>")),
            ("Call-ID", "id"),
            ("CSeq", f"1 {method}"),
            *((name.replace("_", "-"), value) for name, value in headers.items()),
        ],
        body,
    )


def check(request: Request) -> Refusal | None:
    return check_request(
        request, methods=("INVITE", "REGISTER", "MESSAGE", "ACK", "CANCEL"), extensions={"100rel", "path"}
    )


def status(request: Request) -> int:
    refusal = check(request)
    if refusal is None:
        return 0
    assert refusal.reason
    assert refusal.why
    return refusal.status


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (make(), 0),
        (make(uri="tel:+331"), 0),
        (make(uri="urn:service:sos"), 0),
        (make(uri="http://example.com"), 416),
        (make(uri="sip:b@y:x"), 400),
        (make(uri="nonsense"), 400),
        (make(uri="sip:b@y?Route=x"), 400),
        (make(via="SIP/2.0/UDP h;branch=z9hG4bK"), 400),
        (make(via="SIP/2.0/UDP h"), 0),
        (make(Max_Forwards="0"), 483),
        (make(Max_Forwards="1"), 0),
        (make(Max_Forwards="300"), 400),
        (make("PUBLISH"), 405),
        (make("BREW"), 501),
        (make(Require="100rel, Path"), 0),
        (make(Require="100rel, Foo", Proxy_Require="bar"), 420),
        (make("ACK", Require="foo"), 0),
        (make("CANCEL", Require="foo"), 0),
        (make(Contact="*"), 400),
        (make("REGISTER", Contact="*"), 0),
        (make(Contact="<sip:a@x:x>"), 400),
        (make(Contact="<sip:a@x"), 400),
        (make(Route="<sip:p:x>"), 400),
        (make(Route="<sip:p;lr>"), 0),
        (make(Record_Route="<sip:p;lr>, <sip:q:x>"), 400),
        (make("REGISTER", to="<http://y>"), 400),
        (make("REGISTER", to="<tel:+331>"), 0),
        (make(body=b"v=0", Content_Type="application/sdp"), 0),
        (make(body=b"v=0", Content_Type="Multipart/Mixed;boundary=x"), 0),
        (make(body=b"v=0", Content_Type="text/html"), 415),
        (make(body=b"v=0"), 400),
        (make(body=b"", Content_Type="text/html"), 0),
        (make(body=b"x", Content_Type="text/html", Content_Disposition="render; Handling = optional"), 0),
        (make("MESSAGE", body=b"x", Content_Type="text/html"), 0),
        (make(body=b"v=0", Content_Type="application/sdp", Content_Encoding="gzip"), 415),
        (make(body=b"v=0", Content_Type="application/sdp", Content_Encoding="identity"), 0),
        (make(Accept="text/plain"), 406),
        (make(Accept="text/plain, application/sdp;level=1"), 0),
        (make(Accept="*/*;q=0.1"), 0),
        (make(Accept=""), 0),
        (make("MESSAGE", Accept="text/plain"), 0),
    ],
)
def test_verdict(request_: Request, expected: int) -> None:
    assert status(request_) == expected


def test_headers_of_refusals() -> None:
    refusal = check(make("PUBLISH"))
    assert refusal is not None
    assert refusal.headers == (("Allow", "ACK, CANCEL, INVITE, MESSAGE, REGISTER"),)
    refusal = check(make(Require="100rel, Foo, foo", Proxy_Require="bar, Foo"))
    assert refusal is not None
    assert refusal.headers == (("Unsupported", "Foo, foo, bar"),)
    refusal = check(make(body=b"x", Content_Type="text/html"))
    assert refusal is not None
    assert refusal.headers[0][0] == "Accept"
    refusal = check(make(body=b"x", Content_Encoding="gzip"))
    assert refusal is not None
    assert refusal.headers == (("Accept-Encoding", "identity"),)


def test_schemes_are_a_choice() -> None:
    request = make(uri="tel:+331")
    refusal = check_request(request, methods=("INVITE",), extensions=(), schemes=("sip",))
    assert refusal is not None
    assert refusal.status == 416


def test_responses() -> None:
    response = Response.to_request(make(), 200, headers=[("Contact", "<sip:b@z>")])
    assert check_response(response) is None
    for name, value in (
        ("Contact", "*"),
        ("Contact", "<sip:b@z:x>"),
        ("Record-Route", "<sip:p"),
        ("Via", "x"),
    ):
        response = Response.to_request(make(), 200, headers=[(name, value)])
        assert check_response(response)
