"""Authentication vectors, and what both ends do with them (TS 33.102 §6.3).

Network: `generate` makes RAND, AUTN, XRES, CK, IK; `open_auts` reads a resynchronisation.
Card: `verify_autn` checks AUTN; `make_auts` asks for a resynchronisation.  SQN is an integer of 48 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest

from libreims.proto.aka.algorithm import MAC_LENGTH, RAND_LENGTH, SQN_LENGTH, SimAlgorithm

AUTN_LENGTH = 16
AUTS_LENGTH = SQN_LENGTH + MAC_LENGTH
SQN_MAX = (1 << 48) - 1
# A card computes MAC-S with AMF zero, so that AUTS does not depend on the challenge's AMF (TS 33.102 §6.3.3).
_AMF_STAR = bytes(2)


class AkaError(Exception):
    """The exchange failed; a subclass says how."""


class MacFailure(AkaError):
    """MAC-A or MAC-S does not fit: the other side has another K or OPc, or the octets were changed."""


@dataclass(frozen=True, slots=True)
class AkaVector:
    """A quintet of TS 33.102 §6.3.2."""

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardResult:
    """What the card gives for a challenge whose MAC fits."""

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    sqn: int
    amf: bytes


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def generate(
    algorithm: SimAlgorithm, rand: bytes, sqn: int, amf: int, res_len: int | None = None
) -> AkaVector:
    """Make a vector from RAND (16 octets), SQN (48 bits) and AMF (16 bits).

    `res_len` cuts XRES further than the algorithm's own setting does.
    """
    if len(rand) != RAND_LENGTH:
        raise ValueError(f"RAND has {len(rand)} octets, it needs {RAND_LENGTH}")
    sqn_octets = sqn.to_bytes(SQN_LENGTH, "big")
    amf_octets = amf.to_bytes(2, "big")
    mac, res, ck, ik, ak = algorithm.derive(rand, sqn_octets, amf_octets)
    autn = _xor(sqn_octets, ak) + amf_octets + mac
    return AkaVector(rand, autn, res if res_len is None else res[:res_len], ck, ik)


def open_auts(algorithm: SimAlgorithm, rand: bytes, auts: bytes) -> int:
    """SQN of the card out of AUTS (14 octets) for the RAND of the challenge that it refused.

    Raises MacFailure when MAC-S does not fit, ValueError for wrong lengths.
    """
    if len(auts) != AUTS_LENGTH or len(rand) != RAND_LENGTH:
        raise ValueError(
            f"AUTS has {len(auts)} octets and RAND {len(rand)}, they need {AUTS_LENGTH} and {RAND_LENGTH}"
        )
    sqn = _xor(auts[:SQN_LENGTH], algorithm.f5_star(rand))
    if not compare_digest(algorithm.f1_star(rand, sqn, _AMF_STAR), auts[SQN_LENGTH:]):
        raise MacFailure("MAC-S does not fit")
    return int.from_bytes(sqn, "big")


def verify_autn(algorithm: SimAlgorithm, rand: bytes, autn: bytes) -> CardResult:
    """The card's side: check that AUTN (16 octets) comes from a network with the same keys.

    Whether the SQN is fresh is for the caller to judge.  Raises MacFailure, ValueError for wrong lengths.
    """
    if len(autn) != AUTN_LENGTH or len(rand) != RAND_LENGTH:
        raise ValueError(
            f"AUTN has {len(autn)} octets and RAND {len(rand)}, they need {AUTN_LENGTH} and {RAND_LENGTH}"
        )
    amf = autn[6:8]
    sqn = _xor(autn[:SQN_LENGTH], algorithm.f5(rand))
    derived = algorithm.derive(rand, sqn, amf)
    if not compare_digest(derived.mac, autn[8:]):
        raise MacFailure("MAC-A does not fit")
    return CardResult(derived.res, derived.ck, derived.ik, int.from_bytes(sqn, "big"), amf)


def make_auts(algorithm: SimAlgorithm, rand: bytes, sqn: int) -> bytes:
    """The card's side: AUTS (14 octets) that tells the network the card's SQN."""
    octets = sqn.to_bytes(SQN_LENGTH, "big")
    return _xor(octets, algorithm.f5_star(rand)) + algorithm.f1_star(rand, octets, _AMF_STAR)
