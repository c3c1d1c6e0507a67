"""Bodies of several parts: `multipart/mixed` in SIP (RFC 5621, RFC 2046 §5.1)."""

from __future__ import annotations

from typing import NamedTuple

from libreims.proto.sip.grammar import LWS, split_quoted

DEFAULT_BOUNDARY = "part"
MAX_DEPTH = 4
"""Multipart bodies inside each other that are looked into."""


class Part(NamedTuple):
    """One part of a body."""

    headers: tuple[str, ...]
    """Header lines as they stand, the first one of a part of ours being its Content-Type."""
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters; `text/plain` where the part has none."""
        return media_type(self.header("content-type", "c") or "text/plain")

    @property
    def disposition(self) -> str:
        """The disposition type in lower case (RFC 3261 §20.11, RFC 5621 §4.1); empty where none is given."""
        return media_type(self.header("content-disposition"))

    def header(self, *names: str) -> str:
        """The value of the first header line with one of these lower-case names; empty without one."""
        for line in self.headers:
            name, colon, value = line.partition(":")
            if colon and name.strip(LWS).lower() in names:
                return value.strip(LWS)
        return ""


def media_type(text: str) -> str:
    """The media type of a Content-Type value, in lower case without parameters."""
    return text.partition(";")[0].strip(LWS).lower()


def boundary_of(content_type: str) -> str:
    """The `boundary` parameter of a Content-Type value; empty without one."""
    for parameter in split_quoted(content_type, ";", angle=False)[1:]:
        name, _, value = parameter.partition("=")
        if name.strip(LWS).lower() == "boundary":
            return value.strip(LWS).strip('"')
    return ""


def split(content_type: str, body: bytes) -> list[Part]:
    """The parts of a body; one that is not multipart, or has no boundary, is its own single part."""
    boundary = boundary_of(content_type)
    if not media_type(content_type).startswith("multipart/") or not boundary:
        return [Part((f"Content-Type: {content_type}",), body)]
    delimiter = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    parts = []
    for piece in (b"\r\n" + body).split(delimiter)[1:]:
        if piece.startswith(b"--"):
            break
        head, gap, rest = piece.partition(b"\r\n\r\n")
        if not gap:
            head, rest = b"", piece.removeprefix(b"\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        parts.append(Part(tuple(line for line in lines if line), rest))
    return parts


def find(content_type: str, body: bytes, wanted: str, disposition: str) -> bytes | None:
    """The content of the first part of a media type, in whatever is multipart (RFC 5621 §3.1); None without.

    `disposition`: the one that the type has where none is given; parts that are there for something else are
    passed over, `early-session` for one (RFC 3959).  Raises SipParseError (400) for a Content-Type that
    cannot be read.
    """
    whole = Part((f"Content-Type: {content_type}",), body)
    level = [whole]
    for _ in range(MAX_DEPTH):
        inside: list[Part] = []
        for part in level:
            found = part.content_type
            if found == wanted and part.disposition in ("", disposition):
                return part.body
            if found.startswith("multipart/"):
                value = part.header("content-type", "c")
                inside += split(value, part.body) if boundary_of(value) else ()
        level = inside
    return None


def join(parts: list[Part]) -> tuple[str, bytes]:
    """Content-Type and body of several parts together (`multipart/mixed`)."""
    boundary = DEFAULT_BOUNDARY
    while any(f"--{boundary}".encode() in part.body for part in parts):
        boundary += "-x"
    octets = bytearray()
    for part in parts:
        head = "\r\n".join(part.headers)
        octets += f"--{boundary}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + part.body + b"\r\n"
    octets += f"--{boundary}--\r\n".encode()
    return f"multipart/mixed;boundary={boundary}", bytes(octets)
