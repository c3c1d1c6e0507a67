"""One RTP stream on the simulated network."""

from __future__ import annotations

import pytest

from libreims.base.tokens import Tokens
from libreims.net.port import Address
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.rtp import rtcp
from libreims.proto.rtp.rtp import RtpPacket
from libreims.ue.audio import CODECS, invented
from libreims.ue.stream import Agreement, NoPorts, RtpStream
from support.virtual import VirtualLoop, virtual_loop

__all__ = ["virtual_loop"]

PCMU = CODECS["pcmu"]


def stream(network: SimulatedNetwork, loop: VirtualLoop, host: str = "10.0.0.1", seed: int = 1) -> RtpStream:
    return RtpStream(network, loop, Tokens(seed), host)


def towards(remote: Address | None, *, sending: bool = True, payload_type: int = 0) -> Agreement:
    rtcp_address = (remote[0], remote[1] + 1) if remote else None
    return Agreement(PCMU, payload_type, frozenset({0}), remote, rtcp_address, sending)


def talk(one: RtpStream, other: RtpStream) -> None:
    one.agree(towards(other.local), lambda: invented(PCMU, one.ssrc))
    other.agree(towards(one.local), lambda: invented(PCMU, other.ssrc))


def test_ports_are_a_pair_and_rtp_is_even(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    for _ in range(5):
        one = stream(network, virtual_loop)
        assert one.local[1] % 2 == 0
        assert ("10.0.0.1", one.local[1] + 1) in network.bound


def test_ports_come_from_the_range_and_are_returned(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    one = RtpStream(network, virtual_loop, Tokens(1), "10.0.0.1", (5001, 5005))
    assert one.local == ("10.0.0.1", 5002)
    two = RtpStream(network, virtual_loop, Tokens(2), "10.0.0.1", (5001, 5005))
    assert two.local == ("10.0.0.1", 5004)
    with pytest.raises(NoPorts, match="from 5001 to 5005"):
        RtpStream(network, virtual_loop, Tokens(3), "10.0.0.1", (5001, 5005))
    one.close()
    two.close()
    assert network.bound == []


def test_a_second_of_voice_is_fifty_packets_each_way(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    one, other = stream(network, virtual_loop), stream(network, virtual_loop, "10.0.0.2", 2)
    talk(one, other)
    virtual_loop.advance(0.999)
    for each in (one, other):
        counts = each.counts
        assert (counts.packets_sent, counts.packets, counts.octets) == (50, 50, 8000)
        assert (counts.lost, counts.out_of_order, counts.doubled, counts.own) == (0, 0, 0, 0)
        assert counts.jitter < 0.001


def test_its_own_voice_is_known_again(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    one = stream(network, virtual_loop)

    def echo(data: bytes, remote: Address) -> None:
        mirror.send(data[:8] + b"echo" + data[12:], remote)

    mirror = network.udp(("10.0.0.9", 4000), echo)
    one.agree(towards(mirror.local), lambda: invented(PCMU, one.ssrc))
    virtual_loop.advance(1)
    counts = one.counts
    assert counts.packets == counts.own >= 49


def test_loss_is_counted(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop, seed=3, loss=0.1)
    one, other = stream(network, virtual_loop), stream(network, virtual_loop, "10.0.0.2", 2)
    talk(one, other)
    virtual_loop.advance(20)
    counts = other.counts
    assert counts.packets < one.counts.packets_sent
    assert counts.lost == pytest.approx(100, abs=40)
    assert abs(counts.packets + counts.lost - one.counts.packets_sent) <= 2


def test_a_pause_stops_the_voice_but_not_its_clock(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    got: list[RtpPacket] = []
    peer = network.udp(("10.0.0.9", 4000), lambda data, remote: got.append(RtpPacket.parse(data)))
    one = stream(network, virtual_loop)
    source = lambda: invented(PCMU, 1)  # noqa: E731
    one.agree(towards(peer.local), source)
    virtual_loop.advance(0.5)
    one.agree(towards(peer.local, sending=False), source)
    virtual_loop.advance(2)
    before = len(got)
    one.agree(towards(peer.local), source)
    virtual_loop.advance(0.1)
    assert before == pytest.approx(25, abs=1)
    last, first = got[before - 1], got[before]
    assert first.sequence == (last.sequence + 1) % 65536
    assert first.marker and not last.marker
    assert (first.timestamp - last.timestamp) % 2**32 == pytest.approx(16160, abs=320)


def test_packets_that_were_not_agreed_are_counted_apart(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    peer = network.udp(("10.0.0.9", 4000), lambda data, remote: None)
    stranger = network.udp(("10.0.0.8", 4000), lambda data, remote: None)
    one = stream(network, virtual_loop)
    one.agree(towards(peer.local, sending=False), lambda: invented(PCMU, 1))
    peer.send(b"x", one.local)
    peer.send(RtpPacket(99, 1, 0, 5, b"p").encode(), one.local)
    stranger.send(RtpPacket(0, 1, 0, 5, b"p").encode(), one.local)
    peer.send(RtpPacket(0, 1, 0, 5, b"p").encode(), one.local)
    virtual_loop.advance(1)
    assert (one.counts.strange, one.counts.packets) == (3, 1)


def test_reports_are_exchanged_and_give_the_round_trip(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop, latency=0.05)
    one, other = stream(network, virtual_loop), stream(network, virtual_loop, "10.0.0.2", 2)
    talk(one, other)
    virtual_loop.advance(30)
    assert 4 <= one.counts.rtcp_sent <= 13
    assert one.counts.rtcp == pytest.approx(other.counts.rtcp_sent, abs=1)
    assert one.counts.round_trip == pytest.approx(0.1, abs=0.002)


def test_who_only_listens_sends_receiver_reports_and_goodbye_at_the_end(virtual_loop: VirtualLoop) -> None:
    network = SimulatedNetwork(virtual_loop)
    got: list[list[rtcp.Packet]] = []
    network.udp(("10.0.0.9", 4001), lambda data, remote: got.append(rtcp.parse(data)))
    one = stream(network, virtual_loop)
    one.agree(towards(("10.0.0.9", 4000), sending=False), lambda: invented(PCMU, 1))
    virtual_loop.advance(12)
    one.close()
    one.close()
    virtual_loop.advance(60)
    assert all(isinstance(compound[0], rtcp.ReceiverReport) for compound in got)
    assert [any(isinstance(packet, rtcp.Goodbye) for packet in compound) for compound in got] == [
        *[False] * (len(got) - 1),
        True,
    ]
    assert len(network.bound) == 1
    assert virtual_loop.pending_timers() == 0
