"""Which UDP ports media may use: pairs, RTP even and RTCP the next one (RFC 3550 §11)."""

from __future__ import annotations

from collections import deque

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens


class OutOfPorts(LibreImsError):
    """No pair of ports can be had; the text says why and what to change."""


class PortRange:
    """The free pairs of one address.

    They are handed out in turn from a random start, so that a pair just returned rests the longest: late
    packets of a call that is over do not end up in a new one.
    """

    def __init__(self, low: int, high: int, tokens: Tokens) -> None:
        """`low`, `high`: `port_min` and `port_max`, both included. Raises OutOfPorts when no pair fits."""
        first = low + low % 2
        self._free = deque(range(first, high, 2))
        if not self._free:
            raise OutOfPorts(f"port_min {low} to port_max {high} holds no even port with the next one")
        self._free.rotate(-tokens.integer(0, len(self._free) - 1))
        self.low = low
        self.high = high

    def __len__(self) -> int:
        """Number of free pairs."""
        return len(self._free)

    def take(self) -> int:
        """An even port that is free, with the next one. Raises OutOfPorts."""
        if not self._free:
            raise OutOfPorts(f"all RTP ports from {self.low} to {self.high} are in use: raise port_max")
        return self._free.popleft()

    def give_back(self, port: int) -> None:
        """Return the pair whose even port this is; once for each `take`."""
        self._free.append(port)
