"""Session descriptions in messages: what is accepted, and how a refusal explains itself."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.base.log import Log
from libreims.call.body import answer_of, offer_of
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.message import Request
from libreims.proto.sip.multipart import Part, join
from support.lab import sdp

HOST = "10.0.0.7"


def message(body: bytes, content_type: str = "application/sdp") -> Request:
    headers = [("Call-ID", "x"), ("CSeq", "1 INVITE")]
    if content_type:
        headers.append(("Content-Type", content_type))
    return Request.build("INVITE", "sip:b@x", headers, body)


def refused(body: bytes, content_type: str = "application/sdp") -> Reject:
    with pytest.raises(Reject) as caught:
        offer_of(message(body, content_type), "alice")
    return caught.value


def test_no_body_is_no_offer() -> None:
    assert offer_of(message(b""), "alice") is None


def test_an_offer_is_read() -> None:
    offer = offer_of(message(sdp(HOST)), "alice")
    assert offer is not None and offer.rtp_address(0) == (HOST, 40000)


def test_another_body_is_415_with_what_is_accepted() -> None:
    reject = refused(b"x", "text/plain")
    assert reject.status == 415 and ("Accept", "application/sdp") in reject.headers
    assert "text/plain" in reject.why


def with_location(body: bytes) -> tuple[bytes, str]:
    """As in an emergency call: the session description and where the caller is (RFC 6442)."""
    content_type, whole = join(
        [
            Part(("Content-Type: application/pidf+xml", "Content-ID: <here>"), b"<presence/>"),
            Part(("Content-Type: application/sdp",), body),
        ]
    )
    return whole, content_type


def test_the_session_description_is_found_among_other_parts() -> None:
    offer = offer_of(message(*with_location(sdp(HOST))), "alice")
    assert offer is not None and offer.rtp_address(0) == (HOST, 40000)
    log = Log.null().layer("ims")
    answer = answer_of(message(*with_location(sdp("10.0.0.8"))), "bob", offer, log)
    assert answer is not None and answer.rtp_address(0) == ("10.0.0.8", 40000)


@pytest.mark.parametrize("content_type", ["multipart/mixed", "multipart/mixed;boundary=part"])
def test_parts_without_a_session_description_are_415(content_type: str) -> None:
    body = b"--part\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--part--\r\n"
    reject = refused(body, content_type)
    assert reject.status == 415 and "multipart/mixed" in reject.why


def test_a_multipart_body_that_cannot_be_read_is_400() -> None:
    reject = refused(b"x", 'multipart/mixed;x="y;boundary=part')
    assert reject.status == 400 and "alice" in reject.why
    with pytest.raises(Reject) as caught:
        answer_of(message(b"x", 'multipart/mixed;x="'), "bob", None, Log.null().layer("ims"))
    assert caught.value.status == 400


def test_what_cannot_be_read_is_400_and_named() -> None:
    reject = refused(b"v=0\r\nm=audio x\r\n")
    assert reject.status == 400 and "alice" in reject.why


@pytest.mark.parametrize("host", ["somewhere.example", '"quoted"\\.example'])
def test_an_address_that_is_a_name_is_488_with_a_warning_that_quotes_well(host: str) -> None:
    reject = refused(sdp(HOST).replace(HOST.encode(), host.encode()))
    assert reject.status == 488
    ((name, value),) = reject.headers
    assert name == "Warning" and value.startswith('301 ims "') and value.count('"') == 2
    assert "\\" not in value


def test_a_null_address_is_a_hold_and_no_fault() -> None:
    offer = offer_of(message(sdp(HOST).replace(b"c=IN IP4 " + HOST.encode(), b"c=IN IP4 0.0.0.0")), "alice")
    assert offer is not None and offer.rtp_address(0) is None


def test_media_that_cannot_be_relayed_are_refused_only_when_there_are_no_others() -> None:
    fax = b"m=image 4000 udptl t38\r\n"
    head = sdp(HOST, media=())
    assert refused(head + fax).headers[0][1].startswith("304 ")
    assert offer_of(message(sdp(HOST) + fax), "alice") is not None
    assert offer_of(message(head + b"m=image 0 udptl t38\r\n"), "alice") is not None
    assert offer_of(message(head), "alice") is not None


def answered(offer: bytes, answer: bytes) -> tuple[SessionDescription | None, str]:
    log = Log(utc=lambda: 0.0)
    found = answer_of(message(answer), "bob", SessionDescription.parse(offer), log.layer("ims"))
    return found, "\n".join(entry.message for entry in log.ring.since(0)[1])


def test_a_fitting_answer_passes_without_a_word() -> None:
    found, said = answered(sdp(HOST), sdp("10.0.0.8"))
    assert found is not None and not said


def test_another_body_in_an_answer_is_not_ours_to_judge() -> None:
    log = Log.null().layer("ims")
    assert answer_of(message(b"x", "multipart/mixed"), "bob", None, log) is None
    assert answer_of(message(b""), "bob", None, log) is None


@pytest.mark.parametrize(
    "answer",
    [
        sdp("10.0.0.8", media=("audio", "video")),
        sdp("10.0.0.8", media=()),
        sdp("10.0.0.8", media=("video",)),
        sdp("somewhere.example"),
        b"rubbish",
    ],
)
def test_an_answer_to_something_else_is_refused(answer: bytes) -> None:
    with pytest.raises(Reject) as caught:
        answered(sdp(HOST), answer)
    assert caught.value.status in (400, 488) and "bob" in caught.value.why


def test_a_stream_that_was_off_cannot_be_accepted() -> None:
    with pytest.raises(Reject):
        answered(sdp(HOST, media=("audio", "-video")), sdp("10.0.0.8", media=("audio", "video")))


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (sdp(HOST, direction="sendonly"), sdp("10.0.0.8", direction="sendrecv")),
        (sdp(HOST), sdp("10.0.0.8").replace(b"RTP/AVP 0 8", b"RTP/AVP 18")),
    ],
)
def test_what_only_the_author_suffers_from_is_told_and_passes(offer: bytes, answer: bytes) -> None:
    found, said = answered(offer, answer)
    assert found is not None
    assert "does not fit the offer, the call goes on" in said
