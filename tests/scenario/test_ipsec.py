"""The life of a security agreement through the whole server (TS 33.203 §7, TS 24.229 §5.2.2)."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from libreims.ipsec.agreement import State
from libreims.proto.sip.message import Response
from libreims.users.bindings import Binding
from support.lab import DOMAIN, Lab, play
from support.secure_phone import SECURE, SecurePhone, secure_phone

REG = (("Event", "reg"), ("Expires", "600000"))
LINGER = 32.0
"""64*T1 of the lab."""


def states(lab: Lab) -> list[State]:
    assert lab.server.agreements is not None
    return [each.state for each in lab.server.agreements]


def binding_of(lab: Lab) -> Binding:
    (binding,) = lab.server.bindings
    return binding


async def registered(lab: Lab, name: str = "alice", transport: str = "UDP") -> SecurePhone:
    phone = await secure_phone(lab, name, transport)
    answer = await phone.secure()
    assert answer.status == 200, lab.log_text()
    return phone


async def left(*phones: SecurePhone) -> None:
    """De-register, and wait until the agreements are gone."""
    for phone in phones:
        assert (await phone.refresh(Expires="0")).status == 200
    await asyncio.sleep(LINGER + 2)
    for phone in phones:
        phone.forget()


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ipv6", [False, True])
def test_a_phone_registers_and_leaves(transport: str, ipv6: bool) -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice", transport, ipv6=ipv6)
        answer = await alice.secure()
        assert answer.status == 200, lab.log_text()
        assert states(lab) == [State.AGREED]
        binding = binding_of(lab)
        assert binding.protected
        assert binding.flow.local == alice.peer_port
        assert alice.way is not None and binding.flow.remote == (alice.host, alice.way.port_c)
        assert f":{alice.peer_port[1]};lr>" in (answer.get("Service-Route") or "")
        assert len(list(lab.inside.associations)) == 8
        assert (await alice.refresh(Expires="0")).status == 200
        assert states(lab) == [State.ENDING]
        await asyncio.sleep(LINGER - 2)
        assert states(lab) == [State.ENDING]
        await asyncio.sleep(4)
        assert states(lab) == []
        alice.forget()

    play(scenario, SECURE)


def test_responses_leave_from_our_client_port_to_the_phones_server_port() -> None:
    """TS 33.203 §7.1 over UDP, with `rport` and without; requests of the server do so too."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        agreement = next(iter(lab.server.agreements or ()))
        ours, theirs = agreement.ours, agreement.theirs
        outcome = alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG)
        assert (await outcome.final()).status == 200
        alice.respond(await alice.expect("NOTIFY"), 200)
        without = alice.build("OPTIONS", f"sip:{DOMAIN}")
        without.prepend("Via", f"SIP/2.0/UDP {alice.host}:{alice.port_s};branch=z9hG4bKplain")
        assert alice.ports is not None
        alice.transport.send(without.encode(), alice.flow)
        await asyncio.sleep(1)
        paths = {(packet.source, packet.destination) for packet in lab.inside.trace or ()}
        assert paths == {
            ((alice.host, theirs.port_c), ("10.0.0.1", ours.port_s)),
            (("10.0.0.1", ours.port_c), (alice.host, theirs.port_s)),
        }
        await left(alice)

    play(scenario, SECURE, trace=True)


def test_a_refresh_without_a_challenge_goes_on_with_the_agreement() -> None:
    """The Security-Client that comes with it is for a challenge that does not come (TS 24.229 §5.1.1.4.1)."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        before = list(lab.inside.associations)
        for _ in range(40):
            await asyncio.sleep(1800)
            assert (await alice.refresh()).status == 200
        assert list(lab.inside.associations) == before
        assert states(lab) == [State.AGREED]
        await left(alice)

    play(scenario, SECURE)


@pytest.mark.parametrize("transports", [("UDP", "TCP", "UDP"), ("TCP", "UDP", "TCP")])
def test_transports_change_from_register_to_register(transports: tuple[str, str, str]) -> None:
    """A REGISTER with Security-Verify is longer than 1300 octets and goes over TCP, others do not.

    The associations are for both (TS 33.203 §7.1): it is no reason to challenge the phone again.
    """

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice", transports[0])
        authorization = await alice.enter(await alice.ask())
        alice.kind = transports[1]
        assert (await alice.confirm(authorization).final()).status == 200
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
        alice.respond(await alice.expect("NOTIFY"), 200)
        alice.kind = transports[2]
        assert (await alice.refresh()).status == 200
        assert states(lab) == [State.AGREED]
        alice.kind = transports[1]
        await left(alice)

    play(scenario, SECURE)


def test_the_same_ports_and_spis_every_time() -> None:
    """Phones that take the same ones again, at once after they have left or after they were switched off."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        for number in range(4):
            alice.serial, alice.call_id = itertools.count(1000, 2), f"registration-{number}"
            assert (await alice.secure(Security_Client=alice.propose(port_c=20000))).status == 200
            assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
            alice.respond(await alice.expect("NOTIFY"), 200)
            if number == 2:
                assert (await alice.refresh(Expires="0")).status == 200
                alice.respond(await alice.expect("NOTIFY"), 200)
            if number < 3:
                alice.forget()
        assert len(lab.server.bindings) == 1 and states(lab).count(State.AGREED) == 1
        await left(alice)

    play(scenario, SECURE)


