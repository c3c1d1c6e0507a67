"""Offers and answers of a phone: what is chosen, what is refused, what goes wrong."""

from __future__ import annotations

import pytest

from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sdp.description import SessionDescription
from libreims.ue import negotiation
from libreims.ue.media import MediaError, MediaSession
from support.phones import phone_config
from support.virtual import VirtualLoop, virtual_loop

__all__ = ["virtual_loop"]


def session(loop: VirtualLoop, number: int = 1, **changes: object) -> MediaSession:
    config = phone_config(number, ("10.0.0.9", 5060), **changes)
    return MediaSession(SimulatedNetwork(loop), loop, Tokens(number), config, f"10.0.0.{number}")


def sdp(*media: str, connection: str = "IN IP4 10.0.0.9") -> bytes:
    lines = ["v=0", "o=- 1 1 IN IP4 10.0.0.9", "s=-", f"c={connection}", "t=0 0", *media]
    return "".join(f"{line}\r\n" for line in lines).encode()


def media_lines(body: bytes) -> list[str]:
    return [line for line in body.decode().splitlines() if line.startswith("m=")]


def test_the_offer_lists_the_codecs_in_order(virtual_loop: VirtualLoop) -> None:
    offer = session(virtual_loop).offer(("audio", "text")).decode()
    audio, text = media_lines(offer.encode())
    assert audio.split()[2:] == ["RTP/AVP", "104", "102", "0", "101"]
    assert text.split()[2:] == ["RTP/AVP", "112"]
    for line in ("a=rtpmap:104 AMR-WB/16000/1", "a=rtpmap:101 telephone-event/8000", "a=sendrecv"):
        assert f"{line}\r\n" in offer


def test_the_answer_takes_the_first_codec_of_the_offer_that_is_known(virtual_loop: VirtualLoop) -> None:
    offer = sdp(
        "m=audio 4000 RTP/AVP 96 97 0 101 100",
        "a=rtpmap:96 EVS/16000",
        "a=rtpmap:97 AMR-WB/16000",
        "a=fmtp:97 mode-set=2",
        "a=rtpmap:100 telephone-event/16000",
        "a=rtpmap:101 telephone-event/8000",
    )
    media = session(virtual_loop)
    answer = media.offered(offer).decode()
    # RFC 3264 §6.1: the numbers of the offer; the event with the clock rate of the codec.
    assert media_lines(answer.encode())[0].split()[2:] == ["RTP/AVP", "97", "100"]
    assert "a=fmtp:97 mode-set=2\r\n" in answer
    assert media.codecs == {"audio": "AMR-WB"}


def test_amr_is_sent_in_the_form_that_was_agreed() -> None:
    def aligned(fmtp: str) -> bool:
        offer = SessionDescription.parse(
            sdp("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 AMR/8000", f"a=fmtp:97 {fmtp}")
        )
        choice = negotiation.choose(offer.media[0], [negotiation.CODECS["amr"]])
        assert choice is not None
        return choice.aligned

    assert aligned("mode-set=7; octet-align=1")
    assert not aligned("octet-align=0")
    assert not aligned("mode-set=7")


def test_lines_that_are_not_wanted_are_refused_in_their_places(virtual_loop: VirtualLoop) -> None:
    offer = sdp(
        "m=video 5000 RTP/AVP 113",
        "a=rtpmap:113 H264/90000",
        "m=application 7000 UDP/TLS/RTP/SAVP 1",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
    )
    lines = media_lines(session(virtual_loop).offered(offer))
    assert [line.split()[0] for line in lines] == ["m=video", "m=application", "m=audio", "m=audio"]
    assert [line.split()[1] == "0" for line in lines] == [True, True, False, True]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_directions_are_answered(offered: str, answered: str, virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    answer = media.offered(sdp("m=audio 4000 RTP/AVP 0", f"a={offered}"))
    assert f"a={answered}\r\n" in answer.decode()
    assert media.held_by_peer is (offered in ("sendonly", "inactive"))


def test_a_null_address_is_a_hold(virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    media.offered(sdp("m=audio 4000 RTP/AVP 0"))
    media.talk()
    virtual_loop.advance(1)
    before = media.counts["audio"].packets_sent
    media.offered(sdp("m=audio 4000 RTP/AVP 0", connection="IN IP4 0.0.0.0"))
    virtual_loop.advance(1)
    assert media.held_by_peer
    assert media.counts["audio"].packets_sent == before == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"nonsense", "cannot be read"),
        (sdp("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 EVS/16000"), "no codec in common: offered was audio"),
        (sdp("m=audio 4000 RTP/SAVP 0"), "no codec in common"),
        (sdp(), "no codec in common: offered was nothing"),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP4 media.example.test"), "is a name"),
    ],
)
def test_offers_that_cannot_be_answered(body: bytes, said: str, virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    with pytest.raises(MediaError, match=said):
        media.offered(body)
    assert media.codecs == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cannot be read"),
        (sdp("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"), "the offer has 1 m-lines, the answer 2"),
        (sdp("m=audio 0 RTP/AVP 0"), "no codec that was offered"),
    ],
)
def test_answers_that_do_not_fit(body: bytes, said: str, virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    media.offer(("audio",))
    with pytest.raises(MediaError, match=said):
        media.answered(body)


def test_an_answer_without_offer(virtual_loop: VirtualLoop) -> None:
    with pytest.raises(MediaError, match="without an offer"):
        session(virtual_loop).answered(sdp("m=audio 4000 RTP/AVP 0"))
    with pytest.raises(MediaError, match="nothing to offer again"):
        session(virtual_loop).reoffer()


def test_a_refused_hold_changes_nothing(virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    media.offer(("audio",))
    media.answered(sdp("m=audio 4000 RTP/AVP 0"))
    media.talk()
    assert b"a=sendonly" in media.reoffer(held=True)
    media.abandon(held=False)
    assert not media.held and media.directions == {"audio": "sendrecv"}
    assert b"a=sendrecv" in media.reoffer()


def test_ports_are_returned_and_counts_stay(virtual_loop: VirtualLoop) -> None:
    media = session(virtual_loop)
    media.offer(("audio", "video"))
    media.answered(sdp("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 113"))
    media.talk()
    virtual_loop.advance(1)
    media.close()
    media.close()
    virtual_loop.advance(1)
    assert media.counts["audio"].packets_sent == pytest.approx(50, abs=1)
    assert set(media.counts) == {"audio"}
    assert virtual_loop.pending_timers() == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"), "audio sendrecv PCMU"),
        (
            sdp("m=audio 4000 RTP/AVP 0", "a=sendonly", "m=video 0 RTP/AVP 1"),
            "audio sendonly PCMU, video off",
        ),
        (b"nonsense", ""),
    ],
)
def test_a_description_in_a_few_words(body: bytes, text: str) -> None:
    assert negotiation.summary(body) == text
