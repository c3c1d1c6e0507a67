"""Simulated phones with IPsec and the whole server on virtual time (TS 33.203 §7, TS 24.229 §5.1.1)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.ipsec.agreement import State
from libreims.net.protected_pool import PortPool
from libreims.proto.sip.message import Request, Response
from libreims.ue.incoming import ANSWER, AnswerMode
from libreims.ue.load import LoadRun
from libreims.ue.phone import Phone
from libreims.ue.recorder import SipRecord
from libreims.ue.registration import RegistrationError
from libreims.ue.script import parse_steps
from libreims.ue.security import Ipsec
from scenario.test_phones import CONFIG, DAY, phone, switched_on, talk
from support.lab import Lab, Peer, play
from support.phones import MILENAGE, K
from support.protected import SimulatedTunnel

SHA_AES = (("hmac-sha-1-96", "aes-cbc"),)
GCM = (("null", "aes-gcm"),)
LINGER = 32.0
"""64*T1 of phone and server."""
EACH_TIME = re.sub(r'impu: \["(sip:[0-9]+)"', r'impu: [{impu: "\1", reauthenticate: true}', CONFIG)


def states(lab: Lab) -> list[State]:
    assert lab.server.agreements is not None
    return [each.state for each in lab.server.agreements]


def unprotected(one: Phone) -> list[str]:
    """What the phone sent and got in clear, each kind once."""
    records = [each for each in one.recorder.entries if isinstance(each, SipRecord) and not each.protection]
    found = []
    for each in records:
        message = each.message()
        assert message is not None
        found.append(message.method if isinstance(message, Request) else str(message.status))
    return list(dict.fromkeys(found))


def last(one: Phone, method: str) -> Request:
    """The last request with this method that the phone sent."""
    sent = one.recorder.messages(sent=True)
    return next(each for each in reversed(sent) if isinstance(each, Request) and each.method == method)


async def leave(*phones: Phone) -> None:
    for one in phones:
        await one.deregister()
    await asyncio.sleep(LINGER + 2)
    for one in phones:
        one.close()


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_register_subscribe_call_text_and_leave(transport: str, ipv6: bool) -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, transport=transport, ipv6=ipv6, subscribe=True)
        b = await phone(lab, 2, ipsec=GCM)
        assert states(lab) == [State.AGREED, State.AGREED]
        assert len(list(lab.inside.associations)) == 16
        await talk(a, b, "1002")
        await talk(b, a, "1001")
        await a.sms.send("tel:1002", "hello")
        assert await b.sms.changes.until(lambda: b.sms.came == 1, 10)
        assert a.subscription.notified
        for one in (a, b):
            assert unprotected(one) == ["REGISTER", "401"]
        await leave(a, b)
        assert states(lab) == []

    play(scenario, CONFIG)


def test_what_the_messages_say() -> None:
    """RFC 3329 §2.3.1, TS 24.229 §5.1.1.2.2 and §5.1.1.5.1."""

    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=(("hmac-md5-96", "null"), *SHA_AES))
        messages = a.recorder.messages()
        first, challenge, second, accepted = messages[:4]
        assert isinstance(first, Request) and isinstance(second, Request)
        said = challenge.get("Security-Server")
        for request in (first, second):
            assert request.tokens("Require") == request.tokens("Proxy-Require") == {"sec-agree"}
            assert "sec-agree" in request.tokens("Supported")
            assert len(request.elements("Security-Client")) == 2
        assert first.get_all("Security-Client") == second.get_all("Security-Client")
        assert "Security-Verify" not in first and second.get("Security-Verify") == said
        # Our protected server port is where we are to be found; the first one is asked from elsewhere.
        contact = first.contacts[0].uri.host_port()
        assert contact == second.contacts[0].uri.host_port() and contact[1] != first.via.port
        assert second.via.port == contact[1]
        assert first.call_id == second.call_id and second.cseq.number == first.cseq.number + 1
        assert isinstance(accepted, Response) and accepted.status == 200

        await talk(a, await phone(lab, 2), "1002")
        for method in ("INVITE", "BYE"):
            request = last(a, method)
            assert request.get("Security-Verify") == said
            assert "sec-agree" in request.tokens("Require") & request.tokens("Proxy-Require")
        assert not {"Security-Verify", "Require", "Proxy-Require"} & set(last(a, "ACK").fields)
        await leave(a)

    play(scenario, CONFIG)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("caller", [True, False], ids=["by the caller", "by the callee"])
def test_a_re_registration_in_the_middle_of_a_call(transport: str, caller: bool) -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, transport=transport)
        b = await phone(lab, 2, ipsec=SHA_AES)
        call = a.call("1002")
        await call.wait_answered()
        other = await b.incoming()
        renewing = a if caller else b
        contact = renewing.agent.contact()
        await renewing.reregister(fresh=True)
        challenged, confirmed = [
            each for each in renewing.recorder.entries if isinstance(each, SipRecord) and each.sent
        ][-2:]
        # The old set carries the question, the new one its answer; our server port stays.
        assert challenged.protection and confirmed.protection
        first, second = challenged.message(), confirmed.message()
        assert isinstance(first, Request) and isinstance(second, Request)
        assert first.get("Security-Verify") != second.get("Security-Verify")
        assert renewing.agent.contact() == contact
        assert len(list(lab.inside.associations)) == 24, "old and new ones beside each other"
        await asyncio.sleep(LINGER - 1)
        assert len(list(lab.inside.associations)) == 24
        await call.hold()
        assert other.media.held_by_peer
        await asyncio.sleep(2)
        assert len(list(lab.inside.associations)) == 20, "the phone's old ones are gone"
        await other.hold()
        await call.resume()
        await asyncio.sleep(LINGER)
        assert len(list(lab.inside.associations)) == 16, "the server's, too"
        other.hang_up()
        await call.wait_ended()
        for one in (a, b):
            assert unprotected(one) == ["REGISTER", "401"]
        await leave(a, b)

    play(scenario, CONFIG)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_re_registration_while_it_rings(transport: str) -> None:
    """PRACK, UPDATE and the session's refreshes take the new associations, on both sides."""

    async def scenario(lab: Lab) -> None:
        how: dict[str, Any] = {"transport": transport, "precondition": True, "session_expires": 90}
        a = await phone(lab, 1, ipsec=SHA_AES, **how)
        b = await phone(lab, 2, ipsec=GCM, **how)
        b.answer_mode = AnswerMode(delay=5.0)
        call = a.call("1002")
        await asyncio.sleep(0.1)  # the bearer is there after 0.3 s
        await asyncio.gather(a.reregister(fresh=True), b.reregister(fresh=True))
        await call.wait_answered()
        other = await b.incoming()
        await asyncio.sleep(200)
        assert not call.is_over and not other.is_over
        call.hang_up()
        await other.wait_ended()
        methods = {each.method for each in a.recorder.messages() if isinstance(each, Request)}
        assert {"PRACK", "UPDATE"} <= methods
        for one in (a, b):
            assert unprotected(one) == ["REGISTER", "401"]
        await leave(a, b)

    play(scenario, CONFIG)


