"""Sequence numbers (TS 33.102 Annex C): SQN = SEQ || IND, both ends.

The network counts SEQ up by one and IND cyclically for every vector (C.1.2, not time-based).  The card
keeps the highest SEQ that it has accepted for each IND (C.2.2), so that vectors may be used out of order.
"""

from __future__ import annotations

IND_BITS = 5
"""Length of IND in Annex C.3, hence an array of 32 in the card."""
DELTA = 1 << 28
"""Largest step of SEQ that a card takes (C.3), its protection against being worn out."""

_IND_MASK = (1 << IND_BITS) - 1
_SEQ_MASK = (1 << (48 - IND_BITS)) - 1


def split(sqn: int) -> tuple[int, int]:
    """(SEQ, IND) of an SQN."""
    return sqn >> IND_BITS, sqn & _IND_MASK


def following(sqn: int) -> int:
    """The SQN of the next vector after `sqn`."""
    return ahead(sqn, 1)


def ahead(sqn: int, steps: int) -> int:
    """The SQN that comes `steps` vectors after `sqn`."""
    seq, ind = split(sqn)
    return (seq + steps & _SEQ_MASK) << IND_BITS | (ind + steps & _IND_MASK)


def resynchronised(sqn_he: int, sqn_ms: int) -> int:
    """The network's SQN after a verified AUTS (TS 33.102 §6.3.5).

    It stays as it is when the card would accept the vector after it, which keeps several cards with one
    identity from pulling the number to and fro; otherwise it becomes the card's.
    """
    seq_he, seq_ms = split(following(sqn_he))[0], split(sqn_ms)[0]
    return sqn_he if 0 < seq_he - seq_ms <= DELTA else sqn_ms


class CardSequence:
    """The card's array of accepted SEQ values, as if it had got vectors one by one up to `sqn`."""

    __slots__ = ("_accepted",)

    def __init__(self, sqn: int = 0) -> None:
        seq, ind = split(sqn)
        self._accepted = [max(0, seq - (ind - slot & _IND_MASK)) for slot in range(1 << IND_BITS)]

    @property
    def highest(self) -> int:
        """SQN_MS: the highest SQN accepted so far, which goes into AUTS."""
        seq = max(self._accepted)
        return seq << IND_BITS | self._accepted.index(seq)

    def accept(self, sqn: int) -> bool:
        """Take `sqn` when it is fresh for its IND and not too far ahead (C.2.1, C.2.2)."""
        seq, ind = split(sqn)
        if seq <= self._accepted[ind] or seq - max(self._accepted) > DELTA:
            return False
        self._accepted[ind] = seq
        return True
