"""`call.media_policy`: what an IMPU says about media, and calls that begin on hold."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.call.media_policy import clamped, policy_of, unheld
from libreims.config.schema import ImpuSettings
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp


def description(**how: object) -> SessionDescription:
    return SessionDescription.parse(sdp("10.0.0.9", **how))  # type: ignore[arg-type]


def test_an_ordinary_impu_has_no_policy() -> None:
    assert policy_of() is None
    assert policy_of(ImpuSettings(), ImpuSettings()) is None


def test_caller_and_echo_number_together() -> None:
    policy = policy_of(ImpuSettings(video=False, media_delay=1.0), ImpuSettings(rtp=False, media_delay=0.5))
    assert policy is not None
    assert policy.refused == {"video"}
    assert policy.no_rtp == {"audio", "video", "text"} and not policy.no_rtcp
    assert policy.delay == 1.5


def test_packets_are_blocked_and_let_go_by_media_type() -> None:
    policy = policy_of(ImpuSettings(rtcp=False))
    assert policy is not None
    policy.block(frozenset({"audio", "video"}), False, None)
    policy.block(frozenset({"video"}), True, True)
    assert policy.no_rtp == {"audio"} and policy.no_rtcp == {"audio", "text"}


def test_unwanted_media_are_refused() -> None:
    policy = policy_of(ImpuSettings(video=False))
    assert policy is not None
    offer = description(media=("video", "audio", "video"))
    assert [bool(each.port) for each in policy.admitted(offer).media] == [False, True, False]
    audio = description()
    assert policy.admitted(audio) is audio
    with pytest.raises(Reject) as caught:
        policy.admitted(description(media=("video",)))
    assert caught.value.status == 488 and "the IMPU has video: false" in caught.value.why


def test_an_offer_in_which_everything_was_off_already_is_not_refused() -> None:
    policy = policy_of(ImpuSettings(video=False))
    assert policy is not None
    assert [each.port for each in policy.admitted(description(media=("-audio",))).media] == [0]


def test_what_is_not_held_stays_as_it_is() -> None:
    offer = description(media=("audio", "-video"))
    assert unheld(offer) is offer


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
def test_a_hold_is_taken_out_and_comes_back_in_the_answer(direction: str) -> None:
    """RFC 3264 §6.1: an answer may not have more than the offer has asked for."""
    offer = description(media=("audio", "-video"), direction=direction)
    shown = unheld(offer)
    assert shown.direction(0) == "sendrecv" and not shown.media[1].port
    answer = clamped(description(media=("audio", "-video")), offer)
    wanted = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    assert answer.direction(0) == wanted[direction]
    assert clamped(description(direction="sendonly"), offer).direction(0) in ("sendonly", "inactive")


def test_a_null_address_is_a_hold() -> None:
    """RFC 3264 §8.4; which address stands there instead the callee never sees."""
    data = sdp("10.0.0.9").replace(b"c=IN IP4 10.0.0.9", b"c=IN IP4 0.0.0.0")
    shown = unheld(SessionDescription.parse(data))
    assert shown.rtp_address(0) is not None
    own = sdp("10.0.0.9").replace(b"RTP/AVP 0 8\r\n", b"RTP/AVP 0 8\r\nc=IN IP4 0.0.0.0\r\n")
    assert unheld(SessionDescription.parse(own)).rtp_address(0) is not None
