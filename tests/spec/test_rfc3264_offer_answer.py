"""RFC 3264, an offer/answer model with SDP: the sentences that bind a back-to-back user agent and an echo."""

from __future__ import annotations

import pytest

from libreims.proto.sdp.description import DIRECTIONS, SessionDescription
from libreims.proto.sdp.offer_answer import (
    LocalOrigin,
    answer_direction,
    answer_echo,
    check_answer,
    hold,
    is_hold,
    reject_media,
    rewrite,
)
from support.sdp import ORIGIN, VOLTE, sdp, session

RELAY = [("192.0.2.1", 10000), ("192.0.2.1", 10002), ("192.0.2.1", 10004)]

# RFC 3264 §10.1, the basic exchange: audio with three codecs and two video streams, of which the
# second is turned down.
ALICE = (
    "v=0",
    "o=alice 2890844526 2890844526 IN IP4 host.anywhere.com",
    "s= ",
    "c=IN IP4 host.anywhere.com",
    "t=0 0",
    "m=audio 49170 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "m=video 51372 RTP/AVP 31",
    "a=rtpmap:31 H261/90000",
    "m=video 53000 RTP/AVP 32",
    "a=rtpmap:32 MPV/90000",
)
BOB = (
    "v=0",
    "o=bob 2890844730 2890844730 IN IP4 192.0.2.9",
    "s= ",
    "c=IN IP4 192.0.2.9",
    "t=0 0",
    "m=audio 49920 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "m=video 0 RTP/AVP 31",
    "m=video 53000 RTP/AVP 32",
    "a=rtpmap:32 MPV/90000",
)


def version(description: SessionDescription) -> int:
    assert description.origin is not None
    return description.origin.version


def test_s10_1_the_basic_exchange_through_the_relay() -> None:
    offer, answer = sdp(*ALICE), sdp(*BOB)
    assert check_answer(offer, answer) == []
    to_bob, to_alice = rewrite(offer, RELAY, ORIGIN), rewrite(answer, RELAY, ORIGIN)
    assert check_answer(to_bob, answer) == []
    assert check_answer(offer, to_alice) == []
    assert [each.port for each in to_alice.media] == [10000, 0, 10004]


def test_s5_the_subject_and_time_lines_stay() -> None:
    """§5: a subject of one space is usual and stays; §6: the answer's t= line equals the offer's."""
    offer = sdp(
        "v=0", "o=- 1 1 IN IP4 192.0.2.9", "s= ", "c=IN IP4 192.0.2.9", "t=5 9", "m=audio 5 RTP/AVP 0"
    )
    assert "s= " in rewrite(offer, RELAY, ORIGIN).lines
    assert "t=5 9" in answer_echo(offer, RELAY, ORIGIN).lines


@pytest.mark.parametrize("made", ["echo", "relay"])
def test_s6_as_many_m_lines_in_the_same_order(made: str) -> None:
    """§6: each m-line of the offer has its m-line in the answer, in the same place."""
    offer = session(
        "m=video 5 RTP/AVP 99", "m=application 5 UDP/BFCP *", "m=audio 5 RTP/AVP 0", "m=text 0 RTP/AVP 98"
    )
    addresses = [RELAY[0], None, RELAY[1], RELAY[2]]
    answer = answer_echo(offer, addresses, ORIGIN) if made == "echo" else rewrite(offer, addresses, ORIGIN)
    assert [each.kind for each in answer.media] == ["video", "application", "audio", "text"]
    assert [bool(each.port) for each in answer.media] == [True, False, True, False]
    assert check_answer(offer, session()) != []


def test_s6_a_stream_offered_with_port_zero_must_be_answered_with_port_zero() -> None:
    """§6: what is offered with port zero is answered with port zero."""
    offer = session("m=audio 0 RTP/AVP 0")
    assert answer_echo(offer, RELAY, ORIGIN).media[0].port == 0
    assert rewrite(offer, RELAY, ORIGIN).media[0].port == 0
    assert check_answer(offer, session("m=audio 5 RTP/AVP 0")) != []


def test_s6_a_rejected_stream_keeps_a_format() -> None:
    """§6: a rejected stream has port zero, and still at least one format, since SDP demands one."""
    rejected = reject_media(session("m=audio 5 RTP/AVP 0 8"), 0)
    assert (rejected.media[0].port, len(rejected.media[0].formats)) == (0, 2)
    assert SessionDescription.parse(rejected.encode()) == rejected


