"""The built-in HSS."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from libreims.base.tokens import Tokens
from libreims.hss.builtin import BuiltinHss
from libreims.hss.port import DigestSecret, HssError, HssFailure, Resync
from libreims.hss.profile import SimProfile
from libreims.proto.aka.factory import ALGORITHMS
from libreims.proto.aka.milenage import op_to_opc
from libreims.proto.aka.sequence import split
from libreims.proto.aka.usim import SynchronisationFailure, Usim
from libreims.proto.aka.vector import AkaVector, MacFailure, make_auts, verify_autn
from libreims.proto.aka.xor import Xor

K = bytes(range(16))
OP = bytes(range(40, 56))


def profile_for(name: str) -> SimProfile:
    return SimProfile("alice", sim_algo=name, k=K, op=OP * 2 if name == "tuak" else OP)


MILENAGE = profile_for("milenage")


class Bench:
    """An HSS with one user whose profile the test may change."""

    def __init__(self, profile: SimProfile | None) -> None:
        self.profile = profile
        self.hss = BuiltinHss(lambda impi: self.profile if impi == "alice" else None, Tokens(seed=1))

    def vector(self, resync: Resync | None = None) -> AkaVector:
        vector = asyncio.run(self.hss.authentication_vector("alice", "AKAv1", resync))
        assert isinstance(vector, AkaVector)
        return vector

    def failure(self, impi: str = "alice", scheme: str = "AKAv1", resync: Resync | None = None) -> HssError:
        with pytest.raises(HssError) as raised:
            asyncio.run(self.hss.authentication_vector(impi, scheme, resync))
        return raised.value


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_card_accepts_vector_after_vector(name: str) -> None:
    bench = Bench(profile_for(name))
    card = Usim(profile_for(name).algorithm())
    for _ in range(40):
        vector = bench.vector()
        assert card.authenticate(vector.rand, vector.autn).res == vector.xres
    assert bench.hss.sequence_numbers() == {"alice": card.sequence.highest}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_resynchronisation_after_a_restart(name: str) -> None:
    bench = Bench(profile_for(name))
    card = Usim(profile_for(name).algorithm(), sqn=5000 << 5 | 7)
    first = bench.vector()
    with pytest.raises(SynchronisationFailure) as refusal:
        card.authenticate(first.rand, first.autn)
    second = bench.vector(Resync(first.rand, refusal.value.auts))
    assert card.authenticate(second.rand, second.autn).res == second.xres


def test_concurrent_requests_get_different_numbers() -> None:
    bench = Bench(MILENAGE)

    async def ask() -> list[AkaVector | DigestSecret]:
        return await asyncio.gather(*(bench.hss.authentication_vector("alice", "AKAv1") for _ in range(64)))

    card = Usim(MILENAGE.algorithm())
    for vector in asyncio.run(ask()):
        assert isinstance(vector, AkaVector)
        card.authenticate(vector.rand, vector.autn)


def test_configured_sqn_is_where_it_starts_and_restore_goes_on() -> None:
    start = replace(MILENAGE, sqn=0x100 << 5)
    bench = Bench(start)
    vector = bench.vector()
    assert split(verify_autn(start.algorithm(), vector.rand, vector.autn).sqn) == (0x101, 1)
    bench.hss.restore("alice", 0x200 << 5)
    vector = bench.vector()
    assert split(verify_autn(start.algorithm(), vector.rand, vector.autn).sqn) == (0x201, 1)


def test_changed_keys_are_used_at_once() -> None:
    bench = Bench(MILENAGE)
    bench.vector()
    bench.profile = changed = replace(MILENAGE, k=K[::-1])
    vector = bench.vector()
    assert verify_autn(changed.algorithm(), vector.rand, vector.autn).res == vector.xres
    with pytest.raises(MacFailure):
        verify_autn(MILENAGE.algorithm(), vector.rand, vector.autn)


def test_password() -> None:
    bench = Bench(SimProfile("alice", pwd="sésame"))
    secret = asyncio.run(bench.hss.authentication_vector("alice", "MD5"))
    assert isinstance(secret, DigestSecret)
    assert secret.password == "sésame".encode()
    assert "sésame" not in f"{secret!r} {bench.profile!r}"


def test_refusals_say_what_to_change() -> None:
    unknown = Bench(None).failure("bob")
    assert unknown.kind is HssFailure.UNKNOWN_USER
    assert unknown.why == "User bob is not in the user database: add it to ue_db."
    keyless = Bench(SimProfile("alice")).failure()
    assert keyless.kind is HssFailure.NO_KEY
    assert "set K, or pwd and authent_type MD5" in keyless.why
    assert "set pwd, or authent_type" in Bench(MILENAGE).failure(scheme="MD5").why
    short = Bench(replace(MILENAGE, op=bytes(3))).failure()
    assert short.why == "The SIM values of user alice cannot be used: op has 3 bytes, it needs 16."


def resync_by(card: SimProfile, rand: bytes = bytes(16)) -> Resync:
    return Resync(rand, make_auts(card.algorithm(), rand, 99 << 5))


def test_bad_auts_is_told_apart_and_changes_nothing() -> None:
    bench = Bench(MILENAGE)
    good = resync_by(MILENAGE)
    error = bench.failure(resync=Resync(good.rand, good.auts[:-1] + bytes((good.auts[-1] ^ 1,))))
    assert error.kind is HssFailure.BAD_AUTS
    assert "wrong MAC-S" in error.why
    assert "AUTS was damaged" in error.why
    assert not bench.hss.sequence_numbers()


@pytest.mark.parametrize(
    ("configured", "card", "advice"),
    [
        (
            replace(MILENAGE, op=None, opc=OP),
            MILENAGE,
            "The value given as opc fits as op: rename the property to op.",
        ),
        (
            replace(MILENAGE, op=op_to_opc(K, OP)),
            MILENAGE,
            "The value given as op fits as opc: rename the property to opc.",
        ),
        (replace(MILENAGE, sim_algo="xor"), MILENAGE, "set sim_algo to milenage"),
        (MILENAGE, SimProfile("alice", k=K), "set sim_algo to xor"),
    ],
)
def test_auts_made_with_another_reading_names_it(
    configured: SimProfile, card: SimProfile, advice: str
) -> None:
    assert advice in Bench(configured).failure(resync=resync_by(card)).why


def test_trial_is_a_vector_of_the_other_reading() -> None:
    bench = Bench(replace(MILENAGE, op=None, opc=OP))
    trial = asyncio.run(bench.hss.trial("alice"))
    assert trial is not None
    card = Usim(MILENAGE.algorithm())
    assert card.authenticate(trial.vector.rand, trial.vector.autn).res == trial.vector.xres
    assert "fits as op" in trial.advice
    assert asyncio.run(Bench(SimProfile("alice", k=K)).hss.trial("alice")) is None


def test_explain_finds_the_length_of_res() -> None:
    bench = Bench(SimProfile("alice", k=K))
    rand = bytes(range(16))
    res = Xor(K, 16).f2(rand)
    advice = bench.hss.explain("alice", rand, lambda vector: vector.xres == res)
    assert advice == "The phone's RES has 16 bytes: set res_len to 16."
    assert bench.hss.explain("alice", rand, lambda vector: False) == ""
    assert bench.hss.explain("bob", rand, lambda vector: True) == ""


def test_kept_algorithms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libreims.hss.builtin.KEPT_ALGORITHMS", 3)
    hss = BuiltinHss(lambda impi: replace(MILENAGE, impi=impi), Tokens(seed=1))
    for number in range(10):
        asyncio.run(hss.authentication_vector(f"user{number}", "AKAv1"))
    assert len(hss._algorithms) == 3
    hss.forget("user9")
    assert "user9" not in hss.sequence_numbers()
    assert len(hss._algorithms) == 2
