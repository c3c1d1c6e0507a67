"""`cscf.callflow`: every message leaves its line, broken ones too."""

from __future__ import annotations

import pytest

from libreims.base.counters import Counters
from libreims.base.log import Log
from libreims.cscf.callflow import EVENTS_KEPT, Callflow, Followed
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from support.manual_clock import ManualClock

FLOW = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
REQUEST = (
    b"REGISTER sip:ims.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@ims.test>;tag=1\r\nTo: <sip:a@ims.test>\r\nCall-ID: one\r\nCSeq: 1 REGISTER\r\n\r\n"
)


def logged(response: Response) -> tuple[object, str]:
    """Identifier and text of the line."""
    log = Log(utc=lambda: 0.0)
    log.configure("all.level=debug,all.max_size=1")
    Callflow(log.layer("sip"), Counters(), ManualClock()).sent(response, FLOW)
    [entry] = log.ring.since(0)[1]
    return entry.id, entry.message


@pytest.mark.parametrize(
    ("old", "new", "number", "line"),
    [
        (b"CSeq: 1 R", b"CSeq: 99999999999 R", 1, "10.0.0.2:5060 400 Malformed CSeq (REGISTER)"),
        (b"CSeq: 1 REGISTER", b"CSeq: x", 1, "10.0.0.2:5060 400 Malformed CSeq (x)"),
        (b"CSeq: 1 REGISTER\r\n", b"", 1, "10.0.0.2:5060 400 Missing CSeq (?)"),
        (b"Call-ID: one\r\n", b"", None, "10.0.0.2:5060 400 Missing Call-ID (REGISTER)"),
    ],
)
def test_the_answer_to_a_broken_request(old: bytes, new: bytes, number: int | None, line: str) -> None:
    with pytest.raises(SipParseError) as caught:
        parse(REQUEST.replace(old, new))
    error = caught.value
    assert error.request is not None
    answer = Response.to_request(error.request, error.status, error.reason)
    assert logged(answer) == (number, line)


def test_a_dialog_that_is_followed_lists_its_messages() -> None:
    log = Log(utc=lambda: 0.0)
    clock = ManualClock(7.0)
    callflow = Callflow(log.layer("sip"), Counters(), clock)
    request = parse(REQUEST)
    assert isinstance(request, Request)
    mine: Followed = []
    callflow.received(request, FLOW)
    callflow.follow("one", mine)
    callflow.received(request, FLOW)
    clock.advance(1)
    callflow.sent(Response.to_request(request, 200), FLOW)
    assert mine == [7.0, "recv", "sip_register", 8.0, "send", "sip_200"]
    other: Followed = []
    callflow.follow("one", other)
    callflow.unfollow("one", mine)  # another dialog has the same Call-ID now
    callflow.received(request, FLOW)
    assert len(mine) == 6 and len(other) == 3
    callflow.unfollow("one", other)
    callflow.received(request, FLOW)
    assert len(other) == 3


def test_a_dialog_without_end_is_not_listed_without_end() -> None:
    callflow = Callflow(Log(utc=lambda: 0.0).layer("sip"), Counters(), ManualClock())
    request = parse(REQUEST)
    events: Followed = []
    callflow.follow("one", events)
    for _ in range(EVENTS_KEPT + 5):
        callflow.received(request, FLOW)
    assert len(events) == 3 * EVENTS_KEPT
