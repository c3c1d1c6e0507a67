"""The XOR algorithm of test SIM cards (TS 34.108 §8.1.2), the same in both directions.

XDOUT is K xor RAND; RES, CK, IK and AK are pieces of it, MAC is its first half xor (SQN || AMF).
f1* is f1 and f5* is f5, with AMF zero in a resynchronisation like everywhere.
"""

from __future__ import annotations

from libreims.proto.aka.algorithm import AkaKeyError, Derived, require


class Xor:
    """The test algorithm for one K (16 octets), with a RES of `res_length` (4 to 16) octets.

    Raises AkaKeyError.
    """

    __slots__ = ("_k", "_res_length")

    def __init__(self, k: bytes, res_length: int = 8) -> None:
        require("K", k, 16)
        if not 4 <= res_length <= 16:
            raise AkaKeyError(f"XOR gives a RES of 4 to 16 bytes, not {res_length}")
        self._k = int.from_bytes(k, "big")
        self._res_length = res_length

    def _xdout(self, rand: bytes) -> bytes:
        return (int.from_bytes(rand, "big") ^ self._k).to_bytes(16, "big")

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, 8 octets."""
        cdout = int.from_bytes(sqn + amf, "big")
        return (int.from_bytes(self._xdout(rand)[:8], "big") ^ cdout).to_bytes(8, "big")

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, 8 octets."""
        return self.f1(rand, sqn, amf)

    def f2(self, rand: bytes) -> bytes:
        """RES."""
        return self._xdout(rand)[: self._res_length]

    def f3(self, rand: bytes) -> bytes:
        """CK: XDOUT turned by one octet."""
        xdout = self._xdout(rand)
        return xdout[1:] + xdout[:1]

    def f4(self, rand: bytes) -> bytes:
        """IK: XDOUT turned by two octets."""
        xdout = self._xdout(rand)
        return xdout[2:] + xdout[:2]

    def f5(self, rand: bytes) -> bytes:
        """AK: octets 3 to 8 of XDOUT."""
        return self._xdout(rand)[3:9]

    def f5_star(self, rand: bytes) -> bytes:
        """AK of a resynchronisation: the same."""
        return self.f5(rand)

    def derive(self, rand: bytes, sqn: bytes, amf: bytes) -> Derived:
        """f1 to f5."""
        xdout = self._xdout(rand)
        mac = int.from_bytes(xdout[:8], "big") ^ int.from_bytes(sqn + amf, "big")
        return Derived(
            mac.to_bytes(8, "big"),
            xdout[: self._res_length],
            xdout[1:] + xdout[:1],
            xdout[2:] + xdout[:2],
            xdout[3:9],
        )
