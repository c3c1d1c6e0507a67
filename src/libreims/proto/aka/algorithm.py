"""What every SIM algorithm offers: the functions f1 to f5* of TS 33.102 §6.3.

Implemented by `milenage.Milenage`, `tuak.Tuak` and `xor.Xor`; used by `vector` (the network's side) and
`usim` (the card's side).  Objects are made once for a subscriber or a card and kept, because setting up
a key costs more than using it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

RAND_LENGTH = 16
SQN_LENGTH = 6
AMF_LENGTH = 2
MAC_LENGTH = 8
"""Octets of MAC-A in AUTN and of MAC-S in AUTS (TS 33.102 §6.3.7)."""


class AkaKeyError(ValueError):
    """A key, operator value or length that the algorithm cannot work with; the text never shows a key."""


class Derived(NamedTuple):
    """All that one challenge needs from the algorithm.  Holds keys: never log it."""

    mac: bytes
    """MAC-A (f1)."""
    res: bytes
    """Response (f2)."""
    ck: bytes
    """Cipher key (f3)."""
    ik: bytes
    """Integrity key (f4)."""
    ak: bytes
    """Anonymity key, 6 octets (f5)."""

    def __repr__(self) -> str:
        return "Derived(hidden)"


class SimAlgorithm(Protocol):
    """One SIM algorithm with its keys.  RAND has 16 octets, SQN 6, AMF 2."""

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, with which the card authenticates the network."""

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, with which the network authenticates a resynchronisation."""

    def f2(self, rand: bytes) -> bytes:
        """RES, with which the network authenticates the card."""

    def f3(self, rand: bytes) -> bytes:
        """Cipher key CK."""

    def f4(self, rand: bytes) -> bytes:
        """Integrity key IK."""

    def f5(self, rand: bytes) -> bytes:
        """Anonymity key AK, 6 octets, that hides SQN in AUTN."""

    def f5_star(self, rand: bytes) -> bytes:
        """Anonymity key AK of a resynchronisation, 6 octets, that hides SQN in AUTS."""

    def derive(self, rand: bytes, sqn: bytes, amf: bytes) -> Derived:
        """f1 to f5 together, cheaper than one by one."""


def require(name: str, value: bytes, *lengths: int) -> None:
    """Check the length of a key or operator value.

    Raises AkaKeyError, which names the value and its length but not its content.
    """
    if len(value) not in lengths:
        wanted = " or ".join(map(str, lengths))
        raise AkaKeyError(f"{name} has {len(value)} bytes, it needs {wanted}")
