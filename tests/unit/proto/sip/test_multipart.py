"""multipart/mixed, RFC 2046 §5.1 and RFC 5621."""

from __future__ import annotations

import pytest

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.multipart import MAX_DEPTH, Part, boundary_of, find, join, media_type, split

BODY = (
    b"preamble, to be ignored\r\n--B\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n"
    b"--B\r\nc : text/plain;charset=utf-8\r\nContent-ID: <1>\r\n\r\nhi\r\n--B--\r\nepilogue"
)


def test_parts_and_their_types() -> None:
    parts = split('multipart/mixed; boundary="B"', BODY)
    assert [part.content_type for part in parts] == ["application/sdp", "text/plain"]
    assert [part.body for part in parts] == [b"v=0\r\n", b"hi"]
    assert parts[1].headers[1] == "Content-ID: <1>"


@pytest.mark.parametrize("content_type", ["application/sdp", "multipart/mixed", "application/sdp;boundary=B"])
def test_what_is_not_multipart_is_one_part(content_type: str) -> None:
    assert [part.body for part in split(content_type, BODY)] == [BODY]


def test_a_part_without_headers_is_text() -> None:
    (part,) = split("multipart/mixed;boundary=B", b"--B\r\n\r\nplain\r\n--B--")
    assert (part.content_type, part.body) == ("text/plain", b"plain")


@pytest.mark.parametrize("body", [b"", b"--C\r\n\r\nx\r\n--C--", b"--B--", b"no delimiter at all"])
def test_bodies_without_a_part(body: bytes) -> None:
    assert split("multipart/mixed;boundary=B", body) == []


def test_what_is_joined_is_split_again_whatever_it_holds() -> None:
    parts = [
        Part(("Content-Type: a/b",), b"--part\r\n--part-x--\r\n"),
        Part(("Content-Type: c/d", "X: y"), b""),
        Part(("Content-Type: e/f",), bytes(range(256))),
    ]
    assert split(*join(parts)) == parts


def sdp_in(*parts: Part) -> bytes | None:
    return find(*join(list(parts)), "application/sdp", "session")


SDP = Part(("c:  Application/SDP ;charset=x",), b"v=0")
OTHER = Part(("Content-Type: application/pidf+xml", "Content-ID: <1>"), b"<presence/>")


def test_a_part_is_found_wherever_it_stands() -> None:
    assert sdp_in(SDP) == sdp_in(OTHER, SDP) == sdp_in(SDP, OTHER) == b"v=0"
    assert sdp_in(OTHER) is None and sdp_in(Part((), b"v=0")) is None
    assert find("application/sdp", b"v=0", "application/sdp", "session") == b"v=0"
    assert find("multipart/mixed", b"v=0", "application/sdp", "session") is None


def test_a_part_that_is_there_for_something_else_is_passed_over() -> None:
    """RFC 3959: the description of an early session is not the offer."""
    early = Part((*SDP.headers, "Content-Disposition: early-session;handling=optional"), b"early")
    assert sdp_in(early) is None and sdp_in(early, SDP) == b"v=0"
    assert sdp_in(Part((*SDP.headers, "content-disposition : Session"), b"x")) == b"x"


def nested(depth: int) -> bytes | None:
    """What is found `depth` multipart bodies deep."""
    content_type, body = join([SDP])
    for _ in range(depth - 1):
        content_type, body = join([OTHER, Part((f"Content-Type: {content_type}",), body)])
    return find(content_type, body, "application/sdp", "session")


def test_parts_in_parts() -> None:
    assert nested(MAX_DEPTH - 1) == b"v=0"
    assert nested(100) is None


def test_a_content_type_that_cannot_be_read() -> None:
    with pytest.raises(SipParseError):
        find('multipart/mixed;x="y;boundary=B', b"", "application/sdp", "session")


def test_small_helpers() -> None:
    assert media_type(" Text/Plain ; charset=x") == "text/plain"
    assert boundary_of('multipart/mixed;a="x;y";Boundary = "q r"') == "q r"
    assert boundary_of("multipart/mixed") == ""
