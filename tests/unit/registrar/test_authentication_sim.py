"""Resynchronisation, MAC failure, and the sentences that say what to change."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from libreims.base.errors import Reject
from libreims.registrar.authentication import TRIES
from support.auth_lab import (
    DOMAIN,
    IMPI,
    OP,
    K,
    Server,
    card_for,
    phone_with,
    settings_for,
)
from support.sim_phone import read_challenge


def test_resynchronisation() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for(sqn=9000 << 5 | 3))
    first = server.challenge(phone.first(DOMAIN))
    second = server.challenge(phone.answer(first))
    assert "resynchronised, challenged again" in second.why
    assert not read_challenge(second).stale
    assert server.accept(phone.answer(second)).fresh
    assert not server.authenticator._failures


def test_resynchronisation_without_end_is_refused() -> None:
    server = Server(settings_for())
    refusal: Reject = server.challenge(None)
    for _ in range(TRIES):
        phone = phone_with(card_for(sqn=server.hss.sequence_numbers()[IMPI] + (1000 << 5)))
        refusal = server.challenge(phone.answer(refusal))
    phone = phone_with(card_for(sqn=(1 << 48) - 1))
    assert "again and again" in server.refuse(phone.answer(refusal)).why


def test_bad_auts_is_told_apart() -> None:
    server = Server(settings_for())
    text = phone_with(card_for(sqn=9000 << 5)).answer(server.challenge(None))
    head, auts = text.split(',auts="')
    damaged = bytearray(base64.b64decode(auts[:-1]))
    damaged[13] ^= 1
    why = server.refuse(f'{head},auts="{base64.b64encode(damaged).decode()}"').why
    assert "wrong MAC-S" in why
    assert "resynchronisation" in why


def test_malformed_auts() -> None:
    server = Server(settings_for())
    text = phone_with(card_for()).answer(server.challenge(None))
    assert "Malformed AUTS" in server.refuse(text + ',auts="AAAA"', 400).why


def test_mac_failure_with_another_k() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for(k=K[::-1]))
    second = server.challenge(phone.answer(server.challenge(phone.first(DOMAIN))))
    assert "MAC of the challenge is wrong: K, opc/op or sim_algo in ue_db are not those" in second.why
    final = server.refuse(phone.answer(second))
    assert "K is wrong, or opc/op belongs to another SIM (first failure)" in final.why
    assert "resynchronis" not in final.why


def test_mac_failure_with_nothing_else_to_try() -> None:
    server = Server(settings_for("xor"))
    phone = phone_with(card_for("xor", k=K[::-1]))
    why = server.refuse(phone.answer(server.challenge(phone.first(DOMAIN)))).why
    assert "sends nothing that tells which one (first failure)" in why


@pytest.mark.parametrize("sim_algo", ["milenage", "tuak"])
@pytest.mark.parametrize(("given", "other"), [("op", "opc"), ("opc", "op")])
@pytest.mark.parametrize("sqn", [0, 9000 << 5])
def test_op_and_opc_confused_is_found_out(sim_algo: str, given: str, other: str, sqn: int) -> None:
    """The card checks AUTN, so nothing it sends tells; the second challenge does."""
    value = OP * 2 if sim_algo == "tuak" else OP
    server = Server(settings_for(sim_algo, **dict[str, Any]({"op": None} | {given: value})))
    phone = phone_with(card_for(sim_algo, sqn=sqn, **dict[str, Any]({"op": None} | {other: value})))
    second = server.challenge(phone.answer(server.challenge(phone.first(DOMAIN))))
    why = server.refuse(phone.answer(second)).why
    assert f"The value given as {given} fits as {other}: rename the property to {other}." in why


def test_the_advice_comes_with_every_attempt() -> None:
    server = Server(settings_for(op=None, opc=OP))
    phone = phone_with(card_for())
    for number in range(1, TRIES + 3):
        second = server.challenge(phone.answer(server.challenge(phone.first(DOMAIN))))
        why = server.refuse(phone.answer(second)).why
        assert "fits as op" in why
        assert ("first failure" if number == 1 else f"{number} failures in a row") in why


def test_wrong_sim_algo_is_found_out() -> None:
    server = Server(settings_for("milenage"))
    phone = phone_with(card_for("xor"))
    second = server.challenge(phone.answer(server.challenge(phone.first(DOMAIN))))
    # op for opc is tried first; a phone that does not check shows the algorithm in its response.
    assert "K is wrong" in server.refuse(phone.answer(second)).why
    unchecking = phone_with(card_for("xor"), check=False)
    why = server.refuse(unchecking.answer(server.challenge(None))).why
    assert "The SIM uses the xor algorithm: set sim_algo to xor." in why


@pytest.mark.parametrize(("given", "other"), [("op", "opc"), ("opc", "op")])
def test_phone_that_does_not_check_shows_op_and_opc_confused(given: str, other: str) -> None:
    server = Server(settings_for(**dict[str, Any]({"op": None} | {given: OP})))
    phone = phone_with(card_for(**dict[str, Any]({"op": None} | {other: OP})), check=False)
    why = server.refuse(phone.answer(server.challenge(phone.first(DOMAIN)))).why
    assert f"The value given as {given} fits as {other}" in why


def test_wrong_res_len_is_found_out() -> None:
    server = Server(settings_for("xor"))
    phone = phone_with(card_for("xor", res_len=16))
    why = server.refuse(phone.answer(server.challenge(phone.first(DOMAIN)))).why
    assert "The phone's RES has 16 bytes: set res_len to 16." in why


def test_wrong_response_that_nothing_explains() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for(k=K[::-1]), check=False)
    why = server.refuse(phone.answer(server.challenge(phone.first(DOMAIN)))).why
    assert "K or opc is wrong" in why
    assert "(first failure)" in why


def test_phone_that_answers_with_another_scheme() -> None:
    server = Server(settings_for(authent_type="AKAv2"))
    phone = phone_with(card_for())
    phone._aka_key = lambda algorithm, result: result.res  # type: ignore[method-assign]
    why = server.refuse(phone.answer(server.challenge(None))).why
    assert "answered as in AKAv1, but was challenged with AKAv2" in why


def test_failures_are_counted_until_a_success() -> None:
    server = Server(settings_for("xor"))
    wrong, right = phone_with(card_for("xor", k=K[::-1])), phone_with(card_for("xor"))
    server.refuse(wrong.answer(server.challenge(None)))
    assert "(2 failures in a row)" in server.refuse(wrong.answer(server.challenge(None))).why
    server.register(right)
    assert "(first failure)" in server.refuse(wrong.answer(server.challenge(None))).why