@pytest.mark.parametrize("config", [CONFIG, EACH_TIME], ids=["confirmed", "challenged each time"])
def test_two_days(config: str) -> None:
    """Renewed 600 s before the end of each hour: nothing piles up, with new keys each time or without."""

    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, subscribe=True)
        b = await phone(lab, 2, ipsec=GCM, transport="TCP")
        assert a.agent.security is not None
        for _ in range(2):
            await asyncio.sleep(DAY)
            assert a.is_registered and b.is_registered
            await talk(b, a, "1001")
        assert a.registration.refreshed == pytest.approx(2 * DAY / 3000, abs=2)
        # An answered AKA nonce serves for a day (`registrar.nonces`).
        most = 3 if config == CONFIG else a.registration.refreshed + 1
        assert most - 1 <= a.agent.security.agreements <= most
        assert len(list(lab.inside.associations)) <= 32
        await leave(a, b)

    play(scenario, config)


def test_registered_again_after_leaving_it_begins_outside() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES)
        first = a.agent.contact()
        await a.deregister()
        await a.register()
        assert a.agent.contact() != first, "the old server port is not free yet"
        assert sum(unprotected(a).count(each) for each in ("REGISTER", "401")) == 2
        await leave(a)

    play(scenario, CONFIG)


def test_too_brief_an_interval_is_put_right_through_the_same_agreement() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, expires=5)
        statuses = [each.status for each in a.recorder.messages(sent=False) if isinstance(each, Response)]
        assert statuses == [401, 423, 200]
        assert a.agent.security is not None and a.agent.security.agreements == 1
        await leave(a)

    play(scenario, CONFIG)


def test_the_network_ends_the_registration() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, subscribe=True)
        (binding,) = lab.server.bindings
        lab.server.registrar.unregister(binding.contact)
        await asyncio.sleep(5)
        assert not a.is_registered and any("no longer registered" in note for note in a.recorder.notes)
        await asyncio.sleep(LINGER)
        assert not list(lab.inside.associations)
        await a.register()
        assert states(lab) == [State.AGREED]
        await leave(a)

    play(scenario, CONFIG)


def test_ten_percent_loss_inside_and_outside() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1, ipsec=SHA_AES), await phone(lab, 2, ipsec=GCM)
        for _ in range(5):
            await a.reregister(fresh=True)
            call = a.call("1002")
            await call.wait_answered(60)
            other = await b.incoming()
            await b.reregister(fresh=True)
            other.hang_up()
            await call.wait_ended(60)
            await other.wait_ended(60)
            await a.sms.send("tel:1002", "hello")
        assert await b.sms.changes.until(lambda: b.sms.came == 5, 60)
        for one in (a, b):
            assert unprotected(one) == ["REGISTER", "401"]
        await leave(a, b)

    play(scenario, CONFIG, loss=0.1, seed=5)


