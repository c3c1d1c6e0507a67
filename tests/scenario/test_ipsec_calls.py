"""Calls inside IPsec, and what becomes of them when the phone registers again (TS 33.203 §7.4)."""

from __future__ import annotations

import asyncio

import pytest

from libreims.ipsec.agreement import State
from libreims.proto.sip.dialog import Dialog
from scenario.test_ipsec import left, registered, states
from support.lab import DOMAIN, Lab, play
from support.secure_phone import SECURE, SecurePhone, secure_phone


async def call(caller: SecurePhone, callee: SecurePhone) -> tuple[Dialog, Dialog]:
    """A call that stands; the dialogs of both phones."""
    outcome = caller.send("INVITE", f"sip:{callee.name}@{DOMAIN}", body=caller.sdp())
    ringing = await callee.expect("INVITE")
    callee.respond(ringing, 180)
    await outcome.response(180)
    callee.respond(ringing, 200, callee.sdp())
    dialog = caller.ack(outcome, await outcome.response(200))
    await callee.expect_ack()
    return dialog, callee.answered(ringing)


@pytest.mark.parametrize("transports", [("UDP", "UDP"), ("TCP", "TCP"), ("UDP", "TCP")])
def test_a_call_between_two_phones(transports: tuple[str, str]) -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab, "alice", transports[0])
        bob = await registered(lab, "bob", transports[1])
        dialog, _ = await call(alice, bob)
        outside = [packet for packet in lab.network.trace or () if b"INVITE" in packet.data[:10]]
        assert not outside, "nothing of a call is to be seen in clear"
        assert (await alice.in_dialog(dialog, "BYE").final()).status == 200
        bob.respond(await bob.expect("BYE"), 200)
        await left(alice, bob)

    play(scenario, SECURE, trace=True)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("who_ends", ["alice", "bob"])
def test_a_call_over_a_re_registration(transport: str, who_ends: str) -> None:
    """Through the old associations until the phone takes the new ones, then through these alone."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab, "alice", transport), await registered(lab, "bob")
        dialog, other = await call(alice, bob)
        old = alice.way
        assert (await alice.secure()).status == 200
        update = bob.in_dialog(other, "INVITE", bob.sdp(version=2))
        changed = await alice.expect("INVITE")
        assert alice.way is not None and old is not None
        assert transport == "TCP" or changed.flow.remote == old.client
        alice.respond(changed, 200, alice.sdp())
        bob.send_ack(other, (await update.response(200)).cseq.number)
        await alice.expect_ack()
        assert (await alice.send("OPTIONS", f"sip:{DOMAIN}").final()).status == 200
        assert alice.ports is not None
        alice.ports.remove(old)
        await asyncio.sleep(40)
        assert states(lab).count(State.AGREED) == 2 and len(states(lab)) == 2
        near, far = (alice, bob) if who_ends == "alice" else (bob, alice)
        assert (await near.in_dialog(dialog if near is alice else other, "BYE").final()).status == 200
        far.respond(await far.expect("BYE"), 200)
        await left(alice, bob)

    play(scenario, SECURE)


def test_requests_in_the_middle_of_a_re_registration() -> None:
    """An INVITE that was sent before the new agreement is answered after it, through the new one."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        outcome = bob.send("INVITE", f"sip:alice@{DOMAIN}", body=bob.sdp())
        ringing = await alice.expect("INVITE")
        alice.respond(ringing, 180)
        await outcome.response(180)
        assert (await alice.secure()).status == 200
        alice.respond(ringing, 200, alice.sdp())
        dialog = bob.ack(outcome, await outcome.response(200))
        await alice.expect_ack()
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)
        await left(alice, bob)

    play(scenario, SECURE)


def test_a_call_of_a_phone_that_takes_the_same_client_port_again() -> None:
    """Only another server port tells old and new apart then; requests in the call go out through that."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        _, other = await call(alice, bob)
        before = alice.peer_port
        assert alice.way is not None
        challenge = await alice.ask(Security_Client=alice.propose(port_c=alice.way.port_c))
        assert challenge.status == 401
        assert alice.ports is not None
        alice.transport.end_protection(alice.ports)
        alice.ports = None
        assert (await alice.confirm(await alice.enter(challenge)).final()).status == 200
        assert alice.peer_port != before
        await asyncio.sleep(40)
        assert (await bob.in_dialog(other, "BYE").final()).status == 200
        bye = await alice.expect("BYE")
        assert f":{alice.peer_port[1]};" in str(bye.request.via)
        alice.respond(bye, 200)
        await left(alice, bob)

    play(scenario, SECURE)


def test_large_requests_go_over_tcp_from_our_client_port() -> None:
    """`tcp_threshold`: the connection is ours, from port-c to the phone's port-s; small ones stay on UDP."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        dialog, _ = await call(alice, bob)
        agreements = list(lab.server.agreements or ())
        ours = agreements[1].ours
        paths = {
            (packet.source, packet.destination)
            for packet in lab.inside.trace or ()
            if packet.transport == "TCP" and packet.data[:6] == b"INVITE"
        }
        assert paths == {(("10.0.0.1", ours.port_c), (bob.host, bob.port_s))}
        assert (await alice.in_dialog(dialog, "BYE").final()).status == 200
        bye = await bob.expect("BYE")
        assert bye.flow.transport == "UDP"
        bob.respond(bye, 200)
        await left(alice, bob)

    play(scenario, SECURE + "tcp_threshold: 500,", trace=True)


