from __future__ import annotations

import pytest

from libreims.proto.sdp.bandwidth import UNKNOWN, Bandwidth, bandwidth
from support.sdp import VOLTE, sdp, session

AMR = "m=audio 5000 RTP/AVP 102"
IPV6 = "c=IN IP6 2001:db8::1"


def test_of_a_volte_phone() -> None:
    assert bandwidth(sdp(*VOLTE), 0) == Bandwidth(41_000, 600, 2_000)


def test_nothing_for_an_m_line_that_is_off() -> None:
    off = session("m=audio 0 RTP/AVP 8", "b=AS:41")
    assert bandwidth(off, 0) == Bandwidth(0, 0, 0)


def test_tias_gets_the_headers_that_as_has() -> None:
    """RFC 3890 §6.4: packets per second times the headers are added."""
    tias = (AMR, "b=TIAS:12800", "a=ptime:20")
    assert bandwidth(session(*tias), 0).media == 12_800 + 50 * 40 * 8
    assert bandwidth(session(*tias, IPV6), 0).media == 12_800 + 50 * 60 * 8
    assert bandwidth(session(*tias, "a=maxprate:25.0"), 0).media == 12_800 + 25 * 40 * 8
    assert bandwidth(session(*tias, "a=maxprate:x"), 0).media == 12_800 + 50 * 40 * 8


def test_as_goes_before_tias() -> None:
    assert bandwidth(session(AMR, "b=TIAS:12800", "b=AS:30"), 0).media == 30_000


def test_session_bandwidth_is_that_of_the_only_m_line() -> None:
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "b=AS:64", "t=0 0")
    assert bandwidth(sdp(*lines, "m=audio 5000 RTP/AVP 8", "m=video 0 RTP/AVP 99"), 0).media == 64_000
    assert bandwidth(sdp(*lines, "m=audio 5000 RTP/AVP 8", "m=video 6000 RTP/AVP 99"), 0).media == 80_000


# The values of TS 26.114 Annex K for one frame of 20 ms in a packet, before rounding to kbit/s.
@pytest.mark.parametrize(
    ("name", "fmtp", "ipv4", "ipv6"),
    [
        ("AMR/8000/1", "", 28_800, 36_800),
        ("AMR-WB/16000/1", "", 40_400, 48_400),
        ("amr-wb/16000", "mode-set=0,1,2; mode-change-capability=2", 29_200, 37_200),
        ("AMR/8000", "octet-align=1;mode-set=7", 28_800, 36_800),
        ("AMR/8000", "mode-set=99", 28_800, 36_800),
        ("EVS/16000", "br=5.9-13.2;bw=nb-swb", 30_000, 38_000),
        ("EVS/16000/1", "", 41_200, 49_200),
        ("EVS/16000", "br=24.4", 41_200, 49_200),
        ("PCMA/8000", "", 80_000, 88_000),
        ("G729/8000", "", 24_000, 32_000),
    ],
)
def test_by_codec(name: str, fmtp: str, ipv4: int, ipv6: int) -> None:
    lines = [AMR, f"a=rtpmap:102 {name}", *([f"a=fmtp:102 {fmtp}"] if fmtp else [])]
    assert bandwidth(session(*lines), 0).media == ipv4
    assert bandwidth(session(*lines, IPV6), 0).media == ipv6


def test_longer_packets_have_fewer_headers() -> None:
    assert bandwidth(session("m=audio 5000 RTP/AVP 8", "a=ptime:40"), 0).media == 72_000
    assert bandwidth(session("m=audio 5000 RTP/AVP 8", "a=ptime:0"), 0).media == 80_000


def test_the_largest_codec_counts() -> None:
    offered = session("m=audio 5000 RTP/AVP 102 8", "a=rtpmap:102 AMR/8000")
    assert bandwidth(offered, 0).media == 80_000


@pytest.mark.parametrize("kind", ["audio", "video", "text"])
def test_nothing_known(kind: str) -> None:
    lines = (f"m={kind} 5000 RTP/AVP 120", "a=rtpmap:120 telephone-event/8000")
    assert bandwidth(session(*lines), 0).media == UNKNOWN[kind]


def test_rtcp_gets_five_percent_where_nothing_is_said() -> None:
    """RFC 3556 §2: a quarter of it for the senders."""
    assert bandwidth(session(AMR, "b=AS:40"), 0) == Bandwidth(40_000, 500, 1_500)
    assert bandwidth(session(AMR, "b=AS:40", "b=RS:0"), 0) == Bandwidth(40_000, 0, 1_500)
    assert bandwidth(session(AMR, "b=AS:40", "b=RS:0", "b=RR:0"), 0) == Bandwidth(40_000, 0, 0)


def test_rtcp_of_the_session_counts_where_the_m_line_says_nothing() -> None:
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "b=RS:100", "b=RR:300", "t=0 0")
    assert bandwidth(sdp(*lines, AMR, "b=AS:30", "b=RR:5"), 0) == Bandwidth(30_000, 100, 5)


def test_multiplied() -> None:
    assert Bandwidth(41_000, 600, 2_001).times(1.5) == Bandwidth(61_500, 900, 3_002)


@pytest.mark.parametrize(
    "fmtp", ["mode-set=" + " " * 50_000 + "x", "mode-set=" + "9" * 50_000, "mode-set", "mode-set=²", ";;=;"]
)
def test_hostile_parameters_cost_nothing(fmtp: str) -> None:
    lines = (AMR, "a=rtpmap:102 AMR/8000", f"a=fmtp:102 {fmtp}")
    assert bandwidth(session(*lines), 0).media == 28_800


def test_never_more_than_an_avp_holds() -> None:
    most = 2**32 - 1
    assert bandwidth(session(AMR, "b=AS:4294967295"), 0).media == most
    assert bandwidth(session("m=audio 5000 RTP/AVP 8", "a=ptime:0.000001"), 0).media == most
    assert Bandwidth(most, 0, 0).times(2).media == most
