"""RTP and RTCP of a peer: sockets on the simulated network that count what comes in."""

from __future__ import annotations

from libreims.net.port import Address
from support.lab import Peer


class Stream:
    """One media stream of a peer: its RTP port and the RTCP port after it."""

    def __init__(self, peer: Peer, port: int = 40000) -> None:
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        network = peer.lab.network
        self._rtp = network.udp((peer.host, port), lambda data, source: self.rtp.append(data))
        self._rtcp = network.udp((peer.host, port + 1), lambda data, source: self.rtcp.append(data))
        self._number = 0

    def send(self, to: Address, count: int = 1) -> None:
        """RTP packets."""
        for _ in range(count):
            self._number += 1
            head = b"\x80\x00" + self._number.to_bytes(2, "big") + (160 * self._number).to_bytes(4, "big")
            self._rtp.send(head + b"\x00\x00\x00\x07" + b"\xd5" * 160, to)

    def report(self, to: Address) -> None:
        """An RTCP receiver report."""
        self._rtcp.send(b"\x80\xc9\x00\x01\x00\x00\x00\x07", (to[0], to[1] + 1))

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.close()
