"""Any octets: RTP and RTCP give a packet or the one error; relay and echo take everything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.media.echo import echo
from libreims.media.relay import bridge
from libreims.proto.rtp import rtcp
from libreims.proto.rtp.rtcp import RtcpError
from libreims.proto.rtp.rtp import RtpError, RtpPacket, describe
from support.media_rig import MediaRig

# Octets with a header that is nearly right get deeper than noise does.
nearly_rtcp = st.lists(
    st.tuples(st.integers(0x80, 0x9F), st.integers(199, 208), st.binary(max_size=40)), min_size=1, max_size=4
).map(
    lambda parts: b"".join(
        bytes((first, kind)) + (len(body) // 4).to_bytes(2, "big") + body[: len(body) // 4 * 4]
        for first, kind, body in parts
    )
)
nearly_rtp = st.tuples(st.integers(0x80, 0xBF), st.binary(min_size=11, max_size=60)).map(
    lambda parts: bytes((parts[0],)) + parts[1]
)
octets = st.binary(max_size=80) | nearly_rtcp | nearly_rtp


@given(octets)
def test_rtp(data: bytes) -> None:
    describe(data)
    try:
        packet = RtpPacket.parse(data)
    except RtpError:
        return
    again = RtpPacket.parse(packet.encode())
    assert again == packet


@given(octets)
def test_rtcp(data: bytes) -> None:
    rtcp.describe(data)
    try:
        packets = rtcp.parse(data)
    except RtcpError:
        return
    assert rtcp.parse(rtcp.build(packets)) == packets


@given(octets, st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_swapping_twice_changes_nothing(data: bytes, first: int, second: int) -> None:
    try:
        sender = rtcp.sender_ssrc(data)
        once = rtcp.swap_ssrc(data, first, second)
    except RtcpError:
        return
    assert len(once) == len(data)
    assert rtcp.swap_ssrc(once, first, second) == data
    if sender is not None:
        assert rtcp.sender_ssrc(rtcp.swap_ssrc(data, sender, 1)) is not None


@settings(max_examples=60)
@given(st.lists(octets, max_size=20))
def test_relay_and_echo_take_everything(packets: list[bytes]) -> None:
    rig = MediaRig(log="all.level=debug")
    a, b, own = rig.port(rig.a), rig.port(rig.b), rig.port(rig.a)
    bridge(a, b)
    echo(own, rig.tokens)
    for data in packets:
        rig.a.talk(a, data)
        rig.a.report(a, data)
        rig.a.talk(own, data)
        rig.a.report(own, data)
    rig.run()
    assert rig.b.heard == packets
    assert rig.b.reports == packets
    assert own.rtp_sent + own.rtp.dropped == len(packets)
    assert own.rtcp_sent + own.rtcp.dropped == len(packets)
