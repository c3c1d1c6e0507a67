"""multipart/mixed, RFC 2046 §5.1 and RFC 5621."""

from __future__ import annotations

import pytest

from libreims.proto.sip.multipart import Part, boundary_of, join, media_type, split

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


def test_small_helpers() -> None:
    assert media_type(" Text/Plain ; charset=x") == "text/plain"
    assert boundary_of('multipart/mixed;a="x;y";Boundary = "q r"') == "q r"
    assert boundary_of("multipart/mixed") == ""
