"""TS 35.233 §6.3 to §6.8: the six test sets of TUAK, K of 128 and 256 bits, one and two Keccak iterations.

Each set: TOPc and every function give exactly the value that the specification prints.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import pytest

from libreims.proto.aka.keccak import keccak_f
from libreims.proto.aka.tuak import Tuak, top_to_topc
from libreims.proto.aka.vector import generate


class Case(NamedTuple):
    iterations: int
    k: bytes
    rand: bytes
    sqn: bytes
    amf: bytes
    top: bytes
    topc: bytes
    f1: bytes
    f1_star: bytes
    f2: bytes
    f3: bytes
    f4: bytes
    f5: bytes
    f5_star: bytes

    def sim(self) -> Tuak:
        return Tuak(
            self.k,
            self.topc,
            len(self.f2),
            mac_length=len(self.f1),
            ck_length=len(self.f3),
            ik_length=len(self.f4),
            iterations=self.iterations,
        )


# Columns as in Case: iterations, then hexadecimal.
DATA = """
6.3 1
abababababababababababababababab 42424242424242424242424242424242 111111111111 ffff
5555555555555555555555555555555555555555555555555555555555555555
bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff
f9a54e6aeaa8618d e94b4dc6c7297df3 657acd64
d71a1e5c6caffe986a26f783e5c78be1 be849fa2564f869aecee6f62d4337e72 719f1e9b9054 e7af6b3d0e38

6.4 1
fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0
0123456789abcdef0123456789abcdef 0123456789ab abcd
808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f
305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524
c0b8c2d4148ec7aa5f1d78a97e4d1d58 ef81af7290f7842c6ceafa537fa0745b e9d749dc4eea0035
a4cb6f6529ab17f8337f27baa8234d47 2274155ccf4199d5e2abcbf621907f90 480a9345cc1e f84eb338848c

6.5 1
fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0
0123456789abcdef0123456789abcdef 0123456789ab abcd
808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f
305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524
d97b75a1776065271b1e212bc3b1bf173f438b21e6c64a55a96c372e085e5cc5
427bbf07c6e3a86c54f8c5216499f3909a6fd4a164c9fe235b1550258111b821 07021c73e7635c7d
4d59ac796834eb85d11fa148a5058c3c
126d47500136fdc5ddfd14f19ebf16749ce4b6435323fbb5715a3a796a6082bd 1d6622c4e59a f84eb338848c

6.6 1
b8da837a50652d6ac7c97da14f6acc61 6887e55425a966bd86c9661a5fa72be8 0dea2ee2c5af df1e
0952be13556c32ebc58195d9dd930493e12a9003669988ffde5fa1f0fe35cc01
2bc16eb657a68e1f446f08f57c0efb1d493527a2e652ce281eb6ca0e4487760a
749214087958dd8f58bfcdf869d8ae3f 619e865afe80e382aee13063f9dfb56d 4041ce438e3e38e8aa96562eed83ac43
3e3bc01bea0cd914c4c2c83ce2d92757 666a8e6f577b1aa77b7fd53cebb8a3d6 1f880d005119 45e617d77fe5

6.7 1
1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5
c570aac68cde651fb1e3088322498bef c89bb71f3a41 297d
e59f6eb10ea406813f4991b0b9e02f181edf4c7e17b480f66d34da35ee88c95e
3c6052e41532a28a47aa3cbb89f223e8f3aaa976aecd48bc3e7d6165a55eff62
d7340dad02b4cb01 c6021e2e66accb15 84d89b41db1867ffd4c7ba1d82163f4d526a20fbae5418fbb526940b1eeb905c
d419676afe5ab58c1d8bee0d43523a4d2f52ef0b31a4676a0c334427a988fe65
205533e505661b61d05cc0eac87818f4 d7b3d2d4980a ca9655264986

6.8 2
1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5
c570aac68cde651fb1e3088322498bef c89bb71f3a41 297d
e59f6eb10ea406813f4991b0b9e02f181edf4c7e17b480f66d34da35ee88c95e
b04a66f26c62fcd6c82de22a179ab65506ecf47f56245cd149966cfa9cec7a51
90d2289ed1ca1c3dbc2247bb480d431ac71d2e4a7677f6e997cfddb0cbad88b7
427355dbac30e825063aba61b556e87583abac638e3ab01c4c884ad9d458dc2f
d67e6e64590d22eecba7324afa4af4460c93f01b24506d6e12047d789a94c867
ede57edfc57cdffe1aae75066a1b7479bbc3837438e88d37a801cccc9f972b89
48ed9299126e5057402fe01f9201cf25249f9c5c0ed2afcf084755daff1d3999 6aae8d18c448 8c5f33b61f4e
"""

SETS = {
    name: Case(int(iterations), *map(bytes.fromhex, values))
    for name, iterations, *values in (entry.split() for entry in DATA.strip().split("\n\n"))
}


def test_all_sets_are_here() -> None:
    assert list(SETS) == [f"6.{n}" for n in range(3, 9)]


@pytest.fixture(params=list(SETS.values()), ids=list(SETS))
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


def test_topc(case: Case) -> None:
    assert top_to_topc(case.k, case.top, case.iterations) == case.topc


def test_functions_one_by_one(case: Case) -> None:
    sim = case.sim()
    assert sim.f1(case.rand, case.sqn, case.amf) == case.f1
    assert sim.f1_star(case.rand, case.sqn, case.amf) == case.f1_star
    assert sim.f2(case.rand) == case.f2
    assert sim.f3(case.rand) == case.f3
    assert sim.f4(case.rand) == case.f4
    assert sim.f5(case.rand) == case.f5
    assert sim.f5_star(case.rand) == case.f5_star


def test_vector(case: Case) -> None:
    vector = generate(case.sim(), case.rand, int.from_bytes(case.sqn), int.from_bytes(case.amf))
    hidden = (int.from_bytes(case.sqn) ^ int.from_bytes(case.f5)).to_bytes(6)
    assert vector.autn == hidden + case.amf + case.f1
    assert (vector.xres, vector.ck, vector.ik) == (case.f2, case.f3, case.f4)


@pytest.mark.parametrize("length", [0, 1, 96, 134])
def test_own_permutation_agrees_with_the_interpreters_shake256(length: int) -> None:
    message = bytes(range(length % 251))[:length].ljust(length, b"\xa5")
    block = bytearray(message + b"\x1f" + bytes(135 - length))
    block[135] |= 0x80
    assert keccak_f(bytes(block) + bytes(64))[:136] == hashlib.shake_256(message).digest(136)
