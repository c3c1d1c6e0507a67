"""Tokens, quoted strings, lists and parameters (RFC 3261 §25.1)."""

from __future__ import annotations

import pytest

from libreims.proto.sip import grammar
from libreims.proto.sip.errors import SipParseError


def test_token() -> None:
    assert grammar.is_token("a-.!%*_+`'~9")
    for bad in ("", "a b", "a:b", "é", "a\n"):
        assert not grammar.is_token(bad)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("0068", 68),
        ("4294967296", 2**32),
        ("0" * 5000 + "7", 7),
        ("9" * 21, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        ("²", None),
        ("٣", None),
    ],
)
def test_decimal(text: str, number: int | None) -> None:
    assert grammar.decimal(text) == number


@pytest.mark.parametrize("text", ["", "plain", 'with "quotes"', "back\\slash", '\\"', "a;b,c<d>"])
def test_quote_and_unquote(text: str) -> None:
    quoted = grammar.quote(text)
    assert grammar.unquote(quoted) == text
    assert grammar.closing_quote(quoted, 0) == len(quoted) - 1


def test_unquote_leaves_what_is_not_quoted() -> None:
    assert grammar.unquote("a\\b") == "a\\b"
    assert grammar.unquote('"') == '"'


def test_closing_quote() -> None:
    assert grammar.closing_quote('"a" "b"', 0) == 2
    assert grammar.closing_quote(r'"a\" "b"', 0) == 5
    assert grammar.closing_quote(r'"a\\" "b"', 0) == 4
    assert grammar.closing_quote('"a', 0) == -1
    assert grammar.closing_quote(r'"a\"', 0) == -1


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("", []),
        (" , ,", []),
        ("a", ["a"]),
        ("a , b,c", ["a", "b", "c"]),
        ('"a,b" <sip:x>,c', ['"a,b" <sip:x>', "c"]),
        ("<sip:a,b@c>,<sip:d>;x=y", ["<sip:a,b@c>", "<sip:d>;x=y"]),
        ('x;a="1,2",y', ['x;a="1,2"', "y"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        (r'"a\",b" <x,y>,c', [r'"a\",b" <x,y>', "c"]),
        ('"<", >,<x,>', ['"<"', ">", "<x,>"]),
    ],
)
def test_lists(text: str, elements: list[str]) -> None:
    assert grammar.split_list(text) == elements


@pytest.mark.parametrize("text", ['a,"b', "a,<b", '"a"",b', r'a,"b\"'])
def test_lists_without_end(text: str) -> None:
    with pytest.raises(SipParseError):
        grammar.split_list(text)


def test_params() -> None:
    text = 'tag = 12 ; LR;q="1.0" ;+sip.instance="<urn:gsma:imei:1;2>";x=;y="a\\"b"'
    assert grammar.parse_params(text) == {
        "tag": "12",
        "lr": None,
        "q": "1.0",
        "+sip.instance": "<urn:gsma:imei:1;2>",
        "x": "",
        "y": 'a"b',
    }


@pytest.mark.parametrize("text", ["", ";a", "a;", "=x", 'a="b', 'a="b"c'])
def test_malformed_params(text: str) -> None:
    with pytest.raises(SipParseError):
        grammar.parse_params(text)


def test_params_printed() -> None:
    params = {"lr": None, "tag": "a.b", "+g": "x", "v": "a b", "received": "2001:db8::1", "e": ""}
    text = grammar.format_params(params)
    assert text == ';lr;tag=a.b;+g="x";v="a b";received=2001:db8::1;e=""'
    assert grammar.parse_params(text[1:]) == params
