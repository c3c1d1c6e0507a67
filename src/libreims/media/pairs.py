"""Bound socket pairs for media, kept open for a while between two calls.

Opening and closing the four sockets of a call was a sixth of what the call costs, most of it in the kernel.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Final

from libreims.base.tokens import Tokens
from libreims.media.channel import ignored
from libreims.media.ports import OutOfPorts, PortRange
from libreims.net.port import Address, DatagramSocket, Network

RESTING: Final = 64
"""Most pairs of one address that stay open without a call."""


class Pair:
    """The sockets of an RTP port and of the RTCP port after it."""

    __slots__ = ("late_rtcp", "late_rtp", "rtcp", "rtp")

    def __init__(self, rtp: DatagramSocket, rtcp: DatagramSocket) -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self.late_rtp: Address | None = None
        """The phone that the pair served last: it may not have heard yet that its call is over."""
        self.late_rtcp: Address | None = None


class Pairs:
    """The pairs of one local address and port range.

    Pairs that rest go first, the longest resting one before the others.  Their sockets are still read, so
    that what comes late is gone when the next call begins.
    """

    def __init__(self, network: Network, host: str, ports: PortRange) -> None:
        self._network = network
        self._host = host
        self._ports = ports
        self._resting: deque[Pair] = deque()
        self._taken = 0

    @classmethod
    def of(cls, network: Network, host: str, low: int, high: int, tokens: Tokens) -> Pairs:
        """All pairs from `port_min` to `port_max`. Raises OutOfPorts when there is none."""
        return cls(network, host, PortRange(low, high, tokens))

    def take(self) -> Pair:
        """A pair that serves no call. Raises OutOfPorts."""
        if self._resting:
            self._taken += 1
            return self._resting.popleft()
        for _ in range(len(self._ports)):
            pair = self._bind(self._ports.take())
            if pair is not None:
                self._taken += 1
                return pair
        raise OutOfPorts(
            f"no free pair of RTP ports from {self._ports.low} to {self._ports.high} on {self._host} "
            f"({self._taken} media ports are open): raise port_max"
        )

    def give_back(self, pair: Pair) -> None:
        """Return a pair; once for each `take`."""
        self._taken -= 1
        if len(self._resting) < RESTING:
            pair.rtp.receive = pair.rtcp.receive = ignored
            self._resting.append(pair)
        else:
            self._close(pair)

    def close(self) -> None:
        """Close the sockets of all pairs that rest."""
        while self._resting:
            self._close(self._resting.popleft())

    def _close(self, pair: Pair) -> None:
        pair.rtp.close()
        pair.rtcp.close()
        self._ports.give_back(pair.rtp.local[1])

    def _bind(self, number: int) -> Pair | None:
        """Both sockets; None when another program has one of the ports."""
        bound: list[DatagramSocket] = []
        try:
            for port in (number, number + 1):
                bound.append(self._network.udp((self._host, port), ignored))
        except OSError as error:
            for sock in bound:
                sock.close()
            self._ports.give_back(number)
            if error.errno == errno.EADDRINUSE:
                return None
            raise OutOfPorts(f"no RTP port on {self._host}: {error.strerror or error}") from error
        return Pair(bound[0], bound[1])