def test_keepalives_inside_ipsec() -> None:
    """RFC 5626 §3.5.1 and what phones send instead of it: no message, no line, and over TCP its answer."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        for kind in ("UDP", "TCP"):
            alice.kind = kind
            assert (await alice.send("OPTIONS", f"sip:{DOMAIN}").final()).status == 200
            for octets in (b"\r\n\r\n", b"\r\n"):
                alice.transport.send(octets, alice.flow)
            await asyncio.sleep(1)
            assert (await alice.send("OPTIONS", f"sip:{DOMAIN}").final()).status == 200
        assert "no SIP message" not in lab.log_text()
        await left(alice)

    play(scenario, SECURE)


def test_a_phone_that_lost_its_associations_leaves_with_new_ones() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        alice.forget()
        alice.call_id = "after-restart"
        assert (await alice.secure(Expires="0")).status == 200
        assert not list(lab.server.bindings)
        await asyncio.sleep(250)
        assert states(lab) == []
        alice.forget()

    play(scenario, SECURE)


def test_an_agreement_ends_with_its_registration() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        await asyncio.sleep(3595)
        assert states(lab) == [State.AGREED]
        await asyncio.sleep(20)
        assert not list(lab.server.bindings)
        assert states(lab) == [State.ENDING]
        await asyncio.sleep(LINGER)
        assert states(lab) == []
        alice.forget()

    play(scenario, SECURE)


def test_a_registration_that_is_refused_for_something_else_may_be_tried_again() -> None:
    """423 to the REGISTER that came through the offer: the next one comes through it too."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        answer = await alice.secure(Expires="5")
        assert answer.status == 423
        assert states(lab) == [State.OFFERED]
        assert (await alice.confirm(alice.sim.again(), Expires="60").final()).status == 200
        assert states(lab) == [State.AGREED]
        await left(alice)

    play(scenario, SECURE)


def test_a_challenge_to_who_comes_through_an_offer_goes_back_through_it() -> None:
    """A stale nonce there: the phone is challenged anew, for another agreement."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        alice.sim.qop = "auth"
        challenge = await alice.ask()
        authorization = await alice.enter(challenge)
        assert (await alice.confirm(authorization, Expires="5").final()).status == 423
        repeated = await alice.confirm(authorization).final()
        assert repeated.status == 401, "the same nonce-count again"
        alice.forget()
        assert (await alice.confirm(await alice.enter(repeated)).final()).status == 200
        await asyncio.sleep(250)
        assert states(lab) == [State.AGREED]
        assert "has not come back through it" not in lab.log_text()
        await left(alice)

    play(scenario, SECURE.replace('authent_type: "AKAv1"', 'authent_type: "AKAv1", authent_qop: "auth"'))


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_re_registration_has_old_and_new_associations_for_a_while(transport: str) -> None:
    """TS 33.203 §7.4: same server ports, new client ports and SPIs; the old set goes once the new is used."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab, transport=transport)
        first = next(iter(lab.server.agreements or ()))
        port = alice.peer_port
        challenge = await alice.ask()
        assert challenge.status == 401
        assert states(lab) == [State.AGREED, State.OFFERED]
        answer = await alice.confirm(await alice.enter(challenge)).final()
        assert answer.status == 200
        assert alice.peer_port == port, "the server port stays"
        assert states(lab) == [State.SUPERSEDED, State.AGREED]
        second = list(lab.server.agreements or ())[1]
        assert second.ours.port_c != first.ours.port_c
        assert second.ours.spi_c != first.ours.spi_c
        assert binding_of(lab).flow.remote == second.phone
        await asyncio.sleep(600)
        assert states(lab) == [State.SUPERSEDED, State.AGREED], "nothing has come through the new one"
        assert (await alice.send("OPTIONS", f"sip:{DOMAIN}").final()).status == 200
        await asyncio.sleep(LINGER + 2)
        assert states(lab) == [State.AGREED]
        await left(alice)

    play(scenario, SECURE)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("credentials", ["right", "wrong"])
