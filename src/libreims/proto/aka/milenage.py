"""Milenage (TS 35.206): the functions f1 to f5* on AES-128.

The AES key schedule is made once; a whole vector then takes two calls of the cipher, because the four
blocks that follow from TEMP are encrypted together.  Blocks are kept as integers, most significant bit
first, so that the cyclic rotations and XORs of the specification are plain arithmetic.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from libreims.proto.aka.algorithm import AkaKeyError, Derived, require

_BLOCK = (1 << 128) - 1
_HALF = (1 << 64) - 1

# Constants c2 to c5 of TS 35.206 §4.1 (c1 is 0); the rotations r1 to r5 are written out where they are used.
_C2, _C3, _C4, _C5 = 1, 2, 4, 8


def _aes(k: bytes) -> Cipher[ECB]:
    # ECB is what "one block through the cipher" is called here; no message is encrypted with it.
    return Cipher(AES(k), ECB())


def op_to_opc(k: bytes, op: bytes) -> bytes:
    """OPc of a subscriber from the operator's OP (TS 35.206 §4.1), 16 octets.  Raises AkaKeyError."""
    require("K", k, 16)
    require("op", op, 16)
    block = _aes(k).encryptor().update(op)
    return (int.from_bytes(block, "big") ^ int.from_bytes(op, "big")).to_bytes(16, "big")


class Milenage:
    """Milenage for one K and OPc (16 octets each), with RES cut to `res_length` (4 to 8) octets.

    Raises AkaKeyError.
    """

    __slots__ = ("_encrypt", "_opc", "_opc4", "_res_end")

    def __init__(self, k: bytes, opc: bytes, res_length: int = 8) -> None:
        require("K", k, 16)
        require("opc", opc, 16)
        if not 4 <= res_length <= 8:
            raise AkaKeyError(f"Milenage gives a RES of 4 to 8 bytes, not {res_length}")
        self._encrypt = _aes(k).encryptor().update
        self._opc = int.from_bytes(opc, "big")
        self._opc4 = self._opc * (1 | 1 << 128 | 1 << 256 | 1 << 384)
        self._res_end = 8 + res_length

    def _temp(self, rand: bytes) -> int:
        block = (int.from_bytes(rand, "big") ^ self._opc).to_bytes(16, "big")
        return int.from_bytes(self._encrypt(block), "big")

    def _in1(self, sqn: bytes, amf: bytes) -> int:
        """IN1 xor OPc, rotated by r1 = 64."""
        half = int.from_bytes(sqn + amf, "big")
        x = (half << 64 | half) ^ self._opc
        return (x & _HALF) << 64 | x >> 64

    def _out(self, block: int) -> bytes:
        """The cipher and the last XOR of every OUT block."""
        out = int.from_bytes(self._encrypt(block.to_bytes(16, "big")), "big") ^ self._opc
        return out.to_bytes(16, "big")

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        return self._out(self._temp(rand) ^ self._in1(sqn, amf))

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, 8 octets."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, 8 octets."""
        return self._out1(rand, sqn, amf)[8:]

    def f2(self, rand: bytes) -> bytes:
        """RES."""
        return self._out(self._temp(rand) ^ self._opc ^ _C2)[8 : self._res_end]

    def f3(self, rand: bytes) -> bytes:
        """CK, 16 octets."""
        x = self._temp(rand) ^ self._opc
        return self._out((x << 32 & _BLOCK | x >> 96) ^ _C3)

    def f4(self, rand: bytes) -> bytes:
        """IK, 16 octets."""
        x = self._temp(rand) ^ self._opc
        return self._out((x << 64 & _BLOCK | x >> 64) ^ _C4)

    def f5(self, rand: bytes) -> bytes:
        """AK, 6 octets."""
        return self._out(self._temp(rand) ^ self._opc ^ _C2)[:6]

    def f5_star(self, rand: bytes) -> bytes:
        """AK of a resynchronisation, 6 octets."""
        x = self._temp(rand) ^ self._opc
        return self._out((x << 96 & _BLOCK | x >> 32) ^ _C5)[:6]

    def derive(self, rand: bytes, sqn: bytes, amf: bytes) -> Derived:
        """f1 to f5 with two calls of the cipher."""
        temp = self._temp(rand)
        x = temp ^ self._opc
        blocks = (
            (temp ^ self._in1(sqn, amf)) << 384
            | (x ^ _C2) << 256
            | ((x << 32 & _BLOCK | x >> 96) ^ _C3) << 128
            | (x << 64 & _BLOCK | x >> 64) ^ _C4
        )
        out = (int.from_bytes(self._encrypt(blocks.to_bytes(64, "big")), "big") ^ self._opc4).to_bytes(
            64, "big"
        )
        return Derived(out[:8], out[24 : 16 + self._res_end], out[32:48], out[48:], out[16:22])
