"""The ports and SPIs of ours that security agreements use (TS 33.203 §7.1): each has its own.

Used by the server (`ipsec.agreements`) and by the simulated phone (`ue.security`).

Ports are handed out in a circle, so that one that was given back rests as long as can be: late packets and
TCP connections in TIME_WAIT meet nobody.  SPIs are random, so that those of a run before this one do not fit.
"""

from __future__ import annotations

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens

FIRST_PORT = 10000
LAST_PORT = 65534
FIRST_SPI = 0x1000
"""Below 256 they are reserved (RFC 4303 §2.1)."""
LAST_SPI = 0x7FFFFFFE
"""They have 32 bits, and there is software that reads 31."""


class PortPool:
    """Free ports of each of our addresses, and SPIs for all of them."""

    def __init__(self, tokens: Tokens, first: int = FIRST_PORT, last: int = LAST_PORT) -> None:
        self._tokens = tokens
        self._first = first
        self._size = last - first + 1
        self._next: dict[str, int] = {}
        self._ports: dict[str, set[int]] = {}
        self._spis: set[int] = set()

    def __len__(self) -> int:
        """Ports that are taken."""
        return sum(map(len, self._ports.values()))

    @property
    def spis(self) -> int:
        """SPI pairs that are taken."""
        return len(self._spis)

    def take_port(self, host: str) -> int:
        """A port of this address. Raises LibreImsError when there is none left."""
        taken = self._ports.setdefault(host, set())
        if len(taken) >= self._size:
            raise LibreImsError(
                f"all {self._size} protected ports of {host} are taken: "
                "a second address (of the server: in sip_addr) has as many again"
            )
        number = self._next.get(host, 0)
        while self._first + number in taken:
            number = (number + 1) % self._size
        self._next[host] = (number + 1) % self._size
        taken.add(self._first + number)
        return self._first + number

    def give_port(self, host: str, port: int) -> None:
        """Give a port back."""
        taken = self._ports[host]
        taken.discard(port)
        if not taken:
            del self._ports[host]

    def take_spis(self) -> int:
        """The first of two SPIs that follow each other."""
        while True:
            spi = self._tokens.integer(FIRST_SPI // 2, LAST_SPI // 2) * 2
            if spi not in self._spis:
                self._spis.add(spi)
                return spi

    def give_spis(self, spi: int) -> None:
        """Give both back."""
        self._spis.discard(spi)
