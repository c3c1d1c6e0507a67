"""RFC 3550, RTP: what packets look like, which are valid, and what a relay and an echo owe to them."""

from __future__ import annotations

import pytest

from libreims.media.echo import echo
from libreims.media.relay import bridge
from libreims.proto.rtp import rtcp
from libreims.proto.rtp.reception import Reception
from libreims.proto.rtp.rtcp import ReceiverReport, ReportBlock, RtcpError, SenderReport
from libreims.proto.rtp.rtp import RtpError, RtpPacket
from support.media_rig import MediaRig, packet


def test_s5_1_fields_of_the_header() -> None:
    """§5.1, figure: V=2 P X CC M PT, sequence number, timestamp, SSRC, CSRCs."""
    data = bytes.fromhex("b2 e0 0102 03040506 0708090a 0b0c0d0e 0f101112  be de 0001 61626364 70 79 00 03")
    packet = RtpPacket.parse(data)
    assert packet == RtpPacket(
        payload_type=96,
        sequence=0x0102,
        timestamp=0x03040506,
        ssrc=0x0708090A,
        payload=b"p",
        marker=True,
        csrcs=(0x0B0C0D0E, 0x0F101112),
        extension=(0xBEDE, b"abcd"),
        padding=3,
    )


def test_s5_1_padding_counts_itself() -> None:
    """§5.1: the last octet of the padding says how many octets there are of it, itself included."""
    head = bytes.fromhex("a0 00 0000 00000000 00000000")
    assert RtpPacket.parse(head + b"x\1").payload == b"x"
    assert RtpPacket.parse(head + b"x\2").payload == b""
    for wrong in (b"x\0", b"x\3"):
        with pytest.raises(RtpError):
            RtpPacket.parse(head + wrong)


def test_s6_1_every_packet_of_a_compound_is_found() -> None:
    """§6.1: the packets of a compound follow each other without separators."""
    data = rtcp.build([SenderReport(1, 2, 3, 4, 5), ReceiverReport(1), rtcp.Goodbye((1,))])
    assert [part.type for part in rtcp.walk(data)] == [200, 201, 203]


def test_s6_4_1_layout_of_a_sender_report() -> None:
    """§6.4.1, figure; cumulative number of packets lost: 24 bits with sign (appendix A.3)."""
    data = bytes.fromhex(
        "81c8000c 00000001 83aa7e80 80000000 00000002 00000003 00000004"
        "00000005 40fffffe 00010007 00000008 00000009 0000000a"
    )
    block = ReportBlock(5, 0x40, -2, 0x10007, 8, 9, 10)
    assert rtcp.parse(data) == [SenderReport(1, 0x83AA7E8080000000, 2, 3, 4, (block,))]
    assert rtcp.build(rtcp.parse(data)) == data


def test_a2_validity_of_a_compound() -> None:
    """Appendix A.2: every version is 2, the lengths add up to that of the compound, only the last packet
    may be padded."""
    good = rtcp.build([ReceiverReport(1), rtcp.Goodbye((1,))])
    assert len(rtcp.walk(good)) == 2
    for bad in (good[:-1], good + b"\0", b"\x01" + good[1:], b"\xa0" + good[1:]):
        with pytest.raises(RtcpError):
            rtcp.walk(bad)


def test_a3_loss_is_expected_less_received() -> None:
    """Appendix A.3: lost is what was expected less what was received, so that late packets are no loss and
    duplicates may make it negative."""
    reception = Reception(1, 8000)
    for sequence in (1, 3, 2, 2, 2):
        reception.packet(sequence, 0, 0.0)
    assert (reception.expected, reception.lost, reception.report().lost) == (3, -2, -2)


def test_a8_jitter_is_smoothed_with_gain_one_sixteenth() -> None:
    """§6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1)) / 16."""
    reception = Reception(1, 8000)
    expected = 0.0
    for number, late in enumerate((0, 0.002, 0, 0.004, 0.001)):
        before = (0, 0.002, 0, 0.004)[number - 1] if number else late
        expected += (abs(late - before) - expected) / 16 if number else 0
        reception.packet(number, number * 160, number * 0.02 + late)
    assert reception.jitter == pytest.approx(expected, abs=2e-5)


def test_s7_1_a_translator_leaves_the_source_alone() -> None:
    """§7.1, §7.2: a translator leaves the SSRC as it is; ours leaves every field, in RTCP too."""
    rig = MediaRig()
    a, b = rig.port(rig.a), rig.port(rig.b)
    bridge(a, b)
    data = RtpPacket(96, 65535, 2**32 - 1, 0xDEADBEEF, b"x", marker=True, csrcs=(1,), padding=2).encode()
    report = rtcp.build([SenderReport(0xDEADBEEF, 2, 3, 4, 5, (ReportBlock(1, 2, 3, 4, 5, 6, 7),))])
    rig.a.talk(a, data)
    rig.a.report(a, report)
    rig.run()
    assert (rig.b.heard, rig.b.reports) == ([data], [report])


def test_s8_2_loops_between_echoes_are_cut() -> None:
    """§8.2: a source's own packets that come back to it are a loop: an echo's never go round again."""
    rig = MediaRig()
    port = rig.port(rig.a)
    echo(port, rig.tokens)
    rig.a.talk(port, packet())
    rig.run()
    (back,) = rig.a.heard
    rig.a.talk(port, back)
    rig.run()
    assert rig.a.heard == [back]


def test_s11_rtp_on_an_even_port_and_rtcp_on_the_next() -> None:
    """§11: RTP has an even port, its RTCP the next higher, odd one."""
    rig = MediaRig()
    ports = [rig.port() for _ in range(50)]
    assert all(port.local[1] % 2 == 0 for port in ports)
    assert all(port.rtcp.local[1] == port.local[1] + 1 for port in ports)
