"""Both ends of the exchange with every SIM algorithm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.proto.aka.algorithm import AkaKeyError, SimAlgorithm
from libreims.proto.aka.factory import ALGORITHMS, sim_algorithm
from libreims.proto.aka.milenage import op_to_opc
from libreims.proto.aka.tuak import top_to_topc
from libreims.proto.aka.vector import (
    SQN_MAX,
    MacFailure,
    generate,
    make_auts,
    open_auts,
    verify_autn,
)
from libreims.proto.aka.xor import Xor

K = bytes(range(16))
RAND = bytes(range(100, 116))


def make(name: str, k: bytes = K) -> SimAlgorithm:
    return sim_algorithm(name, k, op=bytes(range(50, 82 if name == "tuak" else 66)))


@pytest.fixture(params=ALGORITHMS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_card_reads_what_the_network_made(name: str) -> None:
    vector = generate(make(name), RAND, 0x123456789ABC, 0x8000)
    result = verify_autn(make(name), RAND, vector.autn)
    assert (result.res, result.ck, result.ik) == (vector.xres, vector.ck, vector.ik)
    assert (result.sqn, result.amf) == (0x123456789ABC, b"\x80\x00")
    assert (len(result.res), len(result.ck), len(result.ik), len(vector.autn)) == (8, 16, 16, 16)


@pytest.mark.parametrize("octet", range(16))
def test_a_changed_autn_is_a_mac_failure(name: str, octet: int) -> None:
    autn = bytearray(generate(make(name), RAND, 77, 0x8000).autn)
    autn[octet] ^= 1
    with pytest.raises(MacFailure):
        verify_autn(make(name), RAND, bytes(autn))


def test_another_key_is_a_mac_failure(name: str) -> None:
    vector = generate(make(name), RAND, 77, 0x8000)
    with pytest.raises(MacFailure):
        verify_autn(make(name, K[::-1]), RAND, vector.autn)
    with pytest.raises(MacFailure):
        open_auts(make(name, K[::-1]), RAND, make_auts(make(name), RAND, 77))


def test_auts_carries_the_cards_number(name: str) -> None:
    auts = make_auts(make(name), RAND, SQN_MAX)
    assert open_auts(make(name), RAND, auts) == SQN_MAX
    with pytest.raises(MacFailure):
        open_auts(make(name), RAND, auts[:-1] + bytes((auts[-1] ^ 1,)))


@pytest.mark.parametrize("length", [0, 13, 15, 17])
def test_wrong_lengths_are_refused(name: str, length: int) -> None:
    with pytest.raises(ValueError, match=f"AUTS has {length} octets"):
        open_auts(make(name), RAND, bytes(length))
    with pytest.raises(ValueError, match=f"AUTN has {length} octets"):
        verify_autn(make(name), RAND, bytes(length))
    with pytest.raises(ValueError, match=f"RAND has {length} octets"):
        generate(make(name), bytes(length), 1, 1)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(ALGORITHMS),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.integers(0, SQN_MAX),
    st.integers(0, 0xFFFF),
)
def test_derive_agrees_with_the_single_functions(
    name: str, k: bytes, rand: bytes, sqn: int, amf: int
) -> None:
    sim = make(name, k)
    s, a = sqn.to_bytes(6), amf.to_bytes(2)
    assert tuple(sim.derive(rand, s, a)) == (
        sim.f1(rand, s, a),
        sim.f2(rand),
        sim.f3(rand),
        sim.f4(rand),
        sim.f5(rand),
    )


def test_xor_by_hand() -> None:
    """TS 34.108 §8.1.2.1 worked out with a RAND of zero, so that XDOUT is K."""
    sim = Xor(K, 16)
    rand = bytes(16)
    assert sim.f2(rand) == K
    assert sim.f3(rand) == K[1:] + K[:1]
    assert sim.f4(rand) == K[2:] + K[:2]
    assert sim.f5(rand) == sim.f5_star(rand) == bytes((3, 4, 5, 6, 7, 8))
    assert sim.f1(rand, bytes((0, 1, 2, 3, 4, 5)), bytes((6, 7))) == bytes(8)
    assert sim.f1_star(rand, bytes(6), bytes(2)) == K[:8]


@pytest.mark.parametrize(
    ("name", "length"), [("milenage", 4), ("milenage", 8), ("xor", 16), ("tuak", 4), ("tuak", 32)]
)
def test_res_length(name: str, length: int) -> None:
    op = bytes(32 if name == "tuak" else 16)
    sim = sim_algorithm(name, K, op=op, res_len=length)
    vector = generate(sim, RAND, 1, 1)
    assert len(vector.xres) == len(sim.f2(RAND)) == length
    assert generate(sim, RAND, 1, 1, length - 1).xres == vector.xres[:-1]


def test_op_and_opc_give_the_same_sim() -> None:
    op, top = bytes(range(50, 66)), bytes(range(50, 82))
    for name, value in (("milenage", op_to_opc(K, op)), ("tuak", top_to_topc(K, top))):
        assert sim_algorithm(name, K, opc=value, op=bytes(3)).derive(RAND, bytes(6), bytes(2)) == make(
            name
        ).derive(RAND, bytes(6), bytes(2))


@pytest.mark.parametrize(
    ("name", "k", "given", "message"),
    [
        ("xor", bytes(15), {}, "K has 15 bytes, it needs 16"),
        ("milenage", K, {}, "milenage needs opc or op"),
        ("milenage", bytes(32), {"op": bytes(16)}, "K has 32 bytes, it needs 16"),
        ("milenage", K, {"op": bytes(32)}, "op has 32 bytes, it needs 16"),
        ("milenage", K, {"opc": bytes(32)}, "opc has 32 bytes, it needs 16"),
        ("milenage", K, {"opc": bytes(16), "res_len": 16}, "RES of 4 to 8 bytes, not 16"),
        ("xor", K, {"res_len": 17}, "RES of 4 to 16 bytes, not 17"),
        ("tuak", K, {"opc": bytes(16)}, "opc has 16 bytes, it needs 32"),
        ("tuak", bytes(24), {"op": bytes(32)}, "K has 24 bytes, it needs 16 or 32"),
        ("tuak", K, {"op": bytes(32), "res_len": 5}, "RES of 4, 8, 16, 32 bytes, not 5"),
        ("comp128", K, {}, "one of xor, milenage, tuak"),
    ],
)
def test_key_errors_say_what_is_wrong(name: str, k: bytes, given: dict[str, object], message: str) -> None:
    with pytest.raises(AkaKeyError, match=message):
        sim_algorithm(name, k, **given)  # type: ignore[arg-type]


def test_keys_are_not_shown(name: str) -> None:
    sim = make(name)
    vector = generate(sim, RAND, 5, 1)
    result = verify_autn(sim, RAND, vector.autn)
    shown = f"{sim!r} {vector!r} {result!r} {sim.derive(RAND, bytes(6), bytes(2))!r}"
    for secret in (K, vector.xres, vector.ck, vector.ik):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
