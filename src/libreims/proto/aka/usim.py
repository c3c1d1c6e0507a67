"""A SIM card for the simulated phone and tests: challenge in, response or refusal out (TS 33.102 §6.3.3)."""

from __future__ import annotations

from libreims.proto.aka.algorithm import SimAlgorithm
from libreims.proto.aka.sequence import CardSequence
from libreims.proto.aka.vector import AkaError, CardResult, make_auts, verify_autn


class SynchronisationFailure(AkaError):
    """The network's SQN is not fresh; `auts` (14 octets) asks for a resynchronisation."""

    def __init__(self, auts: bytes) -> None:
        super().__init__("SQN is not in range")
        self.auts = auts


class Usim:
    """One card: an algorithm with its keys, and the SQN values that it has accepted."""

    __slots__ = ("algorithm", "sequence")

    def __init__(self, algorithm: SimAlgorithm, sqn: int = 0) -> None:
        self.algorithm = algorithm
        self.sequence = CardSequence(sqn)

    def authenticate(self, rand: bytes, autn: bytes) -> CardResult:
        """Answer a challenge (RAND and AUTN of 16 octets each).

        Raises MacFailure (another K or OPc), SynchronisationFailure with AUTS, ValueError for wrong lengths.
        """
        result = verify_autn(self.algorithm, rand, autn)
        if not self.sequence.accept(result.sqn):
            raise SynchronisationFailure(make_auts(self.algorithm, rand, self.sequence.highest))
        return result
