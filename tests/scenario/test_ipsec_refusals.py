"""What is refused for the sake of IPsec, and the line of the log that says which rule it broke.

RFC 3329 §2.3.1, TS 24.229 §5.2.2 and §5.2.6, TS 33.203 §7.3.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libreims.ipsec.agreement import State
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.usim import Usim
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Response
from libreims.proto.sip.security_agreement import mechanisms
from scenario.test_ipsec import left, registered, states
from support.lab import CONFIG, DOMAIN, Lab, Peer, play
from support.secure_phone import PAIRS, SECURE, K, SecurePhone, secure_phone

LISTS = SECURE + '\nipsec_aalg_list: ["hmac-md5-96", "hmac-sha-1-96"], ipsec_ealg_list: ["null", "aes-cbc"],'
MD5 = CONFIG.replace('authent_type: "none"', 'authent_type: "MD5", pwd: "secret"').replace(
    'K: "00112233445566778899aabbccddeeff", ', ""
)


async def offered(lab: Lab, **fields: Any) -> tuple[SecurePhone, str]:
    """A phone that has taken up an offer and not answered yet; its Authorization."""
    alice = await secure_phone(lab, "alice")
    challenge = await alice.ask(**fields)
    assert challenge.status == 401
    return alice, await alice.enter(challenge)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Security_Verify": None}, "without Security-Verify"),
        ({"Security_Client": None}, "without Security-Client"),
        ({"Security_Verify": "tls"}, "Security-Verify is not what Security-Server said"),
        ({"Security_Verify": "ipsec-3gpp;alg=null"}, "is not what Security-Server said"),
    ],
)
def test_the_second_register_has_to_repeat_what_was_said(fields: dict[str, Any], words: str) -> None:
    """494 with Security-Server, nobody is registered; done right, the same challenge still registers."""

    async def scenario(lab: Lab) -> None:
        alice, authorization = await offered(lab)
        answer = await alice.confirm(authorization, **fields).final()
        assert answer.status == 494
        assert answer.get("Security-Server") == alice.server_says
        assert words in lab.log_text()
        assert not list(lab.server.bindings)
        assert (await alice.confirm(authorization).final()).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_somebody_who_takes_algorithms_out_of_the_first_register_is_found_out() -> None:
    """The phone repeats in IPsec what it had offered in clear (RFC 3329 §2.4, bidding down)."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        whole = alice.propose()
        weak = whole.split(", ")[1]
        challenge = await alice.ask(Security_Client=weak)
        assert "alg=hmac-md5-96;ealg=null" in (challenge.get("Security-Server") or "")
        authorization = await alice.enter(challenge)
        answer = await alice.confirm(authorization, Security_Client=whole).final()
        assert answer.status == 494
        assert "Security-Client is not what it was in the REGISTER that was challenged" in lab.log_text()
        await asyncio.sleep(245)
        alice.forget()

    play(scenario, SECURE)


def test_the_answer_to_a_challenge_with_an_agreement_must_come_through_it() -> None:
    """Outside of IPsec it is refused and costs nothing: through IPsec the same answer registers."""

    async def scenario(lab: Lab) -> None:
        alice, authorization = await offered(lab)
        inside, alice.ports = alice.ports, None
        for fields in ({}, {"Security_Verify": None, "Security_Client": None, "Require": None}):
            answer = await alice.confirm(authorization, **fields).final()
            assert (answer.status, answer.get("Security-Server")) == (494, alice.server_says)
        assert "outside of the security agreement" in lab.log_text()
        assert not list(lab.server.bindings)
        alice.ports = inside
        assert (await alice.confirm(authorization).final()).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_the_new_agreement_is_not_taken_up_through_the_old_one() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        old = alice.way
        challenge = await alice.ask()
        authorization = await alice.enter(challenge)
        new = alice.way
        assert alice.ports is not None and old is not None and new is not None
        alice.ports.use(old)
        answer = await alice.confirm(authorization).final()
        assert answer.status == 494
        assert "through the agreement before it" in lab.log_text()
        assert states(lab) == [State.AGREED, State.OFFERED]
        alice.ports.use(new)
        assert (await alice.confirm(authorization).final()).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_a_register_that_comes_again_changes_nothing() -> None:
    """The same octets get the same 200; the same credentials in another request are used up."""

    async def scenario(lab: Lab) -> None:
        alice, authorization = await offered(lab)
        request = alice.request(
            authorization,
            Security_Client=", ".join(str(each).replace("q=0.1;", "") for each in alice.offer),
            Security_Verify=alice.server_says,
        )
        outcome = alice.send_request(request)
        assert (await outcome.final()).status == 200
        octets = request.encode()
        for _ in range(5):
            alice.transport.send(octets, alice.flow)
        await asyncio.sleep(1)
        assert len(lab.server.bindings) == 1 and states(lab) == [State.AGREED]
        request.remove("Via")
        assert (await alice.send_request(request).final()).status == 482
        other = alice.request(alice.sim.first(DOMAIN).replace('nonce=""', 'nonce="bm90IG91cnM="'))
        assert (await alice.send_request(other).final()).status == 401
        assert len(lab.server.bindings) == 1 and states(lab) == [State.AGREED]
        await left(alice)

    play(scenario, SECURE)


