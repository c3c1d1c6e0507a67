from __future__ import annotations

import itertools

import pytest

from libreims.proto.sdp.description import DIRECTIONS, SessionDescription
from libreims.proto.sdp.offer_answer import (
    LocalOrigin,
    answer_echo,
    check_answer,
    check_offer,
    effective_direction,
    has_preconditions,
    hold,
    intersect,
    is_hold,
    reject_media,
    relayable,
    reverse,
    rewrite,
    set_direction,
    strip_preconditions,
)
from support.sdp import ORIGIN, VOLTE, sdp, session, text

RELAY = ("192.0.2.1", 10000)


def test_rewrite_puts_the_relay_in_and_changes_the_address_type() -> None:
    lines = text(rewrite(sdp(*VOLTE), [RELAY], ORIGIN))
    expected = list(VOLTE)
    expected[1] = "o=- 77 77 IN IP4 192.0.2.1"
    expected[3] = "c=IN IP4 192.0.2.1"
    expected[8] = "m=audio 10000 RTP/AVP 104 102 105"
    assert lines == expected


def test_rewrite_to_ipv6_and_back_again_gives_the_same_media_lines() -> None:
    once = rewrite(sdp(*VOLTE), [("2001:db8::1", 20000)], ORIGIN)
    assert once.rtp_address(0) == ("2001:db8::1", 20000)
    twice = rewrite(once, [RELAY], ORIGIN)
    assert text(twice) == text(rewrite(sdp(*VOLTE), [RELAY], ORIGIN))


def test_rewrite_leaves_no_other_address_behind() -> None:
    offer = session(
        "a=group:BUNDLE a v",
        "a=group:LS a v",
        "a=ice-lite",
        "m=audio 5000/2 RTP/SAVP 0",
        "i=title",
        "c=IN IP4 203.0.113.1",
        "c=IN IP4 203.0.113.2",
        "a=mid:a",
        "a=rtcp:5009 IN IP4 203.0.113.3",
        "a=rtcp-mux",
        "a=ice-ufrag:x",
        "a=candidate:1 1 UDP 1 203.0.113.4 8998 typ host",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc",
        "a=fingerprint:SHA-1 00:11",
        "a=x-unknown",
    )
    assert text(rewrite(offer, [("192.0.2.1", 10000)], ORIGIN)) == [
        "v=0",
        "o=- 77 77 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "a=group:LS a v",
        "m=audio 10000 RTP/SAVP 0",
        "i=title",
        "a=mid:a",
        "a=rtcp:10001",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc",
        "a=fingerprint:SHA-1 00:11",
        "a=x-unknown",
    ]


def test_rewrite_with_two_hosts_writes_the_second_at_its_media() -> None:
    offer = session("m=audio 5000 RTP/AVP 0", "m=video 6000 RTP/AVP 99", "i=camera", "b=AS:500")
    changed = rewrite(offer, [RELAY, ("2001:db8::2", 11000)], ORIGIN)
    assert changed.rtp_address(0) == RELAY
    assert changed.rtp_address(1) == ("2001:db8::2", 11000)
    assert changed.media[1].lines[1:] == ("i=camera", "c=IN IP6 2001:db8::2", "b=AS:500")


def test_rewrite_refuses_what_has_no_address_and_keeps_port_0() -> None:
    offer = session("m=audio 0 RTP/AVP 0", "a=x", "m=application 9 UDP/BFCP *", "m=video 6 RTP/AVP 99")
    changed = rewrite(offer, [RELAY, None], ORIGIN)
    assert text(changed)[5:] == ["m=audio 0 RTP/AVP 0", "m=application 0 UDP/BFCP *", "m=video 0 RTP/AVP 99"]


def test_rewrite_adds_what_is_mandatory() -> None:
    offer = sdp("v=0", "m=audio 5 RTP/AVP 0")
    assert text(rewrite(offer, [RELAY], ORIGIN))[:5] == [
        "v=0",
        "o=- 77 77 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
    ]


def test_rewrite_keeps_the_order_that_the_grammar_demands() -> None:
    offer = sdp(
        "v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=x", "i=y", "u=z", "e=a@b", "p=1", "c=IN IP4 192.0.2.9",
        "b=AS:1", "t=1 2", "r=7d 1h 0", "z=1 2", "k=prompt", "a=b", "m=audio 5 RTP/AVP 0",
    )  # fmt: skip
    assert "".join(line[0] for line in text(rewrite(offer, [RELAY], ORIGIN))) == "vosiuepcbtrzkam"


def test_a_hold_by_null_address_becomes_one_by_direction() -> None:
    offer = session("m=audio 5000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=sendrecv")
    assert is_hold(offer)
    changed = rewrite(offer, [RELAY], ORIGIN)
    assert changed.rtp_address(0) == RELAY
    assert changed.direction(0) == "sendonly"
    silent = rewrite(session("m=audio 5000 RTP/AVP 0", "c=IN IP6 ::", "a=recvonly"), [RELAY], ORIGIN)
    assert silent.direction(0) == "inactive"