def test_the_answer_goes_through_the_set_that_the_register_came_through(
    transport: str, credentials: str
) -> None:
    """TS 24.229 §5.2.2; the Via of a phone has its server port and no `rport`, a connection may be closed."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab, transport=transport)
        authorization = await alice.enter(await alice.ask())
        new = list(lab.server.agreements or ())[1]
        if credentials == "wrong":
            authorization = authorization.replace('response="', 'response="0')
        request = alice.request(
            authorization, Security_Client=alice.client, Security_Verify=alice.server_says
        )
        via = f"SIP/2.0/{transport} {alice.host}:{alice.port_s};branch=z9hG4bKwithout"
        request.prepend("Via", via)
        lab.inside.trace.clear()  # type: ignore[union-attr]
        alice.transport.send(request.encode(), alice.flow)
        await asyncio.sleep(0.016)
        if transport == "TCP":
            for connection in list(alice.transport._by_number.values()):
                alice.transport.close_connection(connection.flow.connection)
        await asyncio.sleep(1)
        answers = [each for each in lab.inside.trace or () if each.data.startswith(b"SIP/2.0 ")]
        assert answers and {each.source[1] for each in answers} <= {new.ours.port_c, new.ours.port_s}
        await asyncio.sleep(250)
        lab.server.registrar.unregister(binding_of(lab).contact)
        await asyncio.sleep(LINGER + 2)
        alice.forget()

    play(scenario, SECURE, trace=True)


@pytest.mark.parametrize("qop", ["", "auth"])
def test_a_phone_that_falls_back_to_the_old_agreement_is_reached_there(qop: str) -> None:
    """It never got the 200 through the new one, dropped that and refreshes through the old one."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        alice.sim.qop = qop
        assert (await alice.secure()).status == 200
        old, said = alice.way, alice.server_says
        assert (await alice.secure()).status == 200
        assert alice.ports is not None and alice.way is not None and old is not None
        alice.ports.use(old)
        alice.ports.remove(alice.way)
        alice.way, alice.server_says = old, said
        answer = await alice.refresh()
        if qop:
            assert answer.status == 200
            assert states(lab) == [State.AGREED, State.SUPERSEDED]
        else:  # without nonce-count the old answer does not prove anything from another port
            assert answer.status == 401
            assert (await alice.confirm(await alice.enter(answer)).final()).status == 200
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
        alice.respond(await alice.expect("NOTIFY"), 200)
        await left(alice)

    play(
        scenario,
        SECURE.replace('authent_type: "AKAv1"', f'authent_type: "AKAv1", authent_qop: "{qop or "none"}"'),
    )


def test_a_phone_that_was_switched_off_registers_anew() -> None:
    """All that it had is gone; it starts unprotected, with SPIs and ports that it may have had before."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        before = alice.peer_port
        alice.forget()
        alice.serial = itertools.count(1000, 2)
        alice.call_id = "after-restart"
        assert (await alice.secure()).status == 200
        assert alice.peer_port != before
        assert states(lab) == [State.SUPERSEDED, State.AGREED]
        assert len(lab.server.bindings) == 1
        await asyncio.sleep(LINGER + 2)
        assert states(lab) == [State.AGREED]
        await left(alice)

    play(scenario, SECURE)


def test_an_offer_that_nobody_takes_is_gone_after_four_minutes() -> None:
    """reg-await-auth, TS 24.229 §7.8; and a second challenge voids the first offer at once."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        for _ in range(3):
            assert (await alice.ask()).status == 401
        assert states(lab) == [State.OFFERED]
        assert len(list(lab.inside.associations)) == 4
        await asyncio.sleep(245)
        assert states(lab) == []
        assert "ESP does not get through between phone and server" in lab.log_text()

    play(scenario, SECURE)


