"""A recording for people and for programs."""

from __future__ import annotations

import asyncio
import json

import pytest

from libreims.net.port import Flow
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request, Response
from libreims.ue import report
from libreims.ue.incoming import AnswerMode
from libreims.ue.ladder import Arrow, Remark, render
from libreims.ue.phone import Phone
from libreims.ue.recorder import SipRecord
from libreims.ue.short_message import SMS_TYPE
from support.phones import PhonePair
from support.virtual import run


def request(method: str, uri: str = "sip:ims.test", *headers: tuple[str, str], body: bytes = b"") -> Request:
    base = [("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>"), ("Call-ID", "x"), ("CSeq", f"1 {method}")]
    return Request.build(method, uri, [*base, *headers], body)


@pytest.mark.parametrize(
    ("message", "label"),
    [
        (request("REGISTER"), "REGISTER"),
        (request("REGISTER", "sip:x", ("Expires", "0")), "REGISTER expires=0"),
        (
            request("REGISTER", "sip:x", ("Authorization", 'Digest username="a",realm="b",response="12"')),
            "REGISTER with response",
        ),
        (
            request(
                "REGISTER",
                "sip:x",
                ("Authorization", 'Digest username="a",realm="b",nonce="c",response=""'),
            ),
            "REGISTER with empty response",
        ),
        (
            request(
                "REGISTER",
                "sip:x",
                ("Authorization", 'Digest username="a",realm="b",response="",auts="AAAAAAAAAAAAAAAAAAA="'),
            ),
            "REGISTER AUTS",
        ),
        (request("INVITE", "tel:1002;phone-context=ims.test"), "INVITE tel:1002"),
        (request("INVITE", "sip:bob@[::1]:5060"), "INVITE sip:bob"),
        (request("MESSAGE", "sip:bob@ims.test", ("Content-Type", "text/plain")), "MESSAGE sip:bob"),
        (
            request("MESSAGE", "sip:1@ims.test", ("Content-Type", SMS_TYPE), body=b"\x06\x05"),
            "MESSAGE RP-SMMA 5",
        ),
        (Response.to_request(request("BYE"), 200), "200 OK (BYE)"),
        (Response.to_request(request("INVITE"), 180), "180 Ringing"),
        (
            Response.to_request(
                request("REGISTER"),
                401,
                headers=[("WWW-Authenticate", 'Digest realm="b",nonce="c",algorithm=AKAv1-MD5')],
            ),
            "401 Unauthorized (REGISTER) AKAv1-MD5",
        ),
    ],
)
def test_labels(message: Request | Response, label: str) -> None:
    assert report.label(message) == label


async def _call() -> tuple[Phone, Phone]:
    loop = asyncio.get_running_loop()
    a, b = await PhonePair(SimulatedNetwork(loop), loop).start()
    b.answer_mode = AnswerMode(delay=0.5)
    call = a.call("1002")
    await call.wait_answered()
    await asyncio.sleep(1)
    await call.hold()
    call.hang_up()
    await call.wait_ended()
    return a, b


def test_a_call_as_a_ladder() -> None:
    a, _ = run(_call)
    lines = render(("phone", "server"), report.rows(a.recorder.entries, "phone", "server"), width=60)
    text = "\n".join(lines)
    for part in (
        "INVITE tel:1002 audio sendrecv AMR-WB/AMR/PCMU",
        "180 Ringing",
        "200 OK (INVITE) audio sendrecv AMR-WB",
        "INVITE audio sendonly AMR-WB",
        "200 OK (INVITE) audio recvonly AMR-WB",
        "200 OK (BYE)",
        "* call with tel:1002 ended: hung up",
    ):
        assert part in text
    places = [text.index(part) for part in ("180 Ringing", "sendonly", "BYE")]
    assert places == sorted(places)


def test_what_is_sent_again_says_so() -> None:
    flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
    data = request("REGISTER").encode().replace(b"CSeq", b"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq")
    records = [SipRecord(time, True, flow, data) for time in (0.0, 0.5)]
    first, second = report.rows(records, "phone", "server")
    assert isinstance(first, Arrow) and first.label == "REGISTER"
    assert isinstance(second, Arrow) and second.label == "REGISTER again"


def test_notes_may_be_left_out() -> None:
    a, _ = run(_call)
    assert any(isinstance(row, Remark) for row in report.rows(a.recorder.entries, "a", "b"))
    assert not any(isinstance(row, Remark) for row in report.rows(a.recorder.entries, "a", "b", notes=False))


def test_everything_can_be_written_as_json() -> None:
    a, b = run(_call)
    lines = [json.loads(json.dumps(report.json_entry(entry, 1000.0))) for entry in a.recorder.entries]
    sip = [line for line in lines if line["type"] == "sip"]
    assert sip[0]["method"] == "INVITE" and sip[0]["sent"] is True
    assert sip[0]["time"] >= 1000 and sip[0]["octets"] > 500
    assert {line["status"] for line in sip if "status" in line} == {180, 200}
    phone = json.loads(json.dumps(report.json_phone(b)))
    assert phone["calls"][0]["incoming"] and phone["calls"][0]["ended_by"] == "them"
    assert phone["calls"][0]["streams"]["audio"]["packets"] == pytest.approx(50, abs=3)


def test_what_was_heard_in_a_sentence() -> None:
    a, _ = run(_call)
    text = report.heard(a.calls[0])
    assert text.startswith("audio: 5") and "heard (jitter" in text
