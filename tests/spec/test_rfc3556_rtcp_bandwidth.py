"""RFC 3556 (bandwidth of RTCP) and RFC 3890 (TIAS): what the lines of a description amount to."""

from __future__ import annotations

from libreims.proto.sdp.bandwidth import bandwidth
from support.sdp import session

AUDIO = "m=audio 5000 RTP/AVP 0"


def test_rfc3556_s2_five_percent_without_rs_and_rr() -> None:
    """§2: without them RTCP has 5 % of the session bandwidth, one quarter of it for active senders."""
    found = bandwidth(session(AUDIO, "b=AS:80"), 0)
    assert found.rs + found.rr == 4_000
    assert found.rs == 1_000


def test_rfc3556_s2_zero_switches_rtcp_off() -> None:
    """§2: RS and RR of 0 say that no RTCP is sent."""
    found = bandwidth(session(AUDIO, "b=AS:80", "b=RS:0", "b=RR:0"), 0)
    assert (found.rs, found.rr) == (0, 0)


def test_rfc3556_s2_the_units_are_bits_per_second() -> None:
    """§2: RS and RR are in bit/s, unlike AS in kbit/s (RFC 8866 §5.8)."""
    found = bandwidth(session(AUDIO, "b=AS:80", "b=RS:800", "b=RR:2400"), 0)
    assert found == (80_000, 800, 2_400)


def test_rfc3890_s6_4_headers_are_added_for_each_packet() -> None:
    """§6.4: the rate on the wire is TIAS plus the packet rate times the size of the headers below."""
    ipv4 = bandwidth(session(AUDIO, "b=TIAS:64000", "a=maxprate:50.0"), 0)
    ipv6 = bandwidth(session(AUDIO, "c=IN IP6 2001:db8::1", "b=TIAS:64000", "a=maxprate:50.0"), 0)
    assert (ipv4.media, ipv6.media) == (80_000, 88_000)
