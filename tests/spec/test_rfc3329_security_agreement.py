"""RFC 3329, security agreements of SIP, with the mechanism of TS 33.203 Annex H: sentence by sentence."""

from __future__ import annotations

import pytest

from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.security_agreement import mechanisms, same
from scenario.test_ipsec import left, registered
from support.lab import DOMAIN, Lab, play
from support.secure_phone import SECURE, secure_phone

OURS = "ipsec-3gpp;q=0.1;prot=esp;mod=trans;spi-c=7;spi-s=8;port-c=9;port-s=10;alg=hmac-sha-1-96;ealg=aes-cbc"


def message(*lines: str) -> Request:
    head = (
        "OPTIONS sip:proxy.example.com SIP/2.0",
        "Via: SIP/2.0/UDP a;branch=z9hG4bK1",
        "From: <sip:a@b>;tag=1",
        "To: <sip:a@b>",
        "Call-ID: 1",
        "CSeq: 1 OPTIONS",
        *lines,
    )
    parsed = parse(("\r\n".join(head) + "\r\n\r\n").encode())
    assert isinstance(parsed, Request)
    return parsed


class TestSyntax:
    """§2.2."""

    def test_the_examples_of_section_3(self) -> None:
        request = message("Security-Client: tls", "Security-Client: ipsec-ike", "Security-Verify: tls;q=0.2")
        assert [each.name for each in mechanisms(request.get_all("Security-Client"))] == ["tls", "ipsec-ike"]
        assert mechanisms(request.get_all("Security-Verify"))[0].params == (("q", "0.2"),)

    def test_digest_verification_parameters_are_quoted(self) -> None:
        """d-ver = LDQUOT 32LHEX RDQUOT: a quoted value may hold anything."""
        (digest,) = mechanisms(['digest;d-alg=md5;d-qop=auth;d-ver="0000000000000000000000000000abcd,;"'])
        assert dict(digest.params)["d-ver"] == "0000000000000000000000000000abcd,;"

    def test_header_fields_may_be_split_and_combined(self) -> None:
        """ "The headers ... can be used to negotiate ... lists": RFC 3261 §7.3.1 holds for them."""
        lines = [OURS, "tls;q=0.2"]
        split = message(*(f"Security-Server: {line}" for line in lines))
        joined = message(f"security-server: {', '.join(lines)}")
        assert mechanisms(split.get_all("Security-Server")) == mechanisms(joined.get_all("Security-Server"))

    def test_unknown_parameters_are_extensions(self) -> None:
        (known,) = mechanisms([OURS + ";new=1"])
        assert known.ipsec() is not None


class TestVerification:
    """§2.3.1: "the server MUST check ... that the list is the same that it sent"."""

    def test_same_list(self) -> None:
        assert same([OURS, "tls;q=0.2"], ["TLS ; q=.20", OURS.replace(";", " ;").upper()])

    @pytest.mark.parametrize(
        "changed", [OURS.replace("aes-cbc", "null"), OURS.replace("q=0.1", "q=0.3"), "tls"]
    )
    def test_changed_list(self, changed: str) -> None:
        assert not same([OURS], [changed])

    def test_shortened_and_longer_list(self) -> None:
        """§5: removing the strong ones or adding weak ones is the attack."""
        assert not same([OURS, "tls;q=0.2"], [OURS])
        assert not same([OURS], [OURS, "tls;q=0.2"])


class TestServer:
    """What the server answers."""

    def test_494_has_security_server(self) -> None:
        """§2.3.1: the 494 "MUST include ... Security-Server"."""

        async def scenario(lab: Lab) -> None:
            alice = await secure_phone(lab, "alice")
            challenge = await alice.ask()
            authorization = await alice.enter(challenge)
            answer: Response = await alice.confirm(authorization, Security_Verify="tls;q=0.2").final()
            assert (answer.status, answer.reason) == (494, "Security Agreement Required")
            assert same(answer.get_all("Security-Server"), challenge.get_all("Security-Server"))
            assert (await alice.confirm(authorization).final()).status == 200
            await left(alice)

        play(scenario, SECURE)

    def test_who_does_not_support_it_is_served_without(self) -> None:
        """A server need not insist: 421 is for those that do."""

        async def scenario(lab: Lab) -> None:
            bob = await secure_phone(lab, "bob")
            answer = await bob.ask(Require=None, Proxy_Require=None, Security_Client=None)
            assert answer.status == 401 and answer.get("Security-Server") is None

        play(scenario, SECURE)

    def test_all_requests_to_come_carry_security_verify(self) -> None:
        """ "The Security-Verify ... in all the following messages": looked at in each that has it."""

        async def scenario(lab: Lab) -> None:
            alice = await registered(lab)
            for method in ("OPTIONS", "SUBSCRIBE", "INVITE"):
                wrong = alice.send(method, f"sip:{DOMAIN}", (("Security-Verify", "tls"), ("Event", "reg")))
                assert (await wrong.final()).status == 494
            await left(alice)

        play(scenario, SECURE)
