"""Authentication from the first REGISTER to the accepted one, with every scheme."""

from __future__ import annotations

import pytest

from libreims.registrar.answers import deregisters
from support.auth_lab import (
    DOMAIN,
    ELSEWHERE,
    IMPI,
    Server,
    card_for,
    password_phone,
    password_user,
    phone_with,
    request_with,
    settings_for,
)
from support.sim_phone import read_challenge


@pytest.mark.parametrize("sim_algo", ["xor", "milenage", "tuak"])
@pytest.mark.parametrize(
    ("authent_type", "algorithm"),
    [("AKAv1", "AKAv1-MD5"), ("AKAv2", "AKAv2-MD5"), ("AKAv2-SHA-256", "AKAv2-SHA-256")],
)
@pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
def test_register_with_a_sim(sim_algo: str, authent_type: str, algorithm: str, qop: str) -> None:
    server = Server(settings_for(sim_algo, authent_type=authent_type, authent_qop=qop or "none"))
    phone = phone_with(card_for(sim_algo), qop=qop)
    challenge = server.challenge(phone.first(DOMAIN, ""))
    header = read_challenge(challenge)
    assert (header.realm, header.algorithm, header.stale) == (DOMAIN, algorithm, False)
    assert header.qop == ((qop,) if qop else ())
    result = server.accept(phone.answer(challenge))
    assert (result.impi, result.scheme, result.fresh) == (IMPI, authent_type, True)
    assert phone.result is not None
    assert (result.ck, result.ik) == (phone.result.ck, phone.result.ik)
    assert challenge.vector is not None
    assert (challenge.vector.ck, challenge.vector.ik) == (result.ck, result.ik)


@pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
def test_register_with_a_password(qop: str) -> None:
    server = Server(password_user(authent_qop="auth,auth-int" if qop else "none"))
    phone = password_phone(qop=qop)
    challenge = server.challenge(None)
    assert read_challenge(challenge).algorithm == "MD5"
    assert read_challenge(challenge).qop == (("auth", "auth-int") if qop else ())
    result = server.accept(phone.answer(challenge))
    assert (result.scheme, result.fresh, result.ck, result.ik) == ("MD5", True, b"", b"")


def test_authent_type_none_asks_nothing() -> None:
    server = Server(settings_for(authent_type="none"))
    assert server.accept(None).scheme == "none"
    assert server.accept(phone_with(card_for()).first(DOMAIN)).scheme == "none"
    assert not server.authenticator.needed(request_with(None), server.subscriber)


@pytest.mark.parametrize(
    ("minimum", "offered", "used"),
    [
        ("AKAv1", "", "AKAv1-MD5"),
        ("AKAv1", "AKAv1-MD5", "AKAv1-MD5"),
        ("AKAv1", "AKAv2-MD5", "AKAv2-MD5"),
        ("AKAv1", "akav2-sha-256", "AKAv2-SHA-256"),
        ("AKAv2", "AKAv1-MD5", "AKAv2-MD5"),
        ("AKAv2-SHA-256", "AKAv2-MD5", "AKAv2-SHA-256"),
        ("AKAv1", "MD5", "AKAv1-MD5"),
        ("AKAv1", "SHA-512", "AKAv1-MD5"),
        ("MD5", "AKAv1-MD5", "AKAv1-MD5"),
        ("MD5", "MD5", "MD5"),
        ("MD5", "", "MD5"),
    ],
)
def test_the_minimum_and_what_the_client_names(minimum: str, offered: str, used: str) -> None:
    server = Server(settings_for(authent_type=minimum, pwd="x"))
    challenge = server.challenge(phone_with(card_for()).first(DOMAIN, offered))
    assert read_challenge(challenge).algorithm == used


def test_a_phone_that_offers_too_little_is_named_in_the_log() -> None:
    server = Server(settings_for(authent_type="AKAv2"))
    why = server.challenge(phone_with(card_for()).first(DOMAIN)).why
    assert why == (
        f"{IMPI} offers AKAv1-MD5 and is challenged with AKAv2, which authent_type asks for: "
        "if the phone cannot do that, lower authent_type."
    )


def test_a_client_that_offers_aka_but_has_a_password_only_gets_md5() -> None:
    server = Server(password_user())
    phone = password_phone()
    challenge = server.challenge(phone.first(DOMAIN, "AKAv1-MD5"))
    assert read_challenge(challenge).algorithm == "MD5"
    assert server.accept(phone.answer(challenge)).scheme == "MD5"


def test_proxy_auth_uses_407_and_the_proxy_headers() -> None:
    server = Server(settings_for(proxy_auth=True))
    phone = phone_with(card_for())
    challenge = server.challenge(None)
    assert challenge.status == 407
    assert challenge.headers[0][0] == "Proxy-Authenticate"
    assert server.accept(phone.answer(challenge), header="Proxy-Authorization").fresh


def test_domain_of_the_user_is_the_realm() -> None:
    server = Server(settings_for(domain="own.example"))
    phone = phone_with(card_for())
    challenge = server.challenge(None)
    assert read_challenge(challenge).realm == "own.example"
    assert server.accept(phone.answer(challenge)).fresh


def test_other_requests_only_when_configured() -> None:
    invite = request_with(None, method="INVITE")
    inside = request_with(None, method="INVITE", to=f"<sip:x@{DOMAIN}>;tag=2")
    server = Server(settings_for())
    assert not server.authenticator.needed(invite, server.subscriber)
    assert server.authenticator.needed(request_with(None), server.subscriber)
    server = Server(settings_for(), auth_on_register_only=False)
    assert server.authenticator.needed(invite, server.subscriber)
    assert not server.authenticator.needed(inside, server.subscriber)
    assert not server.authenticator.needed(request_with(None, method="ACK"), server.subscriber)
    server.configure(settings_for(auth_on_register_only=True))
    assert not server.authenticator.needed(invite, server.subscriber)


def test_invite_is_authenticated_with_its_own_method() -> None:
    server = Server(password_user(authent_qop="auth"))
    phone = password_phone(qop="auth")
    challenge = server.challenge(None, method="INVITE")
    text = phone.answer(challenge, method="INVITE")
    server.challenge(text, method="MESSAGE")
    assert server.accept(text, method="INVITE").fresh
    assert server.accept(phone.again("MESSAGE"), method="MESSAGE").scheme == "MD5"


def test_removal_is_taken_from_where_the_registration_came_from() -> None:
    server = Server(settings_for())
    server.challenge(None, expires="0")
    server.register(phone_with(card_for()))
    assert server.accept(None, expires="0").scheme == "AKAv1"
    server.challenge(None, expires="0", flow=ELSEWHERE)
    server.challenge(None, expires="60")
    server.configure(settings_for(auth_on_register_only=False))
    server.challenge(None, expires="0")


def test_star_is_a_removal() -> None:
    everything = request_with(None, expires="0")
    everything.set("Contact", "*")
    assert deregisters(everything)
    one_of_two = request_with(None, expires="0")
    one_of_two.set("Contact", "<sip:a@192.0.2.7>, <sip:b@192.0.2.7>;expires=60")
    assert not deregisters(one_of_two)
    one_of_two.set("Contact", "<sip:a@192.0.2.7>, <sip:b@192.0.2.7>;expires=0")
    assert deregisters(one_of_two)
    fetch = request_with(None, expires="0")
    fetch.remove("Contact")
    assert not deregisters(fetch)
