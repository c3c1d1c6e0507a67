"""Octets of one message to `Request` or `Response` (RFC 3261 §7 and §18.3).

Line ends: CRLF as the RFC writes it, a lone LF is taken for one, a lone CR for a space (the tolerance of
RFC 9112 §2.2, which leaves no two readings of where a header ends).  Header lines are found once and kept as
text.  What is checked here is what an answer needs: start line, header line syntax, the mandatory
headers, those that may stand only once, Content-Length, CSeq, topmost Via, From and To.
"""

from __future__ import annotations

import re
from typing import Final

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import LWS, decimal, is_token
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.names import SPELLINGS

KNOWN_METHODS: Final = frozenset(
    {
        *("REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE"),
        *("INFO", "SUBSCRIBE", "NOTIFY", "MESSAGE", "REFER", "PUBLISH"),
    }
)
"""Every method with an RFC; any other token is a method all the same."""

END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_FOLD_STARTS: Final = " \t"
_FOLD: Final = re.compile(r"\r\n[ \t]+")
_ONCE: Final = frozenset({"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type", "Expires"})
_NEEDED: Final = ("Via", "From", "To", "Call-ID", "CSeq")
_ALL_NEEDED: Final = frozenset(_NEEDED)


def parse(data: bytes) -> Request | Response:
    """Read one message: a datagram, or what `StreamFramer` cut out of a stream.

    Octets beyond Content-Length are cut off (RFC 3261 §18.3), fewer than it says are an error.  Raises
    SipParseError and nothing else; its `request` is set when the message is a request that can be answered.
    """
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        head = data.rstrip(b"\r\n")
        body = b""
        whole = False
    else:
        head = data[:end]
        body = data[end + 4 :]
        whole = True
    text = str(head, "utf-8", "surrogateescape")
    lines = text.split("\r\n")
    breaks = len(lines) - 1
    if not whole or text.count("\n") != breaks or text.count("\r") != breaks:
        match = END_OF_HEAD.search(data)
        if match is None:
            body = b""
            head = data.rstrip(b"\r\n")
        else:
            head = data[: match.start()]
            body = data[match.end() :]
            whole = True
        text = _regular_line_ends(str(head, "utf-8", "surrogateescape"))
        lines = text.split("\r\n")
    fault = "" if whole else "Headers Without End"
    fields: dict[str, list[str]] = {}
    fault = _read_fields(lines, fields) or fault
    start = lines[0]
    if start[:8] == "SIP/2.0 ":
        return _response(start, fields, body, fault)
    return _request(start, fields, body, fault)


def _regular_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", " ").replace("\n", "\r\n")


def _read_fields(lines: list[str], fields: dict[str, list[str]]) -> str:
    """Fill `fields` from all lines but the first; returns what is wrong with them, or ""."""
    spellings = SPELLINGS
    fault = ""
    unknown: dict[str, str] | None = None
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = spellings.get(name)
        if key is None:
            if line[:1] in _FOLD_STARTS and line:
                # Only now is the message known to be folded: once more with the folds undone.
                fields.clear()
                return _read_folded(lines, fields)
            name = name.rstrip(LWS)
            lowered = name.lower()
            key = spellings.get(lowered)
            if key is None:
                if not is_token(name):
                    fault = fault or "Malformed Header Line"
                    continue
                if unknown is None:
                    unknown = {}
                # The first spelling seen names them all.
                key = unknown.setdefault(lowered, name)
        if not colon:
            fault = fault or "Malformed Header Line"
            continue
        if key not in fields:
            fields[key] = [value.strip(LWS)]
        else:
            fields[key].append(value.strip(LWS))
            if key in _ONCE:
                fault = fault or f"More Than One {key}"
    return fault


def _read_folded(lines: list[str], fields: dict[str, list[str]]) -> str:
    if lines[1][:1] in (" ", "\t"):
        del lines[1]
        return _read_fields(lines, fields) or "Folded Start Line"
    unfolded = _FOLD.sub(" ", "\r\n".join(lines[1:]))
    return _read_fields([lines[0], *unfolded.split("\r\n")], fields)


def _missing(fields: dict[str, list[str]]) -> str:
    """Which mandatory header is missing (RFC 3261 §8.1.1), as a fault, or ""."""
    if fields.keys() >= _ALL_NEEDED:
        return ""
    for name in _NEEDED:
        if name not in fields:
            return f"Missing {name}"
    return ""


def _cut_body(fields: dict[str, list[str]], body: bytes) -> bytes:
    """The body that Content-Length announces; raises SipParseError."""
    values = fields.get("Content-Length")
    if values is None or (values[0] == str(len(body)) and len(values) == 1):
        return body
    length = decimal(values[0])
    if length is None:
        raise SipParseError(400, "Malformed Content-Length")
    for other in values[1:]:
        if decimal(other) != length:
            raise SipParseError(400, "Different Content-Lengths")
    if length == len(body):
        return body
    if length > len(body):
        raise SipParseError(400, "Body Shorter Than Content-Length")
    return body[:length]


def _request(start: str, fields: dict[str, list[str]], body: bytes, fault: str) -> Request:
    parts = start.split(" ")
    if len(parts) != 3:
        # Spaces too many are an error that leaves no doubt (RFC 4475 §3.1.2.9 and §3.1.2.10).
        parts = [part for part in parts if part]
    status = 400
    if len(parts) == 3 and parts[2] == "SIP/2.0":
        method, uri, _ = parts
        if method not in KNOWN_METHODS and not is_token(method):
            fault = "Malformed Method"
        elif not uri or uri[0] == "<":
            fault = "Malformed Request-URI"
    else:
        method = parts[0] if parts else ""
        uri = parts[1] if len(parts) > 1 else ""
        version = parts[-1].upper() if parts else ""
        if not is_token(method) or not version.startswith("SIP/") or len(parts) < 3:
            raise SipParseError(400, "Not A SIP Message")
        if len(parts) != 3:
            fault = "Malformed Request Line"
        elif version != "SIP/2.0":
            status = 505
            fault = "Version Not Supported"
    request = Request(method, uri, fields, body)
    try:
        fault = fault or _missing(fields)
        if fault:
            raise SipParseError(status, fault)
        if request.read_mandatory() != method:
            # RFC 4475 §3.1.2.18: for an unknown method 501 says what the sender can act upon.
            if method not in KNOWN_METHODS:
                raise SipParseError(501, "Method Not Implemented")
            raise SipParseError(400, "CSeq Of Another Method")
        request.body = _cut_body(fields, body)
    except SipParseError as error:
        if _can_be_answered(request):
            error.request = request
        raise
    return request


def _can_be_answered(request: Request) -> bool:
    """Whether an error response can be built and sent: there is a Via, and no ACK is ever answered.

    RFC 4475 §3.3.1 wants a 400 even where From, To and Call-ID are missing.
    """
    return request.method != "ACK" and "Via" in request.fields and request.salvage_via()


def _response(start: str, fields: dict[str, list[str]], body: bytes, fault: str) -> Response:
    code, _, reason = start[8:].partition(" ")
    status = decimal(code)
    if status is None or len(code) != 3 or not 100 <= status <= 699:
        raise SipParseError(400, "Malformed Status Code")
    fault = fault or _missing(fields)
    if fault:
        raise SipParseError(400, fault)
    response = Response(status, reason, fields, _cut_body(fields, body))
    response.read_mandatory()
    return response
