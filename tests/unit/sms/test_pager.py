"""What counts as text."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.proto.sip.message import Request
from libreims.sms.pager import passed, text_of


def request(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request.build("MESSAGE", "sip:b@ims.test", [("From", "<sip:a@ims.test>;tag=1"), *headers], body)


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "Grüße".encode(), "Grüße"),
        ("TEXT/Plain;CharSet=utf-8", b"x", "x"),
        ('text/plain; charset="ISO-8859-1"; format=flowed', "ü".encode("latin1"), "ü"),
        ("text/plain;charset=utf-16", "ü".encode("utf-16"), "ü"),
        ("text/plain", b"\xff", "\ufffd"),
        ("text/html", b"x", None),
        ("message/cpim", b"x", None),
    ],
)
def test_text(content_type: str, body: bytes, text: str | None) -> None:
    assert text_of(request(body, ("Content-Type", content_type))) == text


def test_without_a_type_it_is_text_and_what_is_packed_is_not() -> None:
    assert text_of(request(b"x")) == "x"
    assert text_of(request(b"x", ("Content-Type", "text/plain"), ("Content-Encoding", "gzip"))) is None


def test_a_character_set_that_is_not_known() -> None:
    with pytest.raises(Reject) as reject:
        text_of(request(b"x", ("Content-Type", "text/plain;charset=koi8-r")))
    assert reject.value.status == 415


def test_headers_that_go_with_it() -> None:
    headers = (("Subject", "s"), ("X-Other", "o"), ("Date", "d"), ("Content-Language", "de"))
    assert passed(request(b"x", *headers)) == (("Subject", "s"), ("Date", "d"), ("Content-Language", "de"))
