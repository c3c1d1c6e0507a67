from __future__ import annotations

import pytest

from libreims.media.echo import echo
from libreims.media.relay import MediaPort, bridge
from libreims.proto.rtp import rtcp
from libreims.proto.rtp.rtcp import ReportBlock, SenderReport, SourceDescription
from libreims.proto.rtp.rtp import RtpPacket
from support.media_rig import MediaRig, packet

SSRC = 0x1234


@pytest.fixture
def rig() -> MediaRig:
    return MediaRig()


@pytest.fixture
def port(rig: MediaRig) -> MediaPort:
    port = rig.port(rig.b)
    echo(port, rig.tokens)
    return port


def own_ssrc(rig: MediaRig, port: MediaPort) -> int:
    """Learn it as a phone does: by listening."""
    rig.b.talk(port, packet(1, SSRC))
    rig.run()
    return RtpPacket.parse(rig.b.rtp_in.pop()[0]).ssrc


def test_rtp_comes_back_with_another_ssrc_and_is_the_same_otherwise(rig: MediaRig, port: MediaPort) -> None:
    sent = [
        RtpPacket(96, 65535, 1, SSRC, b"one", marker=True),
        RtpPacket(8, 0, 161, SSRC, b"", csrcs=(SSRC, 7), extension=(0xBEDE, b"abcd"), padding=3),
        RtpPacket(101, 1, 161, SSRC, bytes(1400)),
    ]
    for each in sent:
        rig.b.talk(port, each.encode())
    rig.run()
    back = [RtpPacket.parse(data) for data in rig.b.heard]
    (own,) = {each.ssrc for each in back}
    assert own not in (SSRC, 0)
    fields = ("payload_type", "sequence", "timestamp", "payload", "marker", "csrcs", "extension", "padding")
    for name in fields:
        assert [getattr(each, name) for each in back] == [getattr(each, name) for each in sent]
    assert {source for _, source in rig.b.rtp_in} == {port.local}


def test_rtcp_comes_back_with_both_ssrcs_exchanged(rig: MediaRig, port: MediaPort) -> None:
    own = own_ssrc(rig, port)
    block = ReportBlock(own, 1, 2, 3, 4, 5, 6)
    rig.b.report(
        port,
        rtcp.build([SenderReport(SSRC, 9, 8, 7, 6, (block,)), SourceDescription(((SSRC, ((1, b"me"),)),))]),
    )
    rig.run()
    (back,) = rig.b.reports
    assert rtcp.parse(back) == [
        SenderReport(own, 9, 8, 7, 6, (block._replace(ssrc=SSRC),)),
        SourceDescription(((own, ((1, b"me"),)),)),
    ]


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\r\n", bytes.fromhex("000100002112a442") + bytes(12), bytes(172)]
)
def test_what_is_not_rtp_is_not_echoed(rig: MediaRig, port: MediaPort, data: bytes) -> None:
    rig.b.talk(port, data)
    rig.b.report(port, data)
    rig.run()
    assert (rig.b.heard, rig.b.reports) == ([], [])
    assert (port.rtp_received, port.rtp.dropped, port.rtcp.dropped) == (1, 1, 1)


def test_broken_rtcp_is_not_echoed(rig: MediaRig, port: MediaPort) -> None:
    whole = rtcp.build([SenderReport(SSRC, 9, 8, 7, 6, (ReportBlock(5, 1, 2, 3, 4, 5, 6),))])
    rig.b.report(port, whole[:-4])
    rig.b.report(port, whole[:2] + b"\0\0" + bytes(whole[4:]))
    rig.b.report(port, rtcp.build([rtcp.Goodbye(())]))
    rig.run()
    assert rig.b.reports == []
    assert port.rtcp.dropped == 3


def test_delay_and_block_apply_to_the_echo(rig: MediaRig, port: MediaPort) -> None:
    port.delay = 1.0
    rig.b.talk(port, packet())
    rig.run(0.9)
    assert rig.b.heard == []
    rig.run(0.2)
    assert len(rig.b.heard) == 1
    port.rtp_enabled = False
    rig.b.talk(port, packet())
    rig.run(2)
    assert len(rig.b.heard) == 1


def test_two_echoes_set_on_each_other_fall_silent(rig: MediaRig) -> None:
    one, other = rig.port(rig.a), rig.port(rig.a)
    for here, there in ((one, other), (other, one)):
        echo(here, rig.tokens)
        here.set_remote(there.local, (there.local[0], there.local[1] + 1))
    rig.a.talk(one, packet())
    rig.a.report(one, rtcp.build([rtcp.ReceiverReport(SSRC)]))
    rig.run(10)
    assert one.rtp_received + other.rtp_received <= 3
    assert one.rtcp_received + other.rtcp_received <= 3


def test_a_second_echo_of_the_same_port_replaces_the_first(rig: MediaRig, port: MediaPort) -> None:
    echo(port, rig.tokens)
    rig.b.talk(port, packet())
    rig.run()
    assert len(rig.b.heard) == 1
    assert len(port.echo_sources) == 1


def test_an_echo_may_become_a_bridge(rig: MediaRig, port: MediaPort) -> None:
    a = rig.port(rig.a)
    bridge(a, port)
    rig.b.talk(port, packet())
    rig.run()
    assert (rig.b.heard, rig.a.heard) == ([], [packet()])
    assert port.echo_sources == set()


def test_nothing_is_left_of_a_closed_echo(rig: MediaRig, port: MediaPort) -> None:
    port.close()
    port.close()
    echo(port, rig.tokens)
    assert port.echo_sources == set()
    assert len(rig.relay) == 0
