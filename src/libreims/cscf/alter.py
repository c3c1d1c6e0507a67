"""Changes of a message: custom headers of the server and of modifiers, and bodies from files.

What is sent is changed in its octets only (`proto.sip.altered`); what was received is changed for the
procedures, except for what tells its transaction and dialog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from libreims.base.files import read_small
from libreims.base.log import LayerLog
from libreims.config.schema_common import CustomHeader
from libreims.cscf.modifiers import Content
from libreims.proto.sip.altered import AlteredRequest, AlteredResponse, Edit, Edits, apply_edits
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.multipart import Part, join, media_type, split
from libreims.proto.sip.names import canonical

IDENTITY: Final = frozenset({"Via", "From", "To", "Call-ID", "CSeq", "Content-Length"})
"""Headers that only octets on their way out can have wrong."""

LARGEST: Final = 65536
"""Octets of a content file: more fits into no UDP datagram, and hardly a phone."""

ReadFile = Callable[[str], bytes | None]
"""The octets of a file; None (after a line in the log) when it cannot be read."""


def file_reader(log: LayerLog) -> ReadFile:
    """Reads files when they are needed, so that a test can change them between two calls."""

    def read(name: str) -> bytes | None:
        try:
            return read_small(name, LARGEST)
        except OSError as error:
            log.error(
                f"content file {name} cannot be read: {error.strerror or error}; the body stays as it is"
            )
            return None

    return read


def global_edits(headers: Iterable[CustomHeader], message: Message) -> Edits:
    """The `custom_headers` of the configuration that a message of ours gets.

    With `codes` they are for responses, without for requests; no `methods` means all.
    """
    if isinstance(message, Response):
        method, status = message.cseq.method, message.status
        chosen = [each for each in headers if each.codes and (0 in each.codes or status in each.codes)]
    else:
        assert isinstance(message, Request)
        method = message.method
        chosen = [each for each in headers if not each.codes]
    return tuple(
        Edit(each.name, each.value, each.replace)
        for each in chosen
        if not each.methods or "*" in each.methods or method in each.methods
    )


def altered_request(request: Request, edits: Edits, contents: Iterable[Content], read: ReadFile) -> Request:
    """A request of ours as it is to leave."""
    body_edits, body = _body(request, contents, read)
    edits = body_edits + edits
    return AlteredRequest(request, edits, body) if edits or body is not None else request


def altered_response(
    response: Response, edits: Edits, contents: Iterable[Content], read: ReadFile
) -> Response:
    """A response of ours as it is to leave."""
    body_edits, body = _body(response, contents, read)
    edits = body_edits + edits
    return AlteredResponse(response, edits, body) if edits or body is not None else response


def alter_in_place(message: Message, edits: Edits, contents: Iterable[Content], read: ReadFile) -> None:
    """Change what the procedures get to see, or what the stack is about to send; never its identity."""
    body_edits, body = _body(message, contents, read)
    if body is not None:
        message.body = body
    kept = (edit for edit in edits if canonical(edit.name) not in IDENTITY)
    apply_edits(message, (*body_edits, *kept))


def _body(message: Message, contents: Iterable[Content], read: ReadFile) -> tuple[Edits, bytes | None]:
    """The change of Content-Type and the new body; None when the body stays."""
    contents = tuple(contents)
    if not contents:
        return (), None
    parts = split(message.get("Content-Type") or "application/octet-stream", message.body)
    if not message.body:
        parts = []
    for content in contents:
        data = read(content.file) if content.file else None
        if content.file and data is None:
            continue
        wanted = media_type(content.content_type)
        parts = [part for part in parts if wanted and part.content_type != wanted]
        if data is not None:
            parts.append(Part((f"Content-Type: {content.content_type}",), data))
    if not parts:
        return (Edit("Content-Type", None, True),), b""
    if len(parts) > 1:
        content_type, body = join(parts)
        return (Edit("Content-Type", content_type, True),), body
    return (Edit("Content-Type", _type_line(parts[0]), True),), parts[0].body


def _type_line(part: Part) -> str:
    for line in part.headers:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            return value.strip()
    return part.content_type
