"""IPsec's part in a REGISTER: the rules; whole registrations are in `scenario.test_ipsec*`."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.ipsec.agreement import State
from libreims.net.port import Flow
from libreims.proto.aka.vector import AkaVector
from libreims.proto.sip.digest import aka_nonce
from libreims.proto.sip.message import Request
from libreims.registrar.authentication import Challenged
from libreims.registrar.schemes import AuthenticationProfile
from libreims.registrar.security import Attempt, Security
from support.agreement_rig import ALICE, SERVER, AgreementRig
from support.registrar_rig import finish

OUTSIDE = Flow("UDP", (SERVER, 5060), ("10.0.1.1", 5060))
CLIENT = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=5000;spi-s=5001;port-c=6101;port-s=6000"
VECTOR = AkaVector(bytes(16), bytes(range(16)), b"x" * 8, bytes(range(16)), b"i" * 16)
NONCE = aka_nonce(VECTOR.rand, VECTOR.autn)


def request(*, authorization: str = "", **fields: str) -> Request:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if authorization:
        headers.append(("Authorization", f'Digest username="{ALICE}",realm="d",uri="sip:d",{authorization}'))
    return Request.build("REGISTER", "sip:ims.test", [("To", "<sip:alice@ims.test>"), *headers])


class Lab:
    """The rules with agreements behind them."""

    def __init__(self, config: str = "", *, tunnel: bool = True) -> None:
        self.rig = AgreementRig()
        store = ConfigStore(loads(f'domain: "ims.test", {config}').settings)
        self.security = Security(store, self.rig.log.layer("ipsec"))
        if tunnel:
            self.security.begin(self.rig.agreements)

    def check(self, message: Request, flow: Flow = OUTSIDE, impi: str = ALICE, **how: bool) -> Attempt:
        return self.security.check(message, flow, impi, authenticated=how.get("authenticated", True))

    def refused(self, message: Request, flow: Flow = OUTSIDE, impi: str = ALICE) -> Reject:
        with pytest.raises(Reject) as caught:
            self.check(message, flow, impi)
        return caught.value

    def challenge(self, attempt: Attempt, vector: AkaVector | None = VECTOR) -> Reject:
        challenged = Challenged(AuthenticationProfile(ALICE, "d"), "Digest ...", "challenged", vector)
        return finish(self.security.challenge(challenged, attempt))

    def offered(self) -> Flow:
        """Where the phone would come back through what it has been offered."""
        message = request(Security_Client=CLIENT, Require="sec-agree")
        assert self.challenge(self.check(message)).status == 401
        (agreement,) = self.rig.agreements
        return self.rig.flow(agreement)

    @property
    def said(self) -> str:
        return next(iter(self.rig.agreements)).said


def test_a_challenge_carries_the_agreement() -> None:
    lab = Lab()
    attempt = lab.check(request(Security_Client=CLIENT, Require="sec-agree"))
    assert attempt.required and attempt.fresh and attempt.client == (CLIENT,)
    challenge = lab.challenge(attempt)
    assert challenge.headers == (("WWW-Authenticate", "Digest ..."), ("Security-Server", lab.said))
    (agreement,) = lab.rig.agreements
    assert (agreement.nonce, agreement.offered, agreement.emergency) == (NONCE, (CLIENT,), False)


def test_an_emergency_registration_is_told_by_its_contact() -> None:
    lab = Lab()
    lab.challenge(lab.check(request(Security_Client=CLIENT, Contact="<sip:alice@10.0.1.1:6000;sos>")))
    assert next(iter(lab.rig.agreements)).emergency


def test_a_soft_phone_is_left_alone() -> None:
    lab = Lab()
    attempt = lab.check(request(Supported="path"))
    assert (attempt.required, attempt.client, attempt.fresh) == (False, (), False)
    assert lab.challenge(attempt).headers == (("WWW-Authenticate", "Digest ..."),)
    lab.security.accept(attempt, "MD5")
    lab.rig.nothing_left()


@pytest.mark.parametrize(
    ("config", "tunnel", "words"),
    [
        ("", False, "which does not work here: it was started without a tunnel; set 'ipsec: false'"),
        ("", True, ""),
        ("ipsec: false", True, ""),
    ],
)
def test_where_there_is_no_ipsec(config: str, tunnel: bool, words: str) -> None:
    lab = Lab(config, tunnel=tunnel)
    message = request(Require="sec-agree", Security_Client=CLIENT)
    if words:
        refusal = lab.refused(message)
        assert (refusal.status, refusal.headers) == (420, (("Unsupported", "sec-agree"),))
        assert words in refusal.why
        assert not lab.check(request(Security_Client=CLIENT)).client
    else:
        assert bool(lab.check(message).client) is (config == "")
    assert lab.security.protects(OUTSIDE) is False


def test_the_reason_is_the_one_that_was_found_at_the_start() -> None:
    lab = Lab(tunnel=False)
    lab.security.without("CAP_NET_RAW is missing")
    assert "does not work here: CAP_NET_RAW is missing; set" in lab.refused(request(Require="sec-agree")).why


def test_without_authentication_nobody_is_asked_for_ipsec() -> None:
    lab = Lab()
    attempt = lab.check(request(Require="sec-agree", Security_Client=CLIENT), authenticated=False)
    assert not attempt.client and not attempt.fresh
    lab.security.accept(attempt, "none")
    assert "without authentication there are no keys" in lab.rig.text


@pytest.mark.parametrize(("scheme", "status"), [("MD5", 420), ("AKAv1", 494)])
def test_who_requires_ipsec_does_not_get_in_without(scheme: str, status: int) -> None:
    lab = Lab()
    attempt = lab.check(request(Require="sec-agree", Security_Client=CLIENT))
    with pytest.raises(Reject) as caught:
        lab.security.accept(attempt, scheme)
    assert caught.value.status == status


def test_a_password_has_no_keys() -> None:
    lab = Lab()
    required = lab.check(request(Require="sec-agree", Security_Client=CLIENT))
    assert lab.challenge(required, None).status == 420
    assert lab.challenge(lab.check(request(Security_Client=CLIENT)), None).status == 401


@pytest.mark.parametrize("authorization", ['nonce="x",response="y"', 'nonce="",response=""', ""])
def test_other_challenges_are_not_its_affair(authorization: str) -> None:
    lab = Lab()
    lab.offered()
    lab.check(request(authorization=authorization, Security_Client=CLIENT))
    assert lab.rig.states == [State.OFFERED]


def test_the_answer_outside() -> None:
    lab = Lab()
    lab.offered()
    refusal = lab.refused(request(authorization=f'nonce="{NONCE}",response="y"', Security_Client=CLIENT))
    assert refusal.status == 494 and refusal.headers == (("Security-Server", lab.said),)
    assert "ESP (IP protocol 50) does not get through" in refusal.why


@pytest.mark.parametrize("end", ['response=""', 'response="y",auts="AAAAAAAAAAAAAAAAAAA="'])
def test_a_sim_that_has_refused_the_challenge(end: str) -> None:
    lab = Lab()
    lab.offered()
    lab.check(request(authorization=f'nonce="{NONCE}",{end}', Security_Client=CLIENT))
    lab.rig.nothing_left()


def test_who_refuses_the_challenge_of_another_one() -> None:
    """Anyone can see a nonce: it means nothing with another IMPI, what comes through an offer is answered."""
    lab = Lab()
    flow = lab.offered()
    empty = request(authorization=f'nonce="{NONCE}",response=""', Security_Client=CLIENT)
    lab.check(empty, impi="bob@ims.test")
    other = request(authorization=f'nonce="{NONCE}",response="y"', Security_Client=CLIENT)
    assert lab.check(other, impi="bob@ims.test").fresh
    refusal = lab.refused(empty, flow)
    assert refusal.status == 494 and "does not answer the challenge" in refusal.why
    assert lab.rig.states == [State.OFFERED]


def test_the_answer_through_the_agreement() -> None:
    lab = Lab()
    flow = lab.offered()
    answer = f'nonce="{NONCE}",response="y"'
    good = {"Security_Client": CLIENT.replace(";", " ; "), "Security_Verify": lab.said}
    assert lab.security.protects(flow)
    assert lab.check(request(authorization=answer, **good), flow).fresh
    for wrong in (
        request(authorization='nonce="x",response="y"', **good),
        request(**good),
        request(authorization=answer, Security_Client=CLIENT),
        request(authorization=answer, Security_Verify=lab.said),
        request(authorization=answer, **good | {"Security_Client": CLIENT.replace("sha-1", "md5")}),
        request(authorization=answer, **good | {"Security_Verify": lab.said.replace("aes-cbc", "null")}),
    ):
        refusal = lab.refused(wrong, flow)
        assert (refusal.status, refusal.headers) == (494, (("Security-Server", lab.said),))
    assert lab.refused(request(authorization=answer, **good), flow, "bob@ims.test").status == 403


def test_nothing_in_common_inside_goes_on_with_what_there_is() -> None:
    lab = Lab()
    flow = lab.offered()
    lab.rig.register(next(iter(lab.rig.agreements)))
    attempt = lab.check(request(Require="sec-agree", Security_Client=CLIENT.replace("sha-1", "md5")), flow)
    challenge = lab.challenge(attempt)
    assert challenge.status == 401 and len(challenge.headers) == 1
    assert "it stays with the agreement that it has" in lab.rig.text
    lab.security.accept(attempt, "AKAv1")
    lab.security.registered(flow)
    assert lab.rig.states == [State.AGREED]
