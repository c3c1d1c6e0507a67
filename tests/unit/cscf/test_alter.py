"""Custom headers and bodies."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.config.schema_common import CustomHeader
from libreims.cscf.alter import alter_in_place, altered_request, altered_response, file_reader, global_edits
from libreims.cscf.modifiers import Content
from libreims.proto.sip.altered import Edit
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.parser import parse

FILES = {"note": b"hello", "sdp": b"v=0\r\n"}


def read(name: str) -> bytes | None:
    return FILES.get(name)


def invite(body: bytes = b"") -> Request:
    fields = [
        ("Via", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1"),
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>"),
        ("Call-ID", "c"),
        ("CSeq", "1 INVITE"),
        ("Supported", "path"),
    ]
    if body:
        fields.append(("Content-Type", "application/sdp"))
    return Request.build("INVITE", "sip:b@x", fields, body)


def wire(message: Message) -> Message:
    return parse(message.encode())


def named(message: Message, *headers: CustomHeader) -> list[str]:
    return [edit.name for edit in global_edits(headers, message)]


def test_requests_and_responses_are_chosen_by_codes_and_methods() -> None:
    headers = (
        CustomHeader(name="all", value="1"),
        CustomHeader(name="star", value="1", methods=("*",)),
        CustomHeader(name="bye", value="1", methods=("BYE",)),
        CustomHeader(name="any", value="1", codes=(0,)),
        CustomHeader(name="180", value="1", codes=(180, 183), methods=("INVITE",)),
        CustomHeader(name="of-bye", value="1", codes=(0,), methods=("BYE",)),
    )
    assert named(invite(), *headers) == ["all", "star"]
    assert named(Response.to_request(invite(), 180), *headers) == ["any", "180"]
    assert named(Response.to_request(invite(), 200), *headers) == ["any"]


def test_add_replace_and_remove() -> None:
    edits = (Edit("Supported", "timer", False), Edit("X-New", "1", True), Edit("User-Agent", None, True))
    request = invite()
    request.set("User-Agent", "me")
    sent = wire(altered_request(request, edits, (), read))
    assert sent.get_all("Supported") == ["path", "timer"]
    assert sent.get("X-New") == "1"
    assert sent.get("User-Agent") is None
    again = wire(altered_request(request, (Edit("Supported", "100rel", True),), (), read))
    assert again.get_all("Supported") == ["100rel"]


def test_the_program_goes_on_with_what_it_made() -> None:
    request = altered_request(invite(b"v=1"), (Edit("Call-ID", "other", True),), (Content("", None),), read)
    assert request.call_id == "c" and request.body == b"v=1"
    sent = wire(request)
    assert sent.call_id == "other" and sent.body == b""


def test_nothing_to_change_costs_nothing() -> None:
    request = invite()
    assert altered_request(request, (), (), read) is request
    response = Response.to_request(request, 200)
    assert altered_response(response, (), (), read) is response


@pytest.mark.parametrize(
    ("value", "line"), [("7", b"\r\nContent-Length: 7\r\n\r\n"), ("x", b"Content-Length: x\r\n\r\n")]
)
def test_content_length(value: str, line: bytes) -> None:
    octets = altered_response(
        Response.to_request(invite(), 200, body=b"abc"), (Edit("content-length", value, True),), (), read
    ).encode()
    assert octets.endswith(line + b"abc") and octets.count(b"Content-Length") == 1


def test_without_content_length() -> None:
    octets = altered_request(invite(b"abc"), (Edit("Content-Length", None, True),), (), read).encode()
    assert b"Content-Length" not in octets and octets.endswith(b"\r\n\r\nabc")


def test_bodies() -> None:
    def body(request: Request, *contents: Content) -> tuple[str | None, bytes]:
        sent = wire(altered_request(request, (), contents, read))
        return sent.get("Content-Type"), sent.body

    note = Content("text/plain", "note")
    assert body(invite(), note) == ("text/plain", b"hello")
    assert body(invite(b"v=1"), Content("application/sdp", "sdp")) == ("application/sdp", b"v=0\r\n")
    assert body(invite(b"v=1"), Content("application/SDP", None)) == (None, b"")
    assert body(invite(b"v=1"), Content("", None)) == (None, b"")
    assert body(invite(b"v=1"), Content("text/html", None)) == ("application/sdp", b"v=1")
    assert body(invite(b"v=1"), Content("text/plain", "missing")) == ("application/sdp", b"v=1")
    kind, both = body(invite(b"v=1"), note)
    assert kind is not None and kind.startswith("multipart/mixed;boundary=")
    assert both.index(b"v=1") < both.index(b"hello")
    kind, octets = body(invite(b"v=1"), note, Content("application/sdp", None))
    assert (kind, octets) == ("text/plain", b"hello")


def test_what_was_received_keeps_its_identity() -> None:
    request = invite(b"v=1")
    edits = (Edit("Call-ID", "x", True), Edit("Content-Length", "9", True), Edit("Supported", None, True))
    alter_in_place(request, edits, (Content("", None),), read)
    assert request.call_id == "c" and request.body == b"" and request.get("Supported") is None
    assert request.get("Content-Type") is None


def test_files_are_read_when_they_are_needed(tmp_path: Path) -> None:
    log = Log(utc=lambda: 0.0)
    log.configure("all.level=debug")
    reader = file_reader(log.layer("ims"))
    name = tmp_path / "body"
    assert reader(str(name)) is None
    for content in (b"one", b"two"):
        name.write_bytes(content)
        assert reader(str(name)) == content
    lines = [line for entry in log.ring.since(0)[1] for line in entry.lines]
    assert len(lines) == 1 and "cannot be read" in lines[0]
