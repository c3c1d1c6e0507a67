"""From the names and values of a subscriber's configuration to a SIM algorithm.

Used by the built-in HSS and by the simulated phone.
"""

from __future__ import annotations

from libreims.proto.aka.algorithm import AkaKeyError, SimAlgorithm
from libreims.proto.aka.milenage import Milenage, op_to_opc
from libreims.proto.aka.tuak import Tuak, top_to_topc
from libreims.proto.aka.xor import Xor

ALGORITHMS = ("xor", "milenage", "tuak")
"""Values of the property `sim_algo`."""


def sim_algorithm(
    name: str, k: bytes, *, opc: bytes | None = None, op: bytes | None = None, res_len: int | None = None
) -> SimAlgorithm:
    """The algorithm `name` for K and, unless it is XOR, OPc or OP (TOPc or TOP for TUAK; OPc wins).

    `res_len` is the length of RES in octets (default 8).  Raises AkaKeyError, whose text says what is
    missing or of the wrong length.
    """
    length = 8 if res_len is None else res_len
    if name == "xor":
        return Xor(k, length)
    if name not in ALGORITHMS:
        raise AkaKeyError(f"unknown sim_algo, it is one of {', '.join(ALGORITHMS)}")
    if opc is None and op is None:
        raise AkaKeyError(f"sim_algo {name} needs opc or op")
    if name == "milenage":
        return Milenage(k, opc if opc is not None else op_to_opc(k, op or b""), length)
    return Tuak(k, opc if opc is not None else top_to_topc(k, op or b""), length)