def test_direction_algebra() -> None:
    every = list(DIRECTIONS.values())
    assert [reverse(each) for each in every] == ["sendrecv", "recvonly", "sendonly", "inactive"]
    for a, b in itertools.product(every, every):
        both = intersect(a, b)
        assert both == intersect(b, a) == intersect(both, a)
        assert reverse(both) == intersect(reverse(a), reverse(b))
    assert intersect("sendonly", "recvonly") == "inactive"


@pytest.mark.parametrize(
    ("direction", "held"),
    [("sendrecv", False), ("recvonly", False), ("sendonly", True), ("inactive", True)],
)
def test_is_hold(direction: str, held: bool) -> None:
    assert is_hold(session("m=audio 5000 RTP/AVP 0", f"a={direction}", "m=video 0 RTP/AVP 99")) is held


def test_is_hold_of_one_of_two_streams() -> None:
    offer = session("m=audio 5000 RTP/AVP 0", "a=sendonly", "m=video 6000 RTP/AVP 99")
    assert not is_hold(offer)
    assert is_hold(offer, 0)
    assert not is_hold(offer, 1)
    assert not is_hold(session("m=audio 0 RTP/AVP 0", "a=sendonly"))


def test_hold_and_set_direction() -> None:
    running = session("m=audio 5000 RTP/AVP 0", "a=ptime:20", "m=video 6000 RTP/AVP 99", "a=recvonly")
    held = hold(running)
    assert [held.direction(index) for index in (0, 1)] == ["sendonly", "inactive"]
    assert held.media[0].attribute("ptime") == "20"
    assert [hold(running, "audio").direction(index) for index in (0, 1)] == ["sendonly", "recvonly"]
    resumed = set_direction(held, "sendrecv")
    assert [resumed.direction(index) for index in (0, 1)] == ["sendrecv", "sendrecv"]
    assert set_direction(held, "recvonly", "video").direction(0) == "sendonly"


def test_set_direction_takes_the_sessions_direction_away() -> None:
    changed = set_direction(sdp("v=0", "a=inactive", "m=audio 5000 RTP/AVP 0"), "sendrecv")
    assert text(changed) == ["v=0", "m=audio 5000 RTP/AVP 0", "a=sendrecv"]


def test_reject_media() -> None:
    changed = reject_media(session("m=audio 5000/2 RTP/AVP 0 8", "a=x", "m=video 6 RTP/AVP 99"), 0)
    assert text(changed)[5:] == ["m=audio 0 RTP/AVP 0 8", "m=video 6 RTP/AVP 99"]


def test_relayable() -> None:
    offer = session(
        "m=audio 5 RTP/AVP 0", "m=video 5 UDP/TLS/RTP/SAVPF 9", "m=text 5 RTP/AVP 98",
        "m=audio 0 RTP/AVP 0", "m=application 5 UDP/BFCP *", "m=audio 5 TCP/RTP/AVP 0",
    )  # fmt: skip
    assert [relayable(each) for each in offer.media] == [True, True, True, False, False, False]


# --- o= line


def test_the_version_goes_up_only_with_a_change() -> None:
    origin = LocalOrigin.start(500, "192.0.2.1")
    first = rewrite(sdp(*VOLTE), [RELAY], origin.origin)
    versions = []
    for description in (first, first, hold(first), hold(first), first):
        sent = origin.stamp(description)
        assert sent.origin is not None
        assert (sent.origin.session_id, sent.origin.host) == ("500", "192.0.2.1")
        versions.append(sent.origin.version)
    assert versions == [500, 500, 501, 501, 502]


def test_what_the_origin_of_the_other_side_says_does_not_count() -> None:
    origin = LocalOrigin.start(500, "192.0.2.1")
    one = origin.stamp(sdp(*VOLTE))
    again = origin.stamp(sdp(VOLTE[0], "o=- 9 9 IN IP4 203.0.113.8", *VOLTE[2:]))
    assert again.encode() == one.encode()


# --- checks


def test_check_offer_explains() -> None:
    assert check_offer(sdp(*VOLTE)) == []
    assert check_offer(session("m=audio 5 RTP/AVP 0", "c=IN IP4 0.0.0.0")) == []
    (missing,) = check_offer(sdp("v=0", "m=audio 5 RTP/AVP 0", "m=audio 0 RTP/AVP 0"))
    assert "m-line 1 (audio) has no c= line" in missing
    (name,) = check_offer(session("m=audio 5 RTP/AVP 0", "c=IN IP4 phone.example.com"))
    assert "phone.example.com" in name


