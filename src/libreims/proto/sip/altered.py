"""Messages that leave otherwise than the program made them: for tests that bend a message on purpose.

Whoever made the message goes on working with what it made (its tags, Call-ID, body); only the octets
differ.  Even a wrong Content-Length can be stated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.names import canonical


class Edit(NamedTuple):
    """One change of a header."""

    name: str
    value: str | None
    """None: take all lines of this header away."""
    replace: bool
    """Whether the line stands for all that there are, or is added to them."""


Edits = tuple[Edit, ...]


class AlteredRequest(Request):
    """A request with changes that only its octets show."""

    __slots__ = ("_edits", "_sent_body")

    def __init__(self, request: Request, edits: Edits, body: bytes | None) -> None:
        super().__init__(request.method, request.uri, request.fields, request.body)
        self._edits = edits
        self._sent_body = body

    def encode(self) -> bytes:
        """The octets, changed. Raises ValueError as `Message.encode`."""
        body = self.body if self._sent_body is None else self._sent_body
        return _encode(Request(self.method, self.uri, dict(self.fields), body), self._edits)


class AlteredResponse(Response):
    """A response with changes that only its octets show."""

    __slots__ = ("_edits", "_sent_body")

    def __init__(self, response: Response, edits: Edits, body: bytes | None) -> None:
        super().__init__(response.status, response.reason, response.fields, response.body)
        self._edits = edits
        self._sent_body = body

    def encode(self) -> bytes:
        """The octets, changed. Raises ValueError as `Message.encode`."""
        body = self.body if self._sent_body is None else self._sent_body
        return _encode(Response(self.status, self.reason, dict(self.fields), body), self._edits)


def apply_edits(message: Message, edits: Iterable[Edit]) -> None:
    """Change headers of a message for good."""
    for name, value, replace in edits:
        if value is None:
            message.remove(name)
        elif replace:
            message.set(name, value)
        else:
            message.add(name, value)


def is_content_length(edit: Edit) -> bool:
    """Whether a change is about the Content-Length, which `encode` writes by itself."""
    return canonical(edit.name) == "Content-Length"


def _encode(message: Message, edits: Edits) -> bytes:
    apply_edits(message, (edit for edit in edits if not is_content_length(edit)))
    octets = message.encode()
    for edit in edits:
        if is_content_length(edit):
            end = len(octets) - len(message.body)
            return _stated(octets[:end], edit.value) + message.body
    return octets


def _stated(head: bytes, length: str | None) -> bytes:
    """The head with another Content-Length, which is its last line, or with none."""
    kept = head[: head.rindex(b"Content-Length: ")]
    if length is None:
        return kept + b"\r\n"
    return kept + b"Content-Length: " + length.encode("utf-8", "surrogateescape") + b"\r\n\r\n"
