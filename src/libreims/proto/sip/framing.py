"""Messages out of a stream: RFC 3261 §18.3, with the keepalives of RFC 5626 §3.5.1.

The connection feeds what it reads and gets whole messages; one `StreamFramer` per connection.  Where a head
ends and how long the body is, framer and parser read alike, so that nothing hides between messages.
"""

from __future__ import annotations

import re
from typing import Final

from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import LWS, decimal, is_token
from libreims.proto.sip.message import Request
from libreims.proto.sip.parser import END_OF_HEAD, parse

DEFAULT_LIMIT: Final = 65536
"""Largest message in octets."""

_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)
_OVERLAP: Final = 3  # a head's end may begin this many octets before what has just been fed


class FramingError(SipParseError):
    """The stream cannot be read any further: answer `request` where there is one, then close it."""


class StreamFramer:
    """Cuts a stream into messages of at most `limit` octets.

    `pings` counts the double CRLFs received between messages, each of which wants a single CRLF as
    pong (RFC 5626 §4.4.1); the owner sets it back once it has answered.  `error` is set once the
    stream has become unreadable.
    """

    __slots__ = ("_breaks", "_buffer", "_limit", "_scanned", "_wanted", "error", "pings")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._scanned = 0  # no head ends before this index
        self._wanted = 0  # octets of the message at the front, 0 while its head has not ended
        self._breaks = 0  # CRLFs seen in a row between messages
        self.pings = 0
        self.error: FramingError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets, cut anywhere; return the messages that are complete now.

        Raises FramingError (400 without or with a malformed Content-Length, 513 over the limit) when the
        stream is lost; messages before that point are returned first and the error comes with the next
        call (`error` shows it at once).
        """
        if self.error is not None:
            raise self.error
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        try:
            while buffer:
                if not self._wanted:
                    self._skip_breaks()
                    self._find_head()
                wanted = self._wanted
                if not wanted or len(buffer) < wanted:
                    break
                messages.append(bytes(buffer[:wanted]))
                del buffer[:wanted]
                self._wanted = self._scanned = 0
        except FramingError as error:
            self.error = error
            buffer.clear()
            if not messages:
                raise
        return messages

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not yet ended."""
        return bool(self._buffer)

    def _skip_breaks(self) -> None:
        """Drop what RFC 3261 §7.5 lets stand before a start line."""
        buffer = self._buffer
        if buffer[0] not in b"\r\n":
            return
        length = len(buffer)
        buffer_start = buffer.lstrip(b"\r\n")
        skipped = buffer[: length - len(buffer_start)]
        self._breaks += skipped.count(b"\n")
        self.pings += self._breaks // 2
        self._breaks %= 2
        del buffer[: len(skipped)]
        if buffer:
            self._breaks = 0

    def _find_head(self) -> None:
        buffer = self._buffer
        if not buffer:
            return
        self._breaks = 0
        if not self._scanned and not is_token(chr(buffer[0])):
            # No start line begins like that: TLS on the wrong port, or a peer that lost count.
            raise FramingError(400, "Not A SIP Message")
        match = END_OF_HEAD.search(buffer, self._scanned)
        if match is None:
            if len(buffer) > self._limit:
                raise FramingError(513, "Message Too Large", _readable(bytes(buffer[: self._limit])))
            self._scanned = max(0, len(buffer) - _OVERLAP)
            return
        end = match.end()
        head = bytes(buffer[:end])
        values = _LENGTH.findall(head)
        if not values:
            raise FramingError(400, "Missing Content-Length", _readable(head))
        lengths = {decimal(value.decode("latin-1").strip(LWS + "\r\n")) for value in values}
        length = lengths.pop()
        if lengths or length is None:
            raise FramingError(400, "Malformed Content-Length", _readable(head))
        if end + length > self._limit:
            raise FramingError(513, "Message Too Large", _readable(head))
        self._wanted = end + length


def _readable(head: bytes) -> Request | None:
    """The request at the front of a lost stream, for the answer."""
    try:
        message = parse(head)
    except SipParseError as error:
        return error.request
    return message if isinstance(message, Request) else None
