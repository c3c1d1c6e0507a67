"""Users and IMPUs changed while the server runs: in force at the moment of use (manual §6.6, §7.2)."""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.errors import LibreImsError
from support.api import ask, error
from support.callflow import BOB, connected
from support.calls import hung_up
from support.lab import DOMAIN, Lab, Peer, play

REG = (("Event", "reg"), ("Expires", "600"))
BUSY = {"callflow_modifier": [{"method": "INVITE", "code": 486}]}


async def refused(caller: Peer, uri: str) -> int:
    return (await caller.send("INVITE", uri, body=caller.sdp()).final()).status


def test_a_modifier_is_in_force_from_the_next_call_and_until_it_is_taken_away() -> None:
    """The manual's call forwarding: set, and removed, by impu_set."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        forward = {
            "method": "INVITE",
            "code": 302,
            "log": "Call forward",
            "custom_headers": [{"name": "Contact", "value": "<tel:666>", "replace": True}],
        }
        assert "error" not in await ask(lab, "impu_set", impu="sip:bob", callflow_modifier=[forward])
        answer = await alice.send("INVITE", BOB, body=alice.sdp()).final()
        assert (answer.status, answer.get("Contact")) == (302, "<tel:666>")
        assert "Call forward" in lab.log_text()
        assert "code: 42" in await error(lab, "impu_set", impu="sip:bob", callflow_modifier=[{"code": 42}])
        assert await refused(alice, BOB) == 302
        assert "error" not in await ask(lab, "impu_set", impu="sip:bob", callflow_modifier=[])
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_modifier_acts_in_the_calls_that_are_on() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        # In the dialog with the caller those of the callee, in the one with the callee those of the caller.
        lab.server.admin.set_impu(
            "sip:bob", {"callflow_modifier": [{"method": "INFO", "code": 488, "stop": False}]}
        )
        lab.server.admin.set_impu(
            "sip:alice", {"callflow_modifier": [{"method": "INFO", "code": 489, "stop": False}]}
        )
        assert (await alice.in_dialog(mo, "INFO").final()).status == 488
        assert (await bob.in_dialog(mt, "INFO").final()).status == 489
        for user in ("sip:alice", "sip:bob"):
            lab.server.admin.set_impu(user, {"callflow_modifier": []})
        info = alice.in_dialog(mo, "INFO")
        bob.respond(await bob.expect("INFO"), 200)
        assert (await info.final()).status == 200
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_modifier_acts_on_the_answer_of_a_call_that_rings() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        header = {"name": "X-Test", "value": "late"}
        lab.server.admin.set_impu(
            "sip:bob",
            {"callflow_modifier": [{"method": "INVITE.OK", "transparent": True, "custom_headers": [header]}]},
        )
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.get("X-Test") == "late"
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_an_echo_number_changes_while_it_is_called() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:666", body=alice.sdp())
        mo = alice.ack(call, await call.response(200))
        await asyncio.sleep(0.1)
        lab.server.admin.set_impu("tel:666", {"callflow_modifier": [{"method": "BYE", "code": 480}]})
        assert (await alice.in_dialog(mo, "BYE").final()).status == 480

    play(scenario)


def test_an_impu_that_is_gone_gets_no_calls_and_one_that_is_new_does() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        admin = lab.server.admin
        admin.add_impu("tel:+33555", "bob@ims.test")
        call = alice.send("INVITE", "tel:+33555", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 486)
        assert (await call.final()).status == 486
        admin.delete_impu("tel:+33555", "bob@ims.test")
        assert await refused(alice, "tel:+33555") == 404
        admin.add_impu({"impu": "tel:+33555", "code": 603}, "echo")
        assert await refused(alice, "tel:+33555") == 603
        admin.delete_impu("tel:+33555", "echo")
        assert await refused(alice, "tel:+33555") == 404

    play(scenario)


def test_a_new_user_registers_and_is_called() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        erin = await lab.peer("erin")
        assert (await erin.register()).status == 404
        lab.server.admin.add_users([{"impi": "erin@ims.test", "impu": "sip:erin", "authent_type": "none"}])
        assert (await erin.register()).status == 200
        call = alice.send("INVITE", f"sip:erin@{DOMAIN}", body=alice.sdp())
        erin.respond(await erin.expect("INVITE"), 486)
        assert (await call.final()).status == 486

    play(scenario)


def test_phones_are_told_which_of_their_numbers_are_registered() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        outcome = bob.send("SUBSCRIBE", f"sip:bob@{DOMAIN}", REG)
        await outcome.response(200)
        bob.respond(await bob.expect("NOTIFY"), 200)
        admin = lab.server.admin
        admin.set_impu("sip:bob", BUSY)  # nothing that a phone sees
        await asyncio.sleep(10)
        assert not bob.incoming
        admin.add_impu("tel:+33555", "bob@ims.test")
        notify = await bob.expect("NOTIFY")
        assert (
            notify.request.body.count(b"<registration ") == 3 and b'aor="tel:+33555"' in notify.request.body
        )
        bob.respond(notify, 200)
        await asyncio.sleep(10)
        for number, impu in enumerate(("tel:+33555", "tel:0600000002", "sip:bob")):
            admin.delete_impu(impu, "bob@ims.test")
            notify = await bob.expect("NOTIFY")
            bob.respond(notify, 200)
            await asyncio.sleep(10)
            if number < 2:
                assert impu.encode() not in notify.request.body
        # The last one takes the registration with it.
        state = notify.request.get("Subscription-State")
        assert state is not None and state.startswith("terminated")
        assert lab.server.bindings.of("bob@ims.test") == ()

    play(scenario)


def test_a_user_without_any_impu_cannot_call() -> None:
    """It registers with the IMPU made from its IMSI (TS 23.003 §13.4B)."""

    async def scenario(lab: Lab) -> None:
        for impu in ("sip:dave", "tel:0600000004"):
            lab.server.admin.delete_impu(impu, "dave@ims.test")
        dave = await lab.peer("001010000000004")
        assert (await dave.register()).status == 200
        assert await refused(dave, "tel:666") == 403
        assert "dave@ims.test is registered but has no IMPU to call with" in lab.log_text()
        with pytest.raises(LibreImsError, match="has no IMPU to be called at"):
            lab.server.control.mt_call(contact=dave.uri)

    play(scenario)
