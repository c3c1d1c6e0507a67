"""Wrong answers, secrets that must not be shown, and any Authorization at all."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libreims.base.errors import Reject
from libreims.config.schema_users import UserSettings
from libreims.hss.port import HssError, HssFailure
from libreims.hss.profile import sim_profile
from libreims.registrar.authentication import TRIES
from support.auth_lab import (
    DOMAIN,
    FLOW,
    IMPI,
    OP,
    K,
    Server,
    card_for,
    password_phone,
    password_user,
    phone_with,
    request_with,
    settings_for,
)
from support.sim_phone import read_challenge


def test_wrong_password_is_refused_after_some_tries() -> None:
    server = Server(password_user())
    phone = password_phone(password=b"guess")
    refusal: Reject = server.challenge(None)
    for number in range(1, TRIES):
        refusal = server.challenge(phone.answer(refusal))
        assert "pwd in ue_db is not the password of the phone" in refusal.why
        assert not read_challenge(refusal).stale
        assert ("first failure" if number == 1 else f"{number} failures in a row") in refusal.why
    why = server.refuse(phone.answer(refusal)).why
    assert f"Refused: {TRIES} failures in a row" in why
    assert server.register(password_phone()).fresh
    assert not server.authenticator._failures


def test_wrong_realm_is_named() -> None:
    server = Server(password_user())
    phone = password_phone()
    challenge = server.challenge(None)
    phone.challenge = read_challenge(challenge)
    phone.challenge.realm = "other.example"
    phone.key = b"open sesame"
    assert "made for the realm other.example" in server.challenge(phone.again()).why


def test_wrong_qop() -> None:
    server = Server(password_user(authent_qop="auth-int"))
    phone = password_phone(qop="auth")
    second = server.challenge(phone.answer(server.challenge(None)))
    assert "answered with qop=auth, but authent_qop asks for auth-int" in second.why
    phone.qop = ""
    third = server.challenge(phone.answer(second))
    assert "qop=none" in third.why
    phone.qop = "auth-int"
    assert server.accept(phone.answer(third)).fresh


def test_wrong_qop_with_a_sim() -> None:
    server = Server(settings_for(authent_qop="auth"))
    phone = phone_with(card_for())
    second = server.challenge(phone.answer(server.challenge(None)))
    phone.qop = "auth-int"
    assert server.accept(phone.answer(second)).fresh


@pytest.mark.parametrize(
    "directives",
    [
        "qop=auth",
        "qop=auth,nc=00000001",
        'qop=auth,nc=0,cnonce="a"',
        'qop=auth,nc=00000000,cnonce="a"',
        'qop=maybe,nc=00000001,cnonce="a"',
    ],
)
def test_qop_without_what_belongs_to_it(directives: str) -> None:
    server = Server(password_user(authent_qop="auth"))
    phone = password_phone()
    text = phone.answer(server.challenge(None))
    assert server.refuse(f"{text},{directives}", 400)


def test_auth_int_covers_the_body() -> None:
    server = Server(settings_for(authent_qop="auth,auth-int"))
    phone = phone_with(card_for(), qop="auth-int")
    text = phone.answer(server.challenge(None), body=b"v=0")
    assert server.accept(text, body=b"v=0").fresh
    challenge = server.challenge(phone.first(DOMAIN))
    why = server.refuse(phone.answer(challenge, body=b"v=0"), body=b"v=1").why
    assert "the body was changed on the way" in why
    challenge = server.challenge(phone.first(DOMAIN))
    assert "left the body out" in server.refuse(phone.answer(challenge), body=b"v=1").why


def test_credentials_that_cannot_be_read() -> None:
    server = Server(settings_for())
    assert "cannot be read" in server.refuse('Digest username="x', 400).why
    assert server.refuse("Basic abc", 400)


def test_credentials_for_another_realm_are_passed_over() -> None:
    server = Server(password_user())
    phone = password_phone()
    own = phone.answer(server.challenge(None))
    request = request_with('Digest username="x",realm="elsewhere",nonce="1",response="2"')
    request.add("Authorization", own)
    result = asyncio.run(server.authenticator.authenticate(request, server.subscriber, FLOW))
    assert result.fresh


def test_users_without_keys_get_a_reason() -> None:
    server = Server(UserSettings(impi=IMPI))
    assert "has no K for SIM authentication: set K, or pwd" in server.refuse(None).why
    server.configure(UserSettings(impi=IMPI, authent_type="MD5"))
    assert "has no password" in server.refuse(None).why
    text = password_phone().first(DOMAIN).replace('nonce=""', 'nonce="x"').replace('se=""', 'se="1"')
    assert "has no password" in server.refuse(text.replace("AKAv1-", "")).why


def test_a_sim_is_offered_but_only_a_password_is_known() -> None:
    server = Server(password_user())
    challenge = server.challenge(password_phone().first(DOMAIN))
    assert read_challenge(challenge).algorithm == "MD5"
    said = "offers AKAv1-MD5 but has no keys of a SIM in ue_db, and is challenged with MD5"
    assert said in challenge.why


def test_hss_that_does_not_answer_is_a_504() -> None:
    server = Server(settings_for())

    async def down(*_: object) -> None:
        raise HssError(HssFailure.UNAVAILABLE, "The HSS at 192.0.2.9 does not answer.")

    server.hss.authentication_vector = down  # type: ignore[method-assign, assignment]
    assert server.refuse(None, 504).why == "The HSS at 192.0.2.9 does not answer."


def test_no_secret_in_any_text() -> None:
    secrets = [b"open sesame", K, OP]
    texts: list[str] = []
    for user, phones in (
        (settings_for(), [phone_with(card_for()), phone_with(card_for(k=K[::-1]))]),
        (settings_for("xor"), [phone_with(card_for("xor", res_len=16)), phone_with(card_for("xor"))]),
        (password_user(), [password_phone(password=b"guess"), password_phone()]),
    ):
        server = Server(user)
        for phone in phones:
            refusal = server.challenge(phone.first(DOMAIN, ""))
            if refusal.vector is not None:
                secrets += [refusal.vector.xres, refusal.vector.ck, refusal.vector.ik]
            result = server.run(phone.answer(refusal))
            texts += [f"{refusal!r} {refusal.why} {refusal.vector!r} {result!r} {getattr(result, 'why', '')}"]
        texts += [repr(nonces) for nonces in server.authenticator.nonces._users.values()]
        texts += [repr(server.subscriber.settings), repr(sim_profile(server.subscriber))]
    shown = "\n".join(texts)
    for secret in secrets:
        for form in (secret.hex(), repr(secret)[2:-1], str(secret)):
            assert form not in shown


PIECES = (
    'Digest |username="u"|nonce=""|nonce="AAAA"|response="00"|qop=auth|qop=auth-int|nc=00000001|cnonce="c"|'
    'algorithm=MD5|algorithm=MD5-sess|algorithm=AKAv1-MD5|auts="AAAAAAAAAAAAAAAAAAA="|auts="A"|realm="x"|'
    f'realm="{DOMAIN}"|uri="sip:x"|"|=|\udc80'
).split("|")
HEADER_TEXT = st.one_of(
    st.text(),
    st.lists(st.sampled_from(PIECES), max_size=14).map(lambda parts: "Digest " + ",".join(parts)),
)


@pytest.mark.parametrize("user", [settings_for(), password_user(authent_qop="auth")], ids=["sim", "password"])
def test_any_authorization_is_a_result_or_a_reject(user: UserSettings) -> None:
    server = Server(user)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(HEADER_TEXT, st.booleans())
    def anything(text: str, genuine: bool) -> None:
        if genuine:
            nonce = read_challenge(server.challenge(None)).nonce
            text = text.replace("AAAA", nonce, 1)
        result = server.run(text)
        assert isinstance(result, Reject)
        assert result.status in (400, 401, 403)
        assert result.why.isprintable() and result.why.endswith((".", ")"))

    anything()