@pytest.mark.parametrize(
    ("offer", "answer", "problem"),
    [
        (["m=audio 5 RTP/AVP 0"], ["m=audio 5 RTP/AVP 0", "m=video 5 RTP/AVP 9"], "1 m-lines, the answer 2"),
        (["m=audio 5 RTP/AVP 0"], ["m=video 5 RTP/AVP 0"], "audio was offered, video answered"),
        (["m=audio 5 RTP/AVP 0"], ["m=audio 5 RTP/SAVP 0"], "RTP/AVP was offered, RTP/SAVP answered"),
        (["m=audio 0 RTP/AVP 0"], ["m=audio 5 RTP/AVP 0"], "refused in the offer"),
        (["m=audio 5 RTP/AVP 0"], ["m=audio 5 RTP/AVP 8"], "no format"),
        (["m=audio 5 RTP/AVP 0", "a=sendonly"], ["m=audio 5 RTP/AVP 0", "a=sendonly"], "does not answer"),
        (["m=audio 5 RTP/AVP 0", "a=inactive"], ["m=audio 5 RTP/AVP 0", "a=recvonly"], "does not answer"),
    ],
)
def test_check_answer(offer: list[str], answer: list[str], problem: str) -> None:
    problems = check_answer(session(*offer), session(*answer))
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (["m=audio 5 RTP/AVP 0 8"], ["m=audio 9 RTP/AVP 8"]),
        (["m=audio 5 RTP/AVP 0"], ["m=audio 0 RTP/AVP 0"]),
        (
            ["m=audio 5 RTP/AVP 96", "a=rtpmap:96 AMR/8000"],
            ["m=audio 5 RTP/AVP 97", "a=rtpmap:97 amr/8000/1"],
        ),
        (["m=audio 5 RTP/AVP 0", "a=sendonly"], ["m=audio 5 RTP/AVP 0", "a=inactive"]),
        (["m=audio 5 RTP/AVP 0"], ["m=audio 5 RTP/AVP 0", "a=recvonly"]),
    ],
)
def test_answers_that_fit(offer: list[str], answer: list[str]) -> None:
    assert check_answer(session(*offer), session(*answer)) == []


# --- echo


def test_the_echo_mirrors_every_codec() -> None:
    offer = sdp(*VOLTE)
    answer = answer_echo(offer, [RELAY], ORIGIN)
    assert check_answer(offer, answer) == []
    assert answer.media[0].codecs() == offer.media[0].codecs()
    assert answer.media[0].bandwidths == offer.media[0].bandwidths
    assert answer.rtp_address(0) == RELAY
    assert not has_preconditions(answer)
    assert text(answer)[:8] == [
        "v=0",
        "o=- 77 77 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        *VOLTE[4:8],
    ]


def test_the_echo_says_nothing_back_that_it_cannot_do() -> None:
    offer = session(
        "m=audio 5000 RTP/AVPF 0",
        "a=rtcp-fb:* ccm tmmbr",
        "a=ssrc:1 cname:x",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc",
        "a=candidate:1 1 UDP 1 203.0.113.4 8998 typ host",
        "a=rtcp:5009",
        "a=sendonly",
    )
    answer = answer_echo(offer, [RELAY], ORIGIN)
    assert answer.media[0].lines[1:] == ("a=rtcp-fb:* ccm tmmbr", "a=recvonly")


def test_the_echo_refuses_what_it_cannot_echo() -> None:
    offer = session(
        "m=audio 5 RTP/AVP 0",
        "m=audio 5 RTP/SAVP 0",
        "m=application 5 UDP/BFCP *",
        "m=video 0 RTP/AVP 99",
        "m=text 5 RTP/AVP 98",
    )
    answer = answer_echo(offer, [RELAY] * 4, ORIGIN)
    assert [each.port for each in answer.media] == [10000, 0, 0, 0, 0]
    assert check_answer(offer, answer) == []


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
    ],
)
def test_direction_of_the_echo(offered: str, wanted: str, answered: str) -> None:
    offer = session("m=audio 5 RTP/AVP 0", f"a={offered}")
    answer = answer_echo(offer, [RELAY], ORIGIN, DIRECTIONS[f"a={wanted}"])
    assert answer.direction(0) == answered


def test_a_caller_held_by_null_address_gets_nothing() -> None:
    offer = session("m=audio 5 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    assert answer_echo(offer, [RELAY], ORIGIN).direction(0) == "recvonly"
    assert effective_direction(offer, 0) == "sendonly"


# --- preconditions


def test_strip_preconditions() -> None:
    offer = sdp(*VOLTE)
    assert has_preconditions(offer)
    stripped = strip_preconditions(offer)
    assert text(stripped) == [line for line in VOLTE if not line.startswith(("a=curr", "a=des"))]
    assert strip_preconditions(stripped) is stripped


def test_nothing_is_changed_in_place() -> None:
    offer = sdp(*VOLTE)
    before = offer.encode()
    for changed in (hold(offer), rewrite(offer, [RELAY], ORIGIN), reject_media(offer, 0)):
        assert isinstance(changed, SessionDescription)
        assert changed.encode() != before
    assert offer.encode() == before
