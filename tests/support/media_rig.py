"""A media relay on the simulated network, and phones that send and receive what a test says."""

from __future__ import annotations

from libreims.base.log import Log
from libreims.base.log_options import LogOptions, parse
from libreims.base.tokens import Tokens
from libreims.media.relay import MediaPort, MediaRelay
from libreims.net.port import Address
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.rtp.rtp import RtpPacket
from support.manual_clock import ManualClock

V4, V6 = "192.0.2.1", "2001:db8::1"
"""The server."""
PHONE_A, PHONE_B = "198.51.100.1", "2001:db8:a::2"


class Peer:
    """A phone's two sockets."""

    def __init__(self, network: SimulatedNetwork, host: str, port: int) -> None:
        self.rtp_in: list[tuple[bytes, Address]] = []
        self.rtcp_in: list[tuple[bytes, Address]] = []
        self.rtp = network.udp((host, port), lambda data, source: self.rtp_in.append((data, source)))
        self.rtcp = network.udp((host, port + 1), lambda data, source: self.rtcp_in.append((data, source)))

    @property
    def addresses(self) -> tuple[Address, Address]:
        return self.rtp.local, self.rtcp.local

    def talk(self, port: MediaPort, data: bytes) -> None:
        self.rtp.send(data, port.local)

    def report(self, port: MediaPort, data: bytes) -> None:
        self.rtcp.send(data, (port.local[0], port.local[1] + 1))

    @property
    def heard(self) -> list[bytes]:
        return [data for data, _ in self.rtp_in]

    @property
    def reports(self) -> list[bytes]:
        return [data for data, _ in self.rtcp_in]


class MediaRig:
    """The relay with everything that it needs, under the test's hand."""

    def __init__(self, seed: int = 1, loss: float = 0.0, log: str = "all.level=info") -> None:
        self.clock = ManualClock(100.0)
        self.network = SimulatedNetwork(self.clock, seed=seed, latency=0.001, loss=loss)
        self.log = Log(parse(log, LogOptions()).options, utc=self.clock.time)
        self.tokens = Tokens(seed)
        self.relay = MediaRelay(self.network, self.clock, self.log.layer("media"), self.tokens)
        self.a = Peer(self.network, PHONE_A, 4000)
        self.b = Peer(self.network, PHONE_B, 6000)

    def port(self, peer: Peer | None = None, kind: str = "audio") -> MediaPort:
        """A media port of the peer's address family, aimed at it."""
        host = V6 if peer is not None and ":" in peer.rtp.local[0] else V4
        port = self.relay.open(host, 10000, 10999, kind=kind, id=0x12)
        if peer is not None:
            port.set_remote(*peer.addresses)
        return port

    def run(self, seconds: float = 0.1) -> None:
        self.clock.advance(seconds)

    def logged(self) -> list[tuple[int, str, str]]:
        """Level, direction and text of each log line."""
        return [(entry.level, entry.direction, entry.message) for entry in self.log.ring.since(0)[1]]


def packet(sequence: int = 1, ssrc: int = 0xAAAA, payload: bytes = bytes(20)) -> bytes:
    """An RTP packet."""
    return RtpPacket(8, sequence % 65536, sequence * 160 % (1 << 32), ssrc, payload).encode()
