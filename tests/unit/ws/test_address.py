from __future__ import annotations

import pytest

from libreims.base.errors import LibreImsError
from libreims.ws.address import parse_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1", "ws://127.0.0.1:9003/"),
        ("127.0.0.1:9001", "ws://127.0.0.1:9001/"),
        ("ims.example", "ws://ims.example:9003/"),
        ("::1", "ws://[::1]:9003/"),
        ("[::1]", "ws://[::1]:9003/"),
        ("[2001:db8::1]:80", "ws://[2001:db8::1]:80/"),
        ("fe80::1%eth0", "ws://[fe80::1%25eth0]:9003/"),
        ("ws://h:1/", "ws://h:1/"),
        ("wss://h", "wss://h:9003/"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert parse_address(text).url == url


def test_tls_is_asked_for_outside_the_address_too() -> None:
    assert parse_address("h", tls=True).url == "wss://h:9003/"
    assert parse_address("ws://h", tls=True).url == "wss://h:9003/"


@pytest.mark.parametrize(
    "text", ["", ":9003", "h:0", "h:65536", "h:x", "[::1", "[::1]x", "http://h", "h/path", "a b"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(LibreImsError, match=r"expected|written|begins"):
        parse_address(text)
