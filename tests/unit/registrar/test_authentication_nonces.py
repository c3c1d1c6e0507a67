"""Nonces: expiry, stale, nonce-count, one answer for each challenge, no leaks."""

from __future__ import annotations

import pytest

from libreims.base.tokens import Tokens
from libreims.registrar.authentication import Authenticator
from libreims.registrar.nonces import AKA_LIFETIME, CHALLENGE_LIFETIME, MD5_LIFETIME, PER_USER
from libreims.registrar.schemes import authentication_profile
from support.auth_lab import (
    DOMAIN,
    ELSEWHERE,
    IMPI,
    K,
    Server,
    card_for,
    password_phone,
    password_user,
    phone_with,
    settings_for,
)
from support.sim_phone import read_challenge


def test_a_challenge_is_answered_once() -> None:
    server = Server(settings_for())
    wrong = phone_with(card_for(k=K[::-1]), check=False)
    challenge = server.challenge(None)
    server.refuse(wrong.answer(challenge))
    right = phone_with(card_for())
    assert read_challenge(server.challenge(right.answer(challenge))).stale


def test_answer_after_the_challenge_has_expired_is_stale() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for())
    challenge = server.challenge(phone.first(DOMAIN))
    server.clock.advance(CHALLENGE_LIFETIME + 1)
    second = server.challenge(phone.answer(challenge))
    assert read_challenge(second).stale
    assert server.accept(phone.answer(second)).fresh


def test_aka_nonce_from_before_a_restart_is_stale() -> None:
    phone = phone_with(card_for())
    Server(settings_for()).register(phone)
    server = Server(settings_for())
    challenge = server.challenge(phone.again())
    assert read_challenge(challenge).stale
    assert "before a restart" in challenge.why


@pytest.mark.parametrize("nonce", ["x", "AAAA", "=" * 44, "\udcff\udcfe" * 24])
def test_a_nonce_of_nobody_is_not_stale_with_a_sim(nonce: str) -> None:
    server = Server(settings_for())
    text = f'Digest username="{IMPI}",realm="{DOMAIN}",nonce="{nonce}",uri="sip:x",response="00"'
    assert not read_challenge(server.challenge(text)).stale


@pytest.mark.parametrize("qop", ["", "auth"])
def test_md5_nonce_expires_as_stale(qop: str) -> None:
    server = Server(password_user(authent_qop=qop or "none"))
    phone = password_phone(qop=qop)
    challenge = server.challenge(None)
    server.clock.advance(MD5_LIFETIME + 1)
    second = server.challenge(phone.answer(challenge))
    assert read_challenge(second).stale
    assert server.accept(phone.answer(second)).fresh
    server.clock.advance(MD5_LIFETIME + 1)
    assert read_challenge(server.challenge(phone.again())).stale


def test_md5_nonce_from_before_a_restart_is_stale_when_the_password_is_right() -> None:
    phone = password_phone()
    server = Server(password_user())
    server.accept(phone.answer(server.challenge(None)))
    restarted = Server(password_user())
    restarted.authenticator = Authenticator(
        server.hss, server.clock, Tokens(seed=99), lambda s: authentication_profile(server.settings, s)
    )
    assert read_challenge(restarted.challenge(phone.again())).stale
    phone.key = b"guess"
    assert not read_challenge(restarted.challenge(phone.again())).stale


def test_md5_nonce_of_another_user_does_not_pass() -> None:
    server = Server(password_user())
    foreign = server.authenticator.nonces.signed("bob@ims.example")
    assert not server.authenticator.nonces.is_ours(foreign, IMPI)
    assert server.authenticator.nonces.is_ours(foreign, "bob@ims.example")


@pytest.mark.parametrize("user", ["sim", "password"])
def test_nonce_count_must_grow(user: str) -> None:
    if user == "sim":
        server, phone = Server(settings_for(authent_qop="auth")), phone_with(card_for(), qop="auth")
    else:
        server, phone = Server(password_user(authent_qop="auth")), password_phone(qop="auth")
    server.register(phone)
    again = server.accept(phone.again(), flow=ELSEWHERE)
    assert (again.fresh, again.ck) == (False, b"")
    server.accept(phone.again(count=7))
    for count in (7, 6, 1):
        refusal = server.challenge(phone.again(count=count))
        assert read_challenge(refusal).stale
        assert f"nonce-count {count} after 7" in refusal.why
    server.accept(phone.again(count=8))


@pytest.mark.parametrize("user", ["sim", "password"])
def test_without_nonce_count_an_old_answer_counts_only_where_it_came_from(user: str) -> None:
    if user == "sim":
        server, phone = Server(settings_for()), phone_with(card_for())
    else:
        server, phone = Server(password_user()), password_phone()
    server.register(phone)
    assert not server.accept(phone.again()).fresh
    refusal = server.challenge(phone.again(), flow=ELSEWHERE)
    assert read_challenge(refusal).stale
    assert "192.0.2.8 port 5060" in refusal.why


def test_reauthenticate_asks_each_time() -> None:
    server = Server(settings_for(authent_qop="auth"))
    phone = phone_with(card_for(), qop="auth")
    challenge = server.challenge(phone.first(DOMAIN), force=True)
    assert server.accept(phone.answer(challenge), force=True).fresh
    second = server.challenge(phone.again(), force=True)
    assert "reauthenticate" in second.why
    assert not read_challenge(second).stale
    assert server.accept(phone.answer(second), force=True).fresh


def test_answered_aka_nonce_expires() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for())
    server.register(phone)
    server.clock.advance(AKA_LIFETIME - 1)
    server.accept(phone.again())
    server.clock.advance(2)
    server.challenge(phone.again())


def test_stronger_authent_type_ends_old_answers() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for())
    server.register(phone)
    server.configure(settings_for(authent_type="AKAv2"))
    assert read_challenge(server.challenge(phone.again())).algorithm == "AKAv2-MD5"


def test_empty_response_to_an_answered_nonce_is_a_new_beginning() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for())
    server.register(phone)
    assert phone.challenge is not None
    assert not read_challenge(server.challenge(phone._write(phone.challenge, ""))).stale


def test_nothing_leaks() -> None:
    server = Server(settings_for())
    nonces = server.authenticator.nonces
    for _ in range(3 * PER_USER):
        server.challenge(None)
    assert len(nonces) == PER_USER
    phone = phone_with(card_for())
    for _ in range(20):
        server.register(phone)
    assert len(nonces) <= PER_USER
    server.clock.advance(CHALLENGE_LIFETIME)
    assert len(nonces) == 1
    server.clock.advance(AKA_LIFETIME)
    assert len(nonces) == 0
    assert not nonces._users
    assert not any(nonces._queues.values())


def test_md5_challenges_cost_no_memory() -> None:
    server = Server(password_user())
    for _ in range(100):
        server.challenge(None)
    assert len(server.authenticator.nonces) == 0


def test_forget_ends_everything_of_a_user() -> None:
    server = Server(settings_for())
    phone = phone_with(card_for())
    server.register(phone)
    server.authenticator.forget(IMPI)
    assert len(server.authenticator.nonces) == 0
    server.challenge(phone.again())