def test_a_server_that_was_restarted_knows_nothing_of_it() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES, subscribe=True)
        await lab.server.stop()
        await lab.restart(None)
        await a.reregister()
        assert a.is_registered and states(lab) == [State.AGREED]
        assert any("begins anew, outside of it" in note for note in a.recorder.notes)
        await leave(a)

    play(scenario, CONFIG)


def test_esp_that_does_not_get_through() -> None:
    async def scenario(lab: Lab) -> None:
        a = await switched_on(lab, 1, ipsec=SHA_AES)
        lab.inside.cut(a.config.local_host)
        with pytest.raises(RegistrationError, match=r"ESP \(IP protocol 50\) does not get through"):
            await a.register()
        lab.inside.mend(a.config.local_host)
        await a.register()
        await leave(a)

    play(scenario, CONFIG)


@pytest.mark.parametrize(
    ("config", "no_tunnel", "words"),
    [
        (CONFIG, "no rights", "420 .*the server does no IPsec with us, its log says why"),
        (f"{CONFIG} ipsec: false,", "", "without Security-Server: it has no IPsec, or nothing of hmac-sha-1"),
        (f'{CONFIG} ipsec_aalg_list: ["hmac-md5-96"],', "", "494 .*the server has ipsec-3gpp.*hmac-md5-96"),
    ],
    ids=["no tunnel", "switched off", "nothing in common"],
)
def test_a_server_that_does_not_agree(config: str, no_tunnel: str, words: str) -> None:
    async def scenario(lab: Lab) -> None:
        a = await switched_on(lab, 1, ipsec=SHA_AES)
        with pytest.raises(RegistrationError, match=words):
            await a.register()
        assert not lab.inside.in_use
        a.close()

    play(scenario, config, no_tunnel=no_tunnel)


def test_a_sim_that_is_ahead_and_one_that_does_not_trust_the_server() -> None:
    async def scenario(lab: Lab) -> None:
        ahead = type(MILENAGE)("milenage", MILENAGE.k, opc=MILENAGE.opc, sqn=1 << 40)
        a = await phone(lab, 1, ipsec=SHA_AES, sim=ahead)
        assert a.registration.resynchronised == 1 and states(lab) == [State.AGREED]
        strange = type(MILENAGE)("milenage", bytes(reversed(K)), opc=MILENAGE.opc)
        b = await switched_on(lab, 2, ipsec=SHA_AES, sim=strange)
        with pytest.raises(RegistrationError, match="its MAC is wrong"):
            await b.register()
        assert states(lab) == [State.AGREED]
        await leave(a)
        b.close()

    play(scenario, CONFIG)


def test_what_comes_to_a_phone_outside_of_ipsec_is_dropped() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES)
        stranger = await Peer(lab, "stranger", "10.0.9.9").start()
        stranger.server = a.address
        outcome = stranger.send("OPTIONS", "sip:phone@ims.test")
        await asyncio.sleep(40)
        assert outcome.timed_out_ and not outcome.responses
        assert any(note.startswith("dropped: OPTIONS from 10.0.9.9:5060") for note in a.recorder.notes)
        await leave(a)

    play(scenario, CONFIG)


def test_an_answer_from_outside_of_ipsec_is_none() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, ipsec=SHA_AES)
        lab.inside.cut(a.config.local_host)
        asked = asyncio.create_task(a.sms.send_text("tel:1002", "hello"))
        await asyncio.sleep(1)
        forged = Response.to_request(last(a, "MESSAGE"), 200, tag="x")
        stranger = lab.network.udp(("10.0.9.9", 5060), lambda data, remote: None)
        stranger.send(forged.encode(), a.address)
        with pytest.raises(LibreImsError, match="no answer"):
            await asked
        assert a.recorder.clear == 3
        lab.inside.mend(a.config.local_host)
        await leave(a)

    play(scenario, CONFIG)


def test_phones_of_one_address_share_a_tunnel() -> None:
    async def scenario(lab: Lab) -> None:
        one = await switched_on(lab, 1, ipsec=SHA_AES)
        tunnel = SimulatedTunnel(lab.inside, ["10.0.3.1"])
        pool = PortPool(Tokens(9))
        config = type(one.config)(
            **{name: getattr(one.config, name) for name in one.config.__slots__} | {"local": ("10.0.3.1", 0)}
        )
        load = LoadRun(
            lab.network,
            lab.loop,
            config,
            parse_steps(["register", "reregister", "fresh", "wait", "5"]),
            count=3,
            rate=1.0,
            answer_mode=ANSWER,
            say=lambda text: None,
            ipsec=Ipsec(tunnel, pool),
        )
        running = asyncio.create_task(load.run())
        await asyncio.sleep(4)
        assert states(lab).count(State.AGREED) == 3
        assert len(list(tunnel)) == 3 * 8
        assert await running, load.summary()
        assert not list(tunnel) and not len(pool) and not pool.spis
        one.close()

    play(scenario, CONFIG)
