"""TUAK (TS 35.231): the functions f1 to f5* on Keccak.

TS 35.231 writes strings most significant bit first and fills the permutation's input backwards, so in
octets every field is simply reversed.  The 96 octets of input and their padding are exactly one block of
SHAKE256, which is why one iteration is one call of `hashlib`.
"""

from __future__ import annotations

from hashlib import shake_256

from libreims.proto.aka.algorithm import AMF_LENGTH, RAND_LENGTH, SQN_LENGTH, AkaKeyError, Derived, require
from libreims.proto.aka.keccak import STATE_LENGTH, keccak_f

_NAME = b"TUAK1.0"[::-1]
_OUTPUT_LENGTH = 136
# What follows the 96 octets of fields: padding bits 1 1 1 1 1, and a 1 at bit 1087 (TS 35.231 §6.2).
_PADDING = b"\x1f" + bytes(38) + b"\x80" + bytes(64)

# INSTANCE, most significant bit first (TS 35.231 §6.2 to §6.5).
_F1, _F1_STAR, _F2345, _F5_STAR = 0x00, 0x80, 0x40, 0xC0
_MAC_CODES = {8: 0x08, 16: 0x10, 32: 0x20}
_RES_CODES = {4: 0x00, 8: 0x08, 16: 0x10, 32: 0x20}
_LONG_CK, _LONG_IK, _LONG_K = 0x04, 0x02, 0x01


def _permute(fields: bytes, iterations: int) -> bytes:
    if iterations == 1:
        return shake_256(fields).digest(_OUTPUT_LENGTH)
    state = fields + _PADDING
    assert len(state) == STATE_LENGTH
    for _ in range(iterations):
        state = keccak_f(state)
    return state


def _reversed_key(k: bytes) -> bytes:
    return k[::-1] + bytes(32 - len(k))


def top_to_topc(k: bytes, top: bytes, iterations: int = 1) -> bytes:
    """TOPc of a subscriber (32 octets) from the operator's TOP (TS 35.231 §6.1).  Raises AkaKeyError."""
    require("K", k, 16, 32)
    require("op", top, 32)
    instance = _LONG_K if len(k) == 32 else 0
    unused = bytes(RAND_LENGTH + AMF_LENGTH + SQN_LENGTH)
    fields = top[::-1] + bytes((instance,)) + _NAME + unused + _reversed_key(k)
    return _permute(fields, iterations)[:32][::-1]


def _code(name: str, codes: dict[int, int], length: int) -> int:
    try:
        return codes[length]
    except KeyError:
        raise AkaKeyError(
            f"TUAK gives a {name} of {', '.join(map(str, codes))} bytes, not {length}"
        ) from None


class Tuak:
    """TUAK for one K (16 or 32 octets) and TOPc (32 octets), with the lengths that the operator chose.

    AUTN has room for a MAC of 8 octets only (TS 33.102); the others exist for the test data of TS 35.233.
    Raises AkaKeyError.
    """

    __slots__ = (
        "_ck_end",
        "_f1",
        "_f1_star",
        "_f5_star",
        "_f2345",
        "_ik_end",
        "_iterations",
        "_key",
        "_mac_length",
        "_res_length",
        "_topc",
    )

    def __init__(
        self,
        k: bytes,
        topc: bytes,
        res_length: int = 8,
        *,
        mac_length: int = 8,
        ck_length: int = 16,
        ik_length: int = 16,
        iterations: int = 1,
    ) -> None:
        require("K", k, 16, 32)
        require("opc", topc, 32)
        long_k = _LONG_K if len(k) == 32 else 0
        mac = _code("MAC", _MAC_CODES, mac_length) | long_k
        res = _code("RES", _RES_CODES, res_length)
        ck = _code("CK", {16: 0, 32: _LONG_CK}, ck_length)
        ik = _code("IK", {16: 0, 32: _LONG_IK}, ik_length)
        if iterations < 1:
            raise AkaKeyError("TUAK needs at least one Keccak iteration")
        self._f1 = bytes((_F1 | mac,)) + _NAME
        self._f1_star = bytes((_F1_STAR | mac,)) + _NAME
        self._f2345 = bytes((_F2345 | res | ck | ik | long_k,)) + _NAME
        self._f5_star = bytes((_F5_STAR | long_k,)) + _NAME
        self._topc = topc[::-1]
        self._key = _reversed_key(k)
        self._mac_length = mac_length
        self._res_length = res_length
        self._ck_end = 32 + ck_length
        self._ik_end = 64 + ik_length
        self._iterations = iterations

    def _run(self, head: bytes, rand: bytes, amf: bytes = bytes(2), sqn: bytes = bytes(6)) -> bytes:
        fields = self._topc + head + rand[::-1] + amf[::-1] + sqn[::-1] + self._key
        return _permute(fields, self._iterations)

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A."""
        return self._run(self._f1, rand, amf, sqn)[: self._mac_length][::-1]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S."""
        return self._run(self._f1_star, rand, amf, sqn)[: self._mac_length][::-1]

    def f2(self, rand: bytes) -> bytes:
        """RES."""
        return self._run(self._f2345, rand)[: self._res_length][::-1]

    def f3(self, rand: bytes) -> bytes:
        """CK."""
        return self._run(self._f2345, rand)[32 : self._ck_end][::-1]

    def f4(self, rand: bytes) -> bytes:
        """IK."""
        return self._run(self._f2345, rand)[64 : self._ik_end][::-1]

    def f5(self, rand: bytes) -> bytes:
        """AK, 6 octets."""
        return self._run(self._f2345, rand)[96:102][::-1]

    def f5_star(self, rand: bytes) -> bytes:
        """AK of a resynchronisation, 6 octets."""
        return self._run(self._f5_star, rand)[96:102][::-1]

    def derive(self, rand: bytes, sqn: bytes, amf: bytes) -> Derived:
        """f1 to f5 with two permutations."""
        mac = self.f1(rand, sqn, amf)
        out = self._run(self._f2345, rand)
        return Derived(
            mac,
            out[: self._res_length][::-1],
            out[32 : self._ck_end][::-1],
            out[64 : self._ik_end][::-1],
            out[96:102][::-1],
        )