def test_a_phone_that_listens_on_no_tcp_gets_large_requests_as_datagrams() -> None:
    """RFC 3261 §18.1.1: inside IPsec too, in fragments; only the first call waits for a connection."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        assert bob.ports is not None and bob.ports._tcp is not None
        bob.ports._tcp.close()
        for _ in range(3):
            dialog, _other = await call(alice, bob)
            assert (await alice.in_dialog(dialog, "BYE").final()).status == 200
            bob.respond(await bob.expect("BYE"), 200)
        assert lab.log_text().count(f"TCP connection to {bob.host}:{bob.port_s} cannot be made") == 1
        # It is tried again when the phone has registered with new associations.
        assert (await bob.secure()).status == 200
        await asyncio.sleep(2)
        await call(alice, bob)
        assert lab.log_text().count(f"TCP connection to {bob.host}:{bob.port_s} cannot be made") == 2
        lab.server.calls.stop_all("end")
        for phone in (alice, bob):
            phone.respond(await phone.expect("BYE"), 200)
        await left(alice, bob)

    play(scenario, SECURE + "tcp_threshold: 500,")


def test_a_call_of_a_phone_that_changes_its_server_port() -> None:
    """At a re-registration in IPsec: what was begun before is sent to the new one."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await registered(lab, "bob")
        dialog, _ = await call(bob, alice)
        old, alice.port_s = alice.ports, 6200
        challenge = await alice.ask()
        alice.ports = None
        assert (await alice.confirm(await alice.enter(challenge)).final()).status == 200
        await asyncio.sleep(2)
        assert old is not None
        alice.transport.end_protection(old)
        change = bob.in_dialog(dialog, "INVITE", bob.sdp(version=2))
        changed = await alice.expect("INVITE")
        alice.respond(changed, 200, alice.sdp())
        bob.send_ack(dialog, (await change.response(200)).cseq.number)
        await alice.expect_ack()
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)
        await left(alice, bob)

    play(scenario, SECURE)


@pytest.mark.parametrize(("contact", "transport"), [("", "UDP"), (";transport=tcp", "TCP")])
def test_the_contact_says_how_a_phone_is_called(contact: str, transport: str) -> None:
    """A phone that registered over TCP for the size of that is called over UDP, at its server port."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab), await secure_phone(lab, "bob", "TCP")
        assert (await bob.secure(Contact=f"<sip:bob@{bob.host}:{bob.port_s}{contact}>")).status == 200
        outcome = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        ringing = await bob.expect("INVITE")
        assert ringing.flow.transport == transport
        calls = [packet for packet in lab.inside.trace or () if packet.data[:10] == b"INVITE sip"]
        ours = list(lab.server.agreements or ())[1].ours
        assert (calls[-1].source, calls[-1].destination) == (
            ("10.0.0.1", ours.port_c),
            (bob.host, bob.port_s),
        )
        bob.respond(ringing, 486)
        assert (await outcome.final()).status == 486
        await left(alice)
        assert (
            await bob.refresh(Expires="0", Contact=f"<sip:bob@{bob.host}:{bob.port_s}{contact}>")
        ).status == 200
        await asyncio.sleep(40)
        bob.forget()

    play(scenario, SECURE.replace("log_options", "tcp_threshold: 0, log_options"), trace=True)


def test_a_phone_with_ipsec_and_one_without() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await registered(lab)
        bob = await secure_phone(lab, "bob")
        without = {"Require": None, "Proxy_Require": None, "Security_Client": None}
        challenge = await bob.ask(**without)
        assert challenge.get("Security-Server") is None
        final = bob.request(bob.answer(challenge), **without)
        assert (await bob.send_request(final).final()).status == 200
        dialog, _ = await call(bob, alice)
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)
        await left(alice)

    play(scenario, SECURE.replace("log_options", "tcp_threshold: 0, log_options"), settle=3700.0)
