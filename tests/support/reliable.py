"""Messages of RFC 3262 for tests: an INVITE, its provisional responses and the PRACK."""

from __future__ import annotations

from collections.abc import Iterable

from libreims.proto.sip.message import Request, Response


def invite(headers: Iterable[tuple[str, str]] = (), body: bytes = b"v=0", cseq: int = 1) -> Request:
    """An INVITE with this body."""
    lines = [
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKi"),
        ("From", "<sip:a@ims.example>;tag=f"),
        ("To", "<sip:b@ims.example>"),
        ("Call-ID", "reliable"),
        ("CSeq", f"{cseq} INVITE"),
        *headers,
    ]
    return Request.build("INVITE", "sip:b@ims.example", lines, body)


def prack(rack: str | None, body: bytes = b"") -> Request:
    """A PRACK with this RAck, or without one."""
    lines = [
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKp"),
        ("From", "<sip:a@ims.example>;tag=f"),
        ("To", "<sip:b@ims.example>;tag=t"),
        ("Call-ID", "reliable"),
        ("CSeq", "2 PRACK"),
    ]
    if rack is not None:
        lines.append(("RAck", rack))
    return Request.build("PRACK", "sip:b@ims.example", lines, body)


def provisional(status: int, rseq: str | None, tag: str = "t", require: str = "100rel") -> Response:
    """A response to the INVITE."""
    headers = [("Require", require)] if require else []
    if rseq is not None:
        headers.append(("RSeq", rseq))
    return Response.to_request(invite(), status, tag=tag, headers=headers)
