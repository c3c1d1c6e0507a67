"""Any octets give a description or an SdpError; what was read can be looked at, rewritten and read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sdp.description import SdpError, SessionDescription
from libreims.proto.sdp.offer_answer import (
    answer_echo,
    check_answer,
    check_offer,
    has_preconditions,
    hold,
    is_hold,
    reject_media,
    relayable,
    rewrite,
    strip_preconditions,
)
from support.sdp import ORIGIN, VOLTE

LINES = (
    *VOLTE,
    "c=IN IP4 0.0.0.0",
    "c=IN IP6 ::/3",
    "m=video 6000/2 RTP/AVPF 99 100",
    "m=text 0 RTP/AVP 98",
    "m=application 9 UDP/BFCP *",
    "a=rtcp:5009 IN IP4 192.0.2.7",
    "a=rtcp:",
    "a=group:BUNDLE",
    "a=candidate",
    "a=rtpmap:",
    "a=fmtp:",
    "a=inactive",
    "i=",
    "b=",
)

pieces = st.sampled_from([line.encode() for line in LINES]) | st.binary(max_size=12)
ends = st.sampled_from([b"\r\n", b"\n", b"\r", b""])
documents = st.lists(st.tuples(pieces, ends), max_size=30).map(
    lambda parts: b"v=0\r\n" + b"".join(piece + end for piece, end in parts)
)


def look_at_everything(description: SessionDescription) -> None:
    description.origin, description.connection, description.bandwidths  # noqa: B018
    check_offer(description)
    is_hold(description)
    has_preconditions(description)
    for index, media in enumerate(description.media):
        description.direction(index)
        description.rtp_address(index)
        description.rtcp_address(index)
        media.codecs()
        relayable(media)


@given(st.binary(max_size=300) | documents)
def test_octets(data: bytes) -> None:
    try:
        description = SessionDescription.parse(data)
    except SdpError as error:
        assert 0 <= error.line <= data.count(b"\n") + 1
        return
    assert description.encode() == data
    look_at_everything(description)


@given(documents)
def test_what_is_written_is_read_again_and_names_only_the_relay(data: bytes) -> None:
    try:
        offer = SessionDescription.parse(data)
    except SdpError:
        return
    addresses = [("192.0.2.1", 10000 + 2 * index) for index in range(len(offer.media))]
    echo = answer_echo(offer, addresses, ORIGIN)
    relayed = rewrite(offer, addresses, ORIGIN)
    for written in (echo, relayed, hold(relayed), strip_preconditions(relayed)):
        again = SessionDescription.parse(written.encode())
        assert again == written
        look_at_everything(again)
        assert len(again.media) == len(offer.media)
        for index, media in enumerate(again.media):
            assert again.rtp_address(index) == (addresses[index] if media.port else None)
            assert again.rtcp_address(index) in (None, ("192.0.2.1", 10001 + 2 * index))
    assert check_answer(offer, echo) == []
    if offer.media:
        assert reject_media(offer, 0).media[0].port == 0
