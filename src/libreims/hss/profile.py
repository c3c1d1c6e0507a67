"""The part of a subscriber that the built-in HSS needs: identity, keys and what they are for.

`sim_profile` reads it off a `ue_db` entry; nothing else in this package knows where users come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from libreims.proto.aka.algorithm import AkaKeyError, SimAlgorithm
from libreims.proto.aka.factory import sim_algorithm
from libreims.users.subscriber import Subscriber


@dataclass(slots=True, unsafe_hash=True)
class SimProfile:
    """Keys of one user; the representation shows none of them."""

    impi: str
    sim_algo: str = "xor"
    k: bytes | None = field(default=None, repr=False)
    opc: bytes | None = field(default=None, repr=False)
    op: bytes | None = field(default=None, repr=False)
    amf: int = 0x9001
    sqn: int = 0
    """SQN to start from, the last one used (48 bits)."""
    res_len: int | None = None
    pwd: str | None = field(default=None, repr=False)

    def algorithm(self) -> SimAlgorithm:
        """The SIM algorithm with this user's keys.  Raises AkaKeyError."""
        if self.k is None:
            raise AkaKeyError("K is missing")
        return sim_algorithm(self.sim_algo, self.k, opc=self.opc, op=self.op, res_len=self.res_len)


def sim_profile(subscriber: Subscriber) -> SimProfile:
    """The profile of a user of the database."""
    own = subscriber.settings
    return SimProfile(
        subscriber.impi,
        own.sim_algo,
        own.K,
        own.opc,
        own.op,
        own.amf,
        own.sqn,
        own.res_len,
        own.pwd,
    )
