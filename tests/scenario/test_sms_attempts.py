"""Phones that are silent, busy, full or refuse: how often they are tried, and what goes on meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sms.rp import RpAck
from libreims.sms.control import Octets
from libreims.sms.queue import ASIDE, TR1N
from support.lab import CONFIG, Lab, play
from support.sms_phone import Received, pending, phone, phones, second_phone

BOB = "0600000002"


def test_a_phone_that_sends_no_rp_ack_gets_the_message_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB, "again"))
        first = await bob.receive()
        await asyncio.sleep(TR1N + 5)
        assert bob.idle
        await asyncio.sleep(30)
        second = await bob.receive()
        assert second.text == "again"
        assert second.request.call_id != first.request.call_id
        await second.acknowledge()
        assert pending(lab) == 0
        assert f"sent no RP-ACK within {TR1N:g} s" in lab.log_text()

    play(scenario)


def test_a_phone_that_does_not_answer_is_not_waited_for_longer_than_one_that_does() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        silent = await bob.peer.expect("MESSAGE")
        await asyncio.sleep(TR1N + 1)
        assert f"has not answered for {TR1N:g} s" in lab.log_text()
        assert lab.server.stack.active == 0, "it is not sent again"
        bob.peer.incoming.clear()
        await asyncio.sleep(30)
        received = await bob.receive()
        assert received.request.call_id != silent.request.call_id
        await received.acknowledge()
        assert pending(lab) == 0

    play(scenario, CONFIG.replace("timer_t1: 0.5", "timer_t1: 2"))


def test_an_rp_ack_that_comes_late_counts() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        received = await bob.receive()
        await asyncio.sleep(TR1N + 5)
        await received.acknowledge()
        assert pending(lab) == 0
        await asyncio.sleep(1000)
        assert bob.idle

    play(scenario)


def test_an_rp_ack_that_overtakes_the_answer_to_the_message() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        for text in ("one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        transaction = await bob.peer.expect("MESSAGE")
        received = Received(bob, transaction.request)
        await received.acknowledge()
        assert pending(lab) == 1
        second = await bob.receive()
        assert second.text == "two"
        bob.peer.respond(transaction, 200)
        await asyncio.sleep(1)
        assert pending(lab) == 1, "the late 200 is about the first message"
        await second.acknowledge()
        assert pending(lab) == 0

    play(scenario)


@pytest.mark.parametrize(
    ("setting", "waits"),
    [("", (30, 60, 120, 240, 480, 900, 900)), ("sms_retry_delay: 45,", (45, 45, 45))],
    ids=["default", "sms_retry_delay"],
)
def test_how_often_a_phone_that_refuses_is_tried(setting: str, waits: tuple[int, ...]) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        transaction = await bob.peer.expect("MESSAGE")
        for wait in waits:
            bob.peer.respond(transaction, 480)
            asked = lab.loop.time()
            async with asyncio.timeout(1000):
                while bob.idle:
                    await asyncio.sleep(0.1)
            transaction = await bob.peer.expect("MESSAGE")
            assert lab.loop.time() - asked == pytest.approx(wait, abs=1)
        bob.peer.respond(transaction, 200)

    play(scenario, CONFIG + setting)


def test_a_registration_ends_the_wait() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        bob.peer.respond(await bob.peer.expect("MESSAGE"), 480)
        await asyncio.sleep(5)
        await bob.register()
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_a_full_phone_is_left_alone_until_it_has_memory_again() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        bob = await phone(lab, "bob")
        await bob.register(call_id="of-this-boot")
        for text in ("one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        await (await bob.receive()).refuse(22, 0xD3)
        await asyncio.sleep(3000)
        assert bob.idle
        assert pending(lab) == 2
        await bob.register(call_id="of-this-boot", cseq=2)
        await asyncio.sleep(10)
        assert bob.idle, "a refresh says nothing of its memory"
        ready = bob.memory_available(reference=77)
        assert (await bob.reported(ready)).reference == 77
        for text in ("one", "two"):
            received = await bob.receive()
            assert received.text == text
            await received.acknowledge()

    play(scenario)


def test_a_full_phone_that_registers_anew_is_tried() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        await (await bob.receive()).refuse(22)
        await bob.register(expires=0)
        await bob.register()
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_a_full_phone_that_lost_power_is_tried() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        await (await bob.receive()).refuse(111, 0xD3)
        await asyncio.sleep(100)
        assert bob.idle
        await bob.register()  # in another call
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_a_phone_that_will_not_have_it_ends_it_and_the_next_comes() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        for text in ("one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        await (await bob.receive()).refuse(111, 0xFF)
        second = await bob.receive()
        assert second.text == "two"
        await second.acknowledge()
        assert "refuses it: RP-ERROR with cause 111" in lab.log_text()

    play(scenario)


def test_a_busy_sim_toolkit_is_no_refusal_for_ever() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        await (await bob.receive()).refuse(111, 0xD4)
        await asyncio.sleep(31)
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_an_rp_error_of_an_earlier_attempt_does_not_touch_the_one_under_way() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        first = await bob.receive()
        await asyncio.sleep(TR1N + 31)
        second = await bob.receive()
        await first.refuse(111)
        await asyncio.sleep(1)
        assert pending(lab) == 1
        assert bob.idle
        await second.acknowledge()
        assert pending(lab) == 0

    play(scenario)


def test_a_late_answer_to_the_message_does_not_touch_the_next_attempt() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        low = await second_phone(lab, "bob", ";q=0.3;+g.3gpp.smsip")
        high = await second_phone(lab, "bob", ";q=0.7;+g.3gpp.smsip")
        await alice.accepted(alice.submit(BOB))
        transaction = await high.peer.expect("MESSAGE")
        await Received(high, transaction.request).refuse(22)
        other = await low.peer.expect("MESSAGE")
        high.peer.respond(transaction, 486)
        await asyncio.sleep(1)
        assert low.idle and high.idle
        low.peer.respond(other, 200)
        await Received(low, other.request).acknowledge()
        assert pending(lab) == 0

    play(scenario)


@pytest.mark.parametrize("in_reply_to", ["not-ours", "something", "deadbeef-1"])
def test_an_in_reply_to_that_says_nothing_leaves_the_reference(in_reply_to: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        received = await bob.receive()
        answer = RpAck(received.rp.reference)
        assert (await bob.send_rp(answer, headers=(("In-Reply-To", in_reply_to),)).final()).status == 202
        assert pending(lab) == 0

    play(scenario)


def test_an_rp_ack_that_is_told_again_is_about_no_other_message_with_its_reference() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        first = await bob.receive()
        await first.acknowledge()
        for _ in range(255):  # the references go round
            lab.server.sms.control.send("x", impi="alice@ims.test")
            await (await alice.receive()).acknowledge()
        await alice.accepted(alice.submit(BOB, "not lost"))
        second = await bob.receive()
        assert second.rp.reference == first.rp.reference
        await first.acknowledge()
        assert pending(lab) == 1
        await second.acknowledge()
        assert pending(lab) == 0

    play(scenario)


def test_every_message_that_waits_for_the_phone_is_told() -> None:
    """TP-MMS (TS 23.040 §9.2.3.2), whatever IMPU they are for; not of those for emergency registrations."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        bob = await phone(lab, "bob")
        lab.server.sms.control.send("only in an emergency", impi="bob@ims.test", sos=True)
        lab.server.sms.control.send(Octets(b"octets"), impi="bob@ims.test")
        await alice.accepted(alice.submit(BOB))
        await bob.register()
        for more in (True, False):
            received = await bob.receive()
            assert received.deliver.more_messages is more
            await received.acknowledge()

    play(scenario)