def test_other_requests_wait_for_the_registration() -> None:
    async def scenario(lab: Lab) -> None:
        alice, authorization = await offered(lab)
        answer = await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp()).final()
        assert answer.status == 403
        assert "a security agreement that is only offered" in lab.log_text()
        assert (await alice.confirm(authorization).final()).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_one_sim_through_the_agreement_of_another_one() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        alice.sim.username = f"bob@{DOMAIN}"
        alice.name = "bob"
        answer = await alice.refresh()
        assert answer.status == 403
        assert f"came through the security agreement of alice@{DOMAIN}" in lab.log_text()
        alice.sim.username, alice.name = f"alice@{DOMAIN}", "alice"
        await left(alice)

    play(scenario, SECURE)


def test_who_registered_through_ipsec_does_nothing_outside() -> None:
    """Not from the phone's own address either, which anyone can write into a datagram."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        inside, alice.ports = alice.ports, None
        invite = await alice.send("INVITE", "tel:666", body=alice.sdp()).final()
        assert invite.status == 403
        subscribe = alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", (("Event", "reg"),))
        assert (await subscribe.final()).status == 403
        gone = await alice.send_request(
            alice.request(
                alice.sim.first(DOMAIN), Expires="0", Require=None, Proxy_Require=None, Security_Client=None
            )
        ).final()
        assert gone.status == 401, "a removal from outside needs credentials"
        text = lab.log_text()
        assert f"alice@{DOMAIN} is registered through IPsec, and this came outside of it" in text
        assert "did not come through the same phone's IPsec" in text
        assert len(lab.server.bindings) == 1
        alice.ports = inside
        await left(alice)

    play(scenario, SECURE)


@pytest.mark.parametrize("contact", ["*", "the phone's"])
def test_an_impu_without_authentication_is_no_way_to_what_ipsec_protects(contact: str) -> None:
    """`authentication: false` lets anybody register as that IMPU, and take away what came so; no more."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        protected = next(iter(lab.server.bindings))
        stranger = Peer(lab, "open", "10.0.9.9")
        await stranger.start()
        to, of_alice = f"<sip:open@{DOMAIN}>", "*" if contact == "*" else f"<{protected.contact}>"
        for fields in (
            {"Contact": of_alice, "Expires": "0"},
            {"Contact": f"<{stranger.uri}>", "Expires": "60"},
            {"Contact": "*", "Expires": "0"},
        ):
            outcome = stranger.send("REGISTER", f"sip:{DOMAIN}", tuple(fields.items()), to=to)
            assert (await outcome.final()).status == 200
            assert protected in lab.server.bindings
        assert list(lab.server.bindings) == [protected]
        await left(alice)

    open_impu = 'impu: ["sip:alice", {impu: "sip:open", authentication: false},'
    play(scenario, SECURE.replace('impu: ["sip:alice",', open_impu))


def test_security_verify_in_later_requests() -> None:
    """Looked at where it is there (TS 24.229 §5.2.6.3), missed by nobody where it is not: ESP is there."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        for said, status in ((alice.server_says, 200), (alice.server_says + ";x=1", 494), ("", 200)):
            headers = [("Security-Verify", said)] if said else []
            headers += [("Require", "sec-agree"), ("Proxy-Require", "sec-agree")]
            answer = await alice.send("OPTIONS", f"sip:{DOMAIN}", headers).final()
            assert answer.status == status
        assert (await alice.refresh(Security_Verify="tls")).status == 494
        await left(alice)

    play(scenario, SECURE)


def test_security_verify_of_an_agreement_that_is_over_or_came_to_nothing() -> None:
    """A phone that goes on with what the server said earlier: that is no change of the messages."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        first = alice.server_says
        (lost,) = (await alice.ask()).get_all("Security-Server")
        await asyncio.sleep(250)
        assert states(lab) == [State.AGREED]
        assert (await alice.secure()).status == 200
        await asyncio.sleep(1)
        for said, status in ((first, 200), (lost, 200), (f"{first}, {lost}", 494)):
            answer = await alice.send("OPTIONS", f"sip:{DOMAIN}", (("Security-Verify", said),)).final()
            assert answer.status == status
        await asyncio.sleep(40)
        assert states(lab) == [State.AGREED]
        assert (await alice.refresh(Security_Verify=first)).status == 200
        await left(alice)

    play(scenario, SECURE)


