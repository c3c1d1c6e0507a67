"""What a phone answers to a challenge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libreims.base.tokens import Tokens
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.vector import generate, open_auts
from libreims.proto.sip import digest
from libreims.proto.sip.message import Request, Response
from libreims.ue.config import PhoneConfig, SimCard
from libreims.ue.credentials import CannotAuthenticate, Keyring, Kind

K, OPC = bytes(range(16)), bytes(range(16, 32))
SIM = SimCard("milenage", K, opc=OPC)
CONFIG = PhoneConfig(
    impi="user@ims.test",
    impu="sip:user@ims.test",
    server=("127.0.0.1", 5060),
    sim=SIM,
    password="secret",
    scheme="AKAv1-MD5",
)
REQUEST = Request.build(
    "REGISTER",
    "sip:ims.test",
    [
        ("Via", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1"),
        ("From", "<sip:user@ims.test>;tag=1"),
        ("To", "<sip:user@ims.test>"),
        ("Call-ID", "c"),
        ("CSeq", "1 REGISTER"),
    ],
)


def challenged(*challenges: digest.Challenge, status: int = 401) -> Response:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    return Response.to_request(REQUEST, status, headers=[(name, str(each)) for each in challenges])


def aka(algorithm: str, sqn: int, *, k: bytes = K, qop: tuple[str, ...] = ("auth",)) -> digest.Challenge:
    vector = generate(sim_algorithm("milenage", k, opc=OPC), bytes(16), sqn, 0x8000)
    return digest.Challenge(
        "ims.test", digest.aka_nonce(vector.rand, vector.autn), algorithm=algorithm, qop=qop
    )


def keyring(config: PhoneConfig = CONFIG) -> Keyring:
    return Keyring(config, Tokens(1))


def test_the_first_register_names_the_private_identity_and_has_an_empty_response() -> None:
    [(name, value)] = keyring().unchallenged("sip:ims.test")
    assert name == "Authorization"
    assert 'username="user@ims.test"' in value
    assert 'nonce=""' in value and 'response=""' in value
    assert digest.Credentials.parse(value).algorithm == "AKAv1-MD5"


def test_a_soft_phone_offers_nothing_first() -> None:
    assert keyring(replace(CONFIG, scheme=None)).unchallenged("sip:ims.test") == []


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",), ("auth", "auth-int")])
def test_a_good_challenge_is_answered_with_what_the_sim_gives(algorithm: str, qop: tuple[str, ...]) -> None:
    challenge = aka(algorithm, 32, qop=qop)
    reply = keyring().answer(challenged(challenge), REQUEST)
    assert reply.kind is Kind.RESPONSE
    credentials = digest.Credentials.parse(reply.header[1])
    vector = generate(sim_algorithm("milenage", K, opc=OPC), bytes(16), 32, 0x8000)
    password = vector.xres
    if algorithm != "AKAv1-MD5":
        password = digest.akav2_password(algorithm, vector.xres, vector.ik, vector.ck)
    assert credentials.response == credentials.expected("REGISTER", b"", password=password)
    assert credentials.qop == (qop[0] if qop else "")


def test_a_sequence_number_that_was_seen_gives_auts_with_the_highest_one_accepted() -> None:
    ring = keyring()
    ring.answer(challenged(aka("AKAv1-MD5", 64)), REQUEST)
    reply = ring.answer(challenged(aka("AKAv1-MD5", 64)), REQUEST)
    assert reply.kind is Kind.RESYNCHRONISE
    credentials = digest.Credentials.parse(reply.header[1])
    assert credentials.auts is not None
    assert open_auts(sim_algorithm("milenage", K, opc=OPC), bytes(16), credentials.auts) == 64
    assert credentials.response == credentials.expected("REGISTER", password=b"")


def test_a_network_with_another_key_gets_an_empty_response() -> None:
    reply = keyring().answer(challenged(aka("AKAv1-MD5", 32, k=bytes(16))), REQUEST)
    assert reply.kind is Kind.MAC_FAILURE
    credentials = digest.Credentials.parse(reply.header[1])
    assert (credentials.response, credentials.auts) == ("", None)


def test_a_password_answers_md5_and_counts_the_uses_of_a_nonce() -> None:
    ring = keyring()
    challenge = digest.Challenge("ims.test", "n", algorithm="MD5", qop=("auth",))
    reply = ring.answer(challenged(challenge, status=407), REQUEST)
    assert reply.header[0] == "Proxy-Authorization"
    assert ring.again("INVITE", "tel:1") == []
    [(name, second)] = ring.again("REGISTER", "sip:ims.test")
    credentials = digest.Credentials.parse(second)
    assert name == "Proxy-Authorization"
    assert credentials.nc == "00000002"
    assert credentials.response == credentials.expected("REGISTER", password=b"secret")


def test_the_first_challenge_that_it_can_answer_is_taken() -> None:
    ring = keyring(replace(CONFIG, sim=None, scheme=None))
    challenges = (
        aka("AKAv1-MD5", 32),
        digest.Challenge("ims.test", "n", algorithm="SHA-999"),
        digest.Challenge("ims.test", "n", algorithm="SHA-256"),
        digest.Challenge("ims.test", "n", algorithm="MD5"),
    )
    assert ring.answer(challenged(*challenges), REQUEST).algorithm == "SHA-256"


def test_without_a_key_it_says_what_was_asked_for() -> None:
    ring = keyring(replace(CONFIG, sim=None, scheme=None, password=None))
    with pytest.raises(CannotAuthenticate, match="asks for AKAv1-MD5; this phone has neither"):
        ring.answer(challenged(aka("AKAv1-MD5", 32)), REQUEST)
    with pytest.raises(CannotAuthenticate, match="nothing that can be read"):
        ring.answer(challenged(), REQUEST)
