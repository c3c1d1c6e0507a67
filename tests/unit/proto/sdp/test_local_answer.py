"""Answers that ask nobody: formats, directions and m-lines of RFC 3264 §6."""

from __future__ import annotations

import pytest

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.local_answer import local_answer, same_media
from libreims.proto.sdp.offer_answer import check_answer
from support.lab import sdp

FAR = SessionDescription.parse(sdp("192.0.2.1", 40000))


def offer(**changes: object) -> SessionDescription:
    return SessionDescription.parse(sdp("192.0.2.2", 50000, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_the_direction_is_what_the_offer_leaves(offered: str, answered: str) -> None:
    answer = local_answer(FAR, offer(direction=offered))
    assert answer.direction(0) == answered
    assert not check_answer(offer(direction=offered), answer)


def test_an_offer_that_changes_nothing_gets_what_stands() -> None:
    assert local_answer(FAR, offer()) == FAR


def test_formats_that_are_not_offered_any_more_go_with_their_lines() -> None:
    text = sdp("192.0.2.2").replace(b"RTP/AVP 0 8", b"RTP/AVP 8").replace(b"a=rtpmap:0 PCMU/8000\r\n", b"")
    answer = local_answer(FAR, SessionDescription.parse(text))
    assert answer.media[0].formats == ("8",)
    assert answer.media[0].lines[0] == "m=audio 40000 RTP/AVP 8"
    assert "PCMU" not in str(answer)
    assert SessionDescription.parse(answer.encode()) == answer


def test_new_m_lines_are_refused_and_those_that_are_off_stay_so() -> None:
    answer = local_answer(FAR, offer(media=("audio", "video")))
    assert [bool(each.port) for each in answer.media] == [True, False]
    answer = local_answer(FAR, offer(media=("-audio",)))
    assert [each.port for each in answer.media] == [0]
    answer = local_answer(FAR, offer(media=("video",)))
    assert [(each.kind, each.port) for each in answer.media] == [("video", 0)]


def test_what_looks_alike_behind_the_relay() -> None:
    elsewhere = SessionDescription.parse(sdp("198.51.100.9", 41000, version=8))
    assert same_media(FAR, elsewhere)
    assert not same_media(FAR, offer(direction="sendonly"))
    assert not same_media(FAR, offer(media=("audio", "video")))
    assert not same_media(FAR, offer(media=("-audio",)))
    other = SessionDescription.parse(sdp("192.0.2.1").replace(b"RTP/AVP 0 8", b"RTP/AVP 8 0"))
    assert not same_media(FAR, other)
