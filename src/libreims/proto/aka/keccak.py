"""The permutation Keccak-f[1600] (FIPS 202 §3.2, §3.3), for TUAK with more than one iteration.

With one iteration TUAK is a plain SHAKE256 and goes through `hashlib`; this one is 100 times slower and
only for operators who chose more.
"""

from __future__ import annotations

from struct import Struct

_LANES = Struct("<25Q")
_WORD = (1 << 64) - 1
STATE_LENGTH = 200


def _round_constants() -> tuple[int, ...]:
    """RC of the step iota, from its shift register x^8 + x^6 + x^5 + x^4 + 1 (FIPS 202 §3.2.5)."""
    constants = []
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return tuple(constants)


def _moves() -> tuple[tuple[int, int, int], ...]:
    """(from lane, to lane, rotation) of the steps rho and pi together, lanes numbered x + 5 y."""
    moves = []
    x, y = 1, 0
    for t in range(24):
        moves.append((x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), (t + 1) * (t + 2) // 2 % 64))
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(moves)


_CONSTANTS = _round_constants()
_MOVES = _moves()


def keccak_f(state: bytes) -> bytes:
    """Permute a state of 200 octets."""
    a = list(_LANES.unpack(state))
    for constant in _CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        for x in range(5):
            right = c[(x + 1) % 5]
            d = c[x - 1] ^ (right << 1 & _WORD | right >> 63)
            for i in range(x, 25, 5):
                a[i] ^= d
        b = a.copy()
        for source, target, turn in _MOVES:
            lane = a[source]
            b[target] = lane << turn & _WORD | lane >> (64 - turn)
        for y in range(0, 25, 5):
            for x in range(5):
                a[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5])
        a[0] ^= constant
    return _LANES.pack(*a)
