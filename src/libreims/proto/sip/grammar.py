"""The lexical rules that all header fields share (RFC 3261 §25.1): tokens, quoted strings, lists, parameters.

All functions are linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import Final

from libreims.proto.sip.errors import SipParseError

KEPT: Final = 4096
"""Values of each kind (URI, address, Via, CSeq) that are kept read: the messages of a dialog repeat each
other's From, To and Via, and all messages of a phone its Contact."""
KEPT_LENGTH: Final = 256
"""Longest text that is kept, so that nobody fills the memory with it."""

LWS: Final = " \t"
"""Linear white space once folding has been undone; `str.strip()` alone would eat far more."""

Params = dict[str, str | None]
"""Parameters of a header or URI: lower-case name to value, None for a flag without value."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:]+")
_GENERIC_PARAM: Final = (
    r"[ \t]*+[A-Za-z0-9\-.!%*_+`'~]++[ \t]*+"
    r"(?:=[ \t]*+(?:\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"|[A-Za-z0-9\-.!%*_+`'~\[\]:]*+)[ \t]*+)?"
)
_GENERIC_PARAMS: Final = re.compile(f"{_GENERIC_PARAM}(?:;{_GENERIC_PARAM})*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_UINT32_DIGITS: Final = 10


def is_token(text: str) -> bool:
    """Whether the text is one `token`."""
    return _TOKEN.fullmatch(text) is not None


def decimal(text: str) -> int | None:
    """The number that 1*DIGIT writes, leading zeros allowed; None for anything else or above 2**64."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 2 * _UINT32_DIGITS:
        text = text.lstrip("0") or "0"
        if len(text) > 2 * _UINT32_DIGITS:
            return None
    return int(text)


def quote(text: str) -> str:
    """As quoted-string."""
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def closing_quote(text: str, start: int) -> int:
    """Index of the quote that ends the quoted-string whose opening quote is at `start`, or -1."""
    position = start + 1
    while True:
        position = text.find('"', position)
        if position < 0 or text[position - 1] != "\\":
            return position
        before = position - 1
        while text[before] == "\\":
            before -= 1
        # The opening quote stops the walk back; an even number of backslashes leaves the quote bare.
        if (position - before) % 2 == 1:
            return position
        position += 1


def unquote(text: str) -> str:
    """The content of a quoted-string (quotes included in `text`); any other text comes back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        text = text[1:-1]
        if "\\" in text:
            text = _ESCAPED.sub(r"\1", text)
    return text


def split_quoted(text: str, separator: str, angle: bool) -> list[str]:
    """Split at a separator outside quoted strings and, with `angle`, outside `<...>`; parts are stripped.

    Raises SipParseError (400) for a quoted string or `<` without end.
    """
    if separator not in text:
        return [text.strip(LWS)]
    if '"' not in text and not (angle and "<" in text):
        return [part.strip(LWS) for part in text.split(separator)]
    if "\\" not in text and not (angle and "<" in text):
        return _rejoin(text.split(separator), separator)
    parts: list[str] = []
    start = 0
    position = 0
    length = len(text)
    # A mark that does not occur (again) stands at `length`; each is searched for anew only once passed.
    next_quote = next_angle = next_separator = -1
    while True:
        if next_quote < position:
            next_quote = _find(text, '"', position, length)
        if next_angle < position:
            next_angle = _find(text, "<", position, length) if angle else length
        if next_separator < position:
            next_separator = _find(text, separator, position, length)
        if next_separator == length and next_quote == length and next_angle == length:
            break
        if next_separator < next_quote and next_separator < next_angle:
            parts.append(text[start:next_separator].strip(LWS))
            start = position = next_separator + 1
            continue
        if next_quote < next_angle:
            end = closing_quote(text, next_quote)
            if end < 0:
                raise SipParseError(400, "Quoted String Without End")
        else:
            end = text.find(">", next_angle)
            if end < 0:
                raise SipParseError(400, "Angle Bracket Without End")
        position = end + 1
    parts.append(text[start:].strip(LWS))
    return parts


def _rejoin(pieces: list[str], separator: str) -> list[str]:
    """Put together again what a plain split has cut inside quoted strings (none of them with escapes)."""
    parts: list[str] = []
    opened: list[str] = []
    for piece in pieces:
        odd = '"' in piece and piece.count('"') % 2 == 1
        if opened:
            opened.append(piece)
            if odd:
                parts.append(separator.join(opened).strip(LWS))
                opened = []
        elif odd:
            opened = [piece]
        else:
            parts.append(piece.strip(LWS))
    if opened:
        raise SipParseError(400, "Quoted String Without End")
    return parts


def _find(text: str, mark: str, position: int, length: int) -> int:
    found = text.find(mark, position)
    return length if found < 0 else found


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated header value; empty ones are left out."""
    if "," not in text:
        text = text.strip(LWS)
        return [text] if text else []
    return [part for part in split_quoted(text, ",", True) if part]


def parse_params(text: str) -> Params:
    """Parameters `a=b;c;d="e"` (without a leading semicolon): quoted values come without their quotes.

    Raises SipParseError (400) for an empty parameter or a quoted string without end.
    """
    params: Params = {}
    if '"' not in text and " " not in text and "\t" not in text:
        for part in text.split(";"):
            name, equals, value = part.partition("=")
            if not name:
                raise SipParseError(400, "Empty Parameter")
            params[name.lower()] = value if equals else None
        return params
    for part in text.split(";") if '"' not in text else split_quoted(text, ";", False):
        name, equals, value = part.partition("=")
        name = name.strip(LWS).lower()
        if not name:
            raise SipParseError(400, "Empty Parameter")
        if not equals:
            params[name] = None
            continue
        value = value.strip(LWS)
        if value[:1] == '"':
            if closing_quote(value, 0) != len(value) - 1:
                raise SipParseError(400, "Malformed Quoted String")
            value = unquote(value)
        params[name] = value
    return params


def generic_params(text: str) -> Params:
    """`parse_params` for names that are tokens, and values that are tokens, hosts or quoted strings.

    RFC 3261 §25.1, generic-param, but that a value may be missing after its `=`.  Raises SipParseError (400).
    """
    params = parse_params(text)
    if _GENERIC_PARAMS.fullmatch(text) is None:
        raise SipParseError(400, "Malformed Parameter")
    return params


def format_params(params: Params) -> str:
    """`;a=b;c`, values quoted where they have to be; feature tags (`+...`, RFC 3840 §9) always."""
    out: list[str] = []
    for name, value in params.items():
        if value is None:
            out.append(f";{name}")
        elif name[0] == "+" or _PLAIN_VALUE.fullmatch(value) is None:
            out.append(f";{name}={quote(value)}")
        else:
            out.append(f";{name}={value}")
    return "".join(out)