@pytest.mark.parametrize("lost", ["401", "200"])
def test_an_answer_that_is_lost_is_repeated(lost: str) -> None:
    """The REGISTER comes again, as the same transaction: same answer, same agreement."""

    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        network = lab.network if lost == "401" else lab.inside

        async def lose() -> None:
            await asyncio.sleep(0.007)  # the request has arrived, the answer is on its way
            network.cut(alice.host)
            await asyncio.sleep(0.1)
            network.mend(alice.host)

        async with asyncio.TaskGroup() as group:
            if lost == "401":
                group.create_task(lose())
            challenge = await alice.ask()
            assert states(lab) == [State.OFFERED]
            authorization = await alice.enter(challenge)
            if lost == "200":
                group.create_task(lose())
            began = lab.loop.time()
            assert (await alice.confirm(authorization).final()).status == 200
            assert (lab.loop.time() - began > 0.4) is (lost == "200")
        assert states(lab) == [State.AGREED] and len(lab.server.bindings) == 1
        assert lab.log_text().count("is offered") == 1
        await left(alice)

    play(scenario, SECURE)


def test_two_phones_and_all_that_a_phone_subscribes_to() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob", "TCP")
        for phone in (alice, bob):
            outcome = phone.send("SUBSCRIBE", f"sip:{phone.name}@{DOMAIN}", REG)
            assert (await outcome.final()).status == 200
            phone.respond(await phone.expect("NOTIFY"), 200)
        assert (await alice.secure()).status == 200
        await asyncio.sleep(6)
        notify = await alice.expect("NOTIFY")
        assert alice.way is not None and notify.flow.remote == alice.way.client, (
            "she has the 200: the new way"
        )
        alice.respond(notify, 200)
        lab.server.registrar.unregister(binding_of_user(lab, "bob").contact)
        last = await bob.expect("NOTIFY")
        assert "terminated" in (last.request.get("Subscription-State") or "")
        bob.respond(last, 200)
        await asyncio.sleep(LINGER + 5)
        assert states(lab) == [State.AGREED]
        bob.forget()
        await left(alice)

    play(scenario, SECURE)


def binding_of_user(lab: Lab, name: str) -> Binding:
    return next(each for each in lab.server.bindings if each.impi == f"{name}@{DOMAIN}")


def test_normal_and_emergency_registration_have_an_agreement_each() -> None:
    """TS 24.229 §5.1.6.2: the emergency registration is one of its own, with associations of its own."""

    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        normal, way, said = alice.ports, alice.peer_port, alice.server_says
        alice.ports, alice.server_says = None, ""
        alice.port_s, alice.suffix, alice.call_id = 6100, ";sos", "emergency"
        assert (await alice.secure()).status == 200
        assert alice.peer_port != way
        assert states(lab) == [State.AGREED, State.AGREED]
        assert len(lab.server.bindings) == 2
        # Its end leaves the other one alone.
        assert (await alice.refresh(Expires="0")).status == 200
        await asyncio.sleep(LINGER + 2)
        assert states(lab) == [State.AGREED]
        assert alice.ports is not None and normal is not None
        alice.transport.end_protection(alice.ports)
        alice.ports, alice.peer_port, alice.server_says = normal, way, said
        alice.suffix, alice.call_id = "", "reg-alice"
        lab.server.registrar.unregister(binding_of(lab).contact)
        await asyncio.sleep(LINGER + 2)
        alice.forget()

    play(scenario, SECURE)


@pytest.mark.parametrize("seed", range(4))
def test_phones_on_a_bad_network(seed: int) -> None:
    """Packets are lost and come twice, in clear and inside: all register, renew and leave, nothing stays."""

    async def scenario(lab: Lab) -> None:
        phones = [await secure_phone(lab, name) for name in ("alice", "bob", "carol", "dave")]

        async def day(phone: SecurePhone) -> None:
            for _ in range(6):
                await renewed(phone)
                await asyncio.sleep(1700)
            final = await phone.refresh(Expires="0")
            assert final.status == 200

        await asyncio.gather(*map(day, phones))
        await asyncio.sleep(250)
        assert states(lab) == []
        for phone in phones:
            phone.forget()

    play(scenario, SECURE, seed=seed, loss=0.15, duplicate=0.1, jitter=0.02)


async def renewed(phone: SecurePhone) -> None:
    """Register with a new agreement; what is lost for good is tried again, as phones do."""
    for _ in range(5):
        try:
            answer: Response = await phone.secure()
        except AssertionError:
            phone.sim.count = 0
            continue
        if answer.status == 200:
            return
    raise AssertionError(f"{phone.name} does not get through")
