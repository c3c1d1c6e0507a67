"""Everything random comes from one injectable generator: tags, branches, Call-IDs, nonces, RAND, SPIs.

With a seed the server is reproducible to the byte (tests, simulation); without one every value
comes from the operating system's generator.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

BRANCH_COOKIE = "z9hG4bK"
"""Start of every RFC 3261 branch (§8.1.1.7)."""


class Tokens:
    """Source of identifiers and secrets."""

    def __init__(self, seed: int | None = None) -> None:
        # Identifiers only have to be unique and hard to guess by accident; a Mersenne twister seeded by
        # the system is four times cheaper than a system call for each.  Secrets always use `octets`.
        self._fast = random.Random(seed if seed is not None else os.urandom(32))
        self._octets: Callable[[int], bytes] = os.urandom if seed is None else self._fast.randbytes
        self._bits = self._fast.getrandbits

    def octets(self, length: int) -> bytes:
        """Unpredictable octets: RAND, nonce keys, challenges."""
        return self._octets(length)

    def hex(self, length: int = 16) -> str:
        """Unpredictable octets as `2 * length` hexadecimal digits."""
        return self._octets(length).hex()

    def tag(self) -> str:
        """A From or To tag (RFC 3261 §19.3: at least 32 random bits)."""
        return f"{self._bits(48):012x}"

    def branch(self) -> str:
        """A Via branch, unique over space and time (RFC 3261 §8.1.1.7)."""
        return f"{BRANCH_COOKIE}{self._bits(64):016x}"

    def call_id(self) -> str:
        """A Call-ID without a host part."""
        return f"{self._bits(96):024x}"

    def integer(self, low: int, high: int) -> int:
        """An integer, both ends included (CSeq, RSeq, SPI, SDP session identifiers)."""
        return self._fast.randint(low, high)

    def uniform(self, low: float, high: float) -> float:
        """A real number for jittered delays (RFC 3261 §14.1)."""
        return self._fast.uniform(low, high)