def test_a_message_that_is_never_acknowledged_steps_aside() -> None:
    """Octets that a phone cannot take in, for example: it answers the MESSAGE and says no more."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        for text in ("poison", "one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        assert (await bob.receive()).text == "poison"
        await asyncio.sleep(TR1N + 5)
        for text in ("one", "two"):
            received = await bob.receive()
            assert received.text == text
            await received.acknowledge()
        assert pending(lab) == 1
        await asyncio.sleep(30)
        last = await bob.receive()
        assert last.text == "poison", "its time has come again"
        await last.acknowledge()
        assert pending(lab) == 0

    play(scenario)


def test_a_phone_that_acknowledges_nothing_gets_a_few_messages_only() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        for number in range(20):
            await alice.accepted(alice.submit(BOB, f"message {number}"))
        texts = {(await bob.receive()).text for _ in range(30)}
        assert texts == {f"message {number}" for number in range(ASIDE + 1)}
        lab.server.sms.control.flush("bob@ims.test")

    play(scenario)


def test_a_phone_that_comes_back_at_another_address_gets_it_there_at_once() -> None:
    """And no more at the old one, where the request would have been repeated for 64*T1."""

    async def scenario(lab: Lab) -> None:
        alice, lost = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        assert not (await lost.peer.expect("MESSAGE")).answered, "out of coverage"
        back = await phone(lab, "bob")
        await lost.register(expires=0)
        await back.register()
        received = await back.receive()
        await asyncio.sleep(1)
        await received.acknowledge()
        assert pending(lab) == 0
        assert "has left before it answered" in lab.log_text()
        assert lab.server.stack.active == 0, "nothing is repeated any more"

    play(scenario)


def test_a_phone_that_asks_to_be_left_alone_is_left_alone_so_long() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        for value in ("200 (I am in a tunnel)", "100000", "soon"):
            bob.peer.respond(await bob.peer.expect("MESSAGE"), 503, headers=(("Retry-After", value),))
            await asyncio.sleep({"200 (I am in a tunnel)": 195, "100000": 895, "soon": 0}[value])
            assert bob.idle
        await (await bob.receive()).acknowledge()

    play(scenario)


# -- expiry ------------------------------------------------------------------------------------------