@pytest.mark.parametrize(
    ("offered", "allowed"),
    [
        ("sendonly", {"recvonly", "inactive"}),
        ("recvonly", {"sendonly", "inactive"}),
        ("sendrecv", {"sendrecv", "sendonly", "recvonly", "inactive"}),
        ("inactive", {"inactive"}),
    ],
)
def test_s6_1_directions_that_may_answer(offered: str, allowed: set[str]) -> None:
    """§6.1: a sendonly stream is answered recvonly or inactive, a recvonly one sendonly or inactive, an
    inactive one inactive, a sendrecv one as the answerer likes."""
    offer = session("m=audio 5 RTP/AVP 0", f"a={offered}")
    fitting = {
        answered
        for answered in DIRECTIONS.values()
        if check_answer(offer, session("m=audio 6 RTP/AVP 0", f"a={answered}")) == []
    }
    assert fitting == allowed
    assert {answer_direction(DIRECTIONS[f"a={offered}"], each) for each in DIRECTIONS.values()} == allowed


def test_s6_1_payload_numbers_of_the_offer_are_kept() -> None:
    """§6.1: a codec keeps the payload type number that it has in the offer."""
    offer = sdp(*VOLTE)
    for answer in (answer_echo(offer, RELAY, ORIGIN), rewrite(offer, RELAY, ORIGIN)):
        assert [each[:3] for each in answer.media[0].codecs()] == [
            each[:3] for each in offer.media[0].codecs()
        ]


def test_s6_1_an_answer_without_a_common_format_does_not_fit() -> None:
    """§6: a stream without a media format in common cannot be accepted, only rejected."""
    assert check_answer(session("m=audio 5 RTP/AVP 0 8"), session("m=audio 5 RTP/AVP 18")) != []


def test_s6_1_the_same_transport() -> None:
    """§6: the answerer takes the transport of the offer or rejects the stream; it does not choose another."""
    assert check_answer(session("m=audio 5 RTP/AVP 0"), session("m=audio 5 RTP/AVPF 0")) != []


def test_s8_the_version_is_incremented_by_one_with_a_change() -> None:
    """§8: the origin's version goes up by one with a change, and stands still only where the whole
    description is the same; the rest of the o= line never changes."""
    origin = LocalOrigin.start(2**62 - 2, "192.0.2.1")
    offer = rewrite(sdp(*VOLTE), RELAY, origin.origin)
    first, again, held = origin.stamp(offer), origin.stamp(offer), origin.stamp(hold(offer))
    assert again.encode() == first.encode()
    assert version(held) == version(first) + 1
    assert [each for each in held.lines if each[0] != "o"] == [each for each in first.lines if each[0] != "o"]


def test_s5_the_version_fits_in_64_bits_with_sign() -> None:
    """§5: session id and version fit in 64 bits with sign, the first version is below 2**62 - 1."""
    assert version(LocalOrigin.start(2**62 - 2, "192.0.2.1").stamp(sdp(*VOLTE))) < 2**62 - 1


def test_s8_m_lines_are_never_taken_away() -> None:
    """§8: a new offer has at least the m-lines of the one before; §8.2: a stream is ended by port zero."""
    offer = session("m=audio 5 RTP/AVP 0", "m=video 6 RTP/AVP 99")
    assert [each.port for each in reject_media(offer, 1).media] == [5, 0]


@pytest.mark.parametrize(("before", "after"), [("sendrecv", "sendonly"), ("recvonly", "inactive")])
def test_s8_4_hold(before: str, after: str) -> None:
    """§8.4: a sendrecv stream is held by making it sendonly, a recvonly one by making it inactive."""
    held = hold(session("m=audio 5 RTP/AVP 0", f"a={before}"))
    assert held.direction(0) == after
    assert is_hold(held)


def test_s8_4_the_hold_of_rfc_2543_is_understood() -> None:
    """§8.4: an address of 0.0.0.0 has to be understood: neither RTP nor RTCP is sent to that peer."""
    offer = session("m=audio 5 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    assert is_hold(offer)
    assert (offer.rtp_address(0), offer.rtcp_address(0)) == (None, None)
    assert check_answer(offer, session("m=audio 6 RTP/AVP 0", "a=recvonly")) == []
    assert check_answer(offer, session("m=audio 6 RTP/AVP 0", "a=sendonly")) != []