@pytest.mark.parametrize(
    ("config", "pairs", "chosen"),
    [
        (LISTS, PAIRS, "hmac-md5-96/null"),
        (LISTS, (("hmac-sha-1-96", "aes-cbc"), ("hmac-sha-1-96", "null")), "hmac-sha-1-96/null"),
        (SECURE, (*PAIRS[::-1], ("rot13", "aes-cbc")), "hmac-sha-1-96/aes-cbc"),
        (SECURE, (("null", "aes-gcm"), ("hmac-md5-96", "null")), "hmac-md5-96/null"),
        (SECURE, (("null", "aes-gcm"), ("null", "aes-cbc")), "null/aes-gcm"),
        (SECURE, (("aes-gmac", "null"), ("null", "null")), "aes-gmac/null"),
    ],
)
def test_the_server_chooses_in_its_own_order(config: str, pairs: Any, chosen: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        challenge = await alice.ask(Security_Client=alice.propose(pairs))
        (said,) = mechanisms(challenge.get_all("Security-Server"))
        found = said.ipsec()
        assert found is not None and f"{found.alg}/{found.ealg}" == chosen
        assert (await alice.confirm(await alice.enter(challenge)).final()).status == 200
        await left(alice)

    play(scenario, config)


def test_nothing_in_common() -> None:
    """494 with what the server can do for who insists on IPsec; the others register without."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        offer = alice.propose((("rot13", "aes-cbc"), ("hmac-sha-1-160", "aes-ctr")))
        answer = await alice.ask(Security_Client=offer)
        assert answer.status == 494
        assert "alg=hmac-md5-96;ealg=aes-cbc" in (answer.get("Security-Server") or "")
        assert (
            "offers rot13/aes-cbc, hmac-sha-1-160/aes-ctr for IPsec, the server hmac-md5-96, hmac-sha-1-96 "
            "with null, aes-cbc: nothing in common"
        ) in lab.log_text()
        without = await alice.ask(Security_Client=offer, Require=None, Proxy_Require=None)
        assert (without.status, without.get("Security-Server")) == (401, None)
        assert "it may register without" in lab.log_text()
        assert states(lab) == []
        final = await alice.send_request(
            alice.request(alice.answer(without), Require=None, Proxy_Require=None)
        ).final()
        assert final.status == 200
        assert not next(iter(lab.server.bindings)).protected

    play(scenario, LISTS, settle=3700.0)


def test_a_security_client_of_absurd_length() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice", "TCP")
        assert (await alice.ask(Security_Client=", ".join([alice.propose()] * 60))).status == 400
        assert "octets of Security-Client: no phone has so many" in lab.log_text()
        assert (await alice.secure(Security_Client=", ".join([alice.propose()] * 20))).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_require_without_a_word_about_algorithms() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        answer = await alice.ask(Security_Client=None)
        assert answer.status == 494
        assert "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc" in (answer.get("Security-Server") or "")
        assert "requires IPsec (sec-agree) without naming algorithms" in lab.log_text()

    play(scenario, SECURE)


def test_lists_with_null_only_do_not_switch_ipsec_off() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        answer = await alice.ask()
        assert (answer.status, answer.get("Unsupported")) == (420, "sec-agree")
        assert "'ipsec: false' is the switch" in lab.log_text()

    play(scenario, SECURE + 'ipsec_aalg_list: ["null"], ipsec_ealg_list: ["null"],')


def test_a_password_has_no_keys_for_ipsec() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        answer = await alice.ask()
        assert (answer.status, answer.get("Unsupported")) == (420, "sec-agree")
        assert "only AKA has keys" in lab.log_text()
        soft = await alice.ask(Require=None, Proxy_Require=None)
        assert (soft.status, soft.get("Security-Server")) == (401, None)

    play(scenario, MD5)


def test_without_a_tunnel_only_who_insists_is_refused() -> None:
    async def scenario(lab: Lab) -> None:
        assert (
            "IPsec between phones and server (soft phones need none): CAP_NET_RAW is missing"
            in lab.log_text()
        )
        alice = await secure_phone(lab, "alice")
        answer = await alice.ask()
        assert (answer.status, answer.get("Unsupported")) == (420, "sec-agree")
        assert "which does not work here: CAP_NET_RAW is missing; set 'ipsec: false'" in lab.log_text()
        without = await alice.ask(Require=None, Proxy_Require=None)
        assert (without.status, without.get("Security-Server")) == (401, None)

    play(scenario, SECURE, no_tunnel="CAP_NET_RAW is missing")


def test_ipsec_false_lets_phones_register_that_insist_on_it() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        challenge = await alice.ask()
        assert (challenge.status, challenge.get("Security-Server")) == (401, None)
        assert (await alice.confirm(alice.answer(challenge)).final()).status == 200

    play(scenario, SECURE + "ipsec: false,", settle=3700.0)


def test_a_sim_that_refuses_the_challenge_comes_back_in_clear() -> None:
    """TS 24.229 §5.1.1.5.3: there are no keys for an agreement; AUTS leads to a new challenge and offer."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        alice.sim.card = Usim(sim_algorithm("xor", K), 1 << 30)
        challenge = await alice.ask()
        again = await alice.send_request(
            alice.request(alice.answer(challenge), Security_Client=alice.propose())
        ).final()
        assert again.status == 401
        assert states(lab) == [State.OFFERED], "the first offer is void"
        assert (await alice.confirm(await alice.enter(again)).final()).status == 200
        await left(alice)

    play(scenario, SECURE)


def test_a_wrong_key_is_told_as_without_ipsec() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        alice.sim.card = Usim(sim_algorithm("xor", bytes(16)), 0)
        challenge = await alice.ask()
        answer = await alice.send_request(alice.request(alice.answer(challenge))).final()
        assert answer.status in (401, 403)
        assert "The SIM of alice@ims.test says that the MAC of the challenge is wrong" in lab.log_text()
        await asyncio.sleep(245)

    play(scenario, SECURE)


def test_what_only_looks_like_the_phone_is_dropped() -> None:
    """Responses, ACK and CANCEL of others do not touch what happens inside IPsec."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        thief = Peer(lab, "thief", alice.host)
        await thief.start(5099)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        ringing = await bob.expect("INVITE")
        bob.respond(ringing, 180)
        assert call.transaction is not None
        await call.response(180)
        cancel = call.transaction.request.encode().replace(b"INVITE", b"CANCEL")
        thief.transport.send(cancel, Flow("UDP", thief.address, thief.server))
        forged = Response.to_request(ringing.request, 603, tag="thief")
        thief.transport.send(forged.encode(), Flow("UDP", thief.address, thief.server))
        await asyncio.sleep(1)
        assert 603 not in call.statuses and 487 not in call.statuses
        bob.respond(ringing, 200, bob.sdp())
        dialog = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        bye = dialog.new_request("BYE")
        inside, alice.ports = alice.ports, None
        assert (await alice.send_request(bye).final()).status == 403
        alice.ports = inside
        assert lab.server.calls.sessions
        assert (await alice.in_dialog(dialog, "BYE").final()).status == 200
        bob.respond(await bob.expect("BYE"), 200)
        text = lab.log_text()
        for name in ("CANCEL", "603", "BYE"):
            assert any(name in line and "same phone's IPsec" in line for line in text.splitlines()), name
        await left(alice, bob)

    play(scenario, SECURE)


def test_an_address_of_ours_without_ipsec() -> None:
    """One behind a NAT has none, the others do: who insists on it there is told why, who does not goes on."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await secure_phone(lab, "alice"), await secure_phone(lab, "bob", ipv6=True)
        refused = await bob.ask()
        assert (refused.status, refused.get("Unsupported")) == (420, "sec-agree")
        assert "requires IPsec (sec-agree), which 2001:db8::1 does not have" in lab.log_text()
        without = await bob.ask(Require=None, Proxy_Require=None)
        assert (without.status, without.get("Security-Server")) == (401, None)
        assert (await alice.secure()).status == 200
        await left(alice)

    play(scenario, SECURE, ipsec_hosts=("10.0.0.1",))
