"""Messages that wait: phones that are off, silent, full or several; retries, expiry, restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.proto.sip.message import Request
from libreims.proto.sms.failure import Status
from libreims.proto.sms.rp import RpAck
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity
from libreims.sms.control import Octets
from libreims.sms.queue import ASIDE, TR1N
from support.lab import CONFIG, EPOCH, Lab, Outcome, play
from support.memory_store import MemoryStore
from support.sms_phone import Received, SmsPhone, phone, phones

BOB = "0600000002"
LINK = ("Via", "Content-Length")


def pending(lab: Lab, name: str = "bob") -> int:
    return lab.server.sms.control.pending(f"{name}@ims.test")


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


@pytest.mark.parametrize(
    ("validity", "seconds"),
    [
        (None, 600),
        (RelativeValidity.of_seconds(3600), 3600),
        (AbsoluteValidity(Timestamp.at(EPOCH + 7200, 4)), 7200),
        (EnhancedValidity.of_seconds(100), 100),
    ],
    ids=["sms_expires", "relative", "absolute", "enhanced"],
)
def test_when_a_message_expires(validity: Any, seconds: float) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, validity=validity))
        await asyncio.sleep(seconds - 5)
        assert pending(lab) == 1
        await asyncio.sleep(10)
        assert pending(lab) == 0
        bob = await phone(lab, "bob")
        await bob.register()
        await asyncio.sleep(5)
        assert bob.idle
        assert "its validity period is over" in lab.log_text()

    play(scenario, CONFIG + "sms_expires: 600,")


SINGLE_SHOT = EnhancedValidity.of_seconds(200, single_shot=True)


def test_a_single_shot_message_is_tried_once() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB, "first"))
        first = await bob.receive()
        await alice.accepted(alice.submit(BOB, validity=SINGLE_SHOT, status_report_request=True))
        await asyncio.sleep(20)
        assert pending(lab) == 2, "it has its turn behind the other"
        await first.acknowledge()
        transaction = await bob.peer.expect("MESSAGE")
        await asyncio.sleep(5)
        assert pending(lab) == 1, "its only attempt is under way"
        bob.peer.respond(transaction, 480)
        told = await alice.receive()
        assert told.report.status == Status.GAVE_UP_NO_RESPONSE
        await told.acknowledge()
        assert pending(lab) == 0

    play(scenario)


def test_a_single_shot_message_for_a_phone_that_is_off() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, validity=SINGLE_SHOT))
        await asyncio.sleep(1)
        assert pending(lab) == 0
        assert "its sender wants one attempt only" in lab.log_text()

    play(scenario)


# -- several phones ------------------------------------------------------------------------------------


async def second_phone(lab: Lab, name: str, params: str) -> SmsPhone:
    made = await phone(lab, name)
    await made.register(params=params)
    return made


def test_the_preferred_phone_gets_it_and_the_other_when_that_does_not_take_it() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        low = await second_phone(lab, "bob", ";q=0.3;+g.3gpp.smsip")
        high = await second_phone(lab, "bob", ";q=0.7;+g.3gpp.smsip")
        await alice.accepted(alice.submit(BOB, "one"))
        await (await high.receive()).acknowledge()
        await alice.accepted(alice.submit(BOB, "two"))
        high.peer.respond(await high.peer.expect("MESSAGE"), 500)
        received = await low.receive()
        assert received.text == "two"
        await received.acknowledge()
        await alice.accepted(alice.submit(BOB, "three"))
        await (await high.receive()).refuse(111)
        await (await low.receive()).acknowledge()

    play(scenario)


def test_a_refusal_of_one_phone_does_not_take_it_from_another_that_is_busy() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        low = await second_phone(lab, "bob", ";q=0.3;+g.3gpp.smsip")
        high = await second_phone(lab, "bob", ";q=0.7;+g.3gpp.smsip")
        await alice.accepted(alice.submit(BOB))
        await (await high.receive()).refuse(111)
        low.peer.respond(await low.peer.expect("MESSAGE"), 480)
        await asyncio.sleep(31)
        assert high.idle
        await (await low.receive()).acknowledge()

    play(scenario)


def test_a_phone_with_sms_that_answers_403_is_tried_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        bob.peer.respond(await bob.peer.expect("MESSAGE"), 403)
        await asyncio.sleep(31)
        await (await bob.receive()).acknowledge()

    play(scenario)


SHARED = CONFIG[: CONFIG.index("ue_db")] + (
    'ue_db: [{ impi: "alice@ims.test", authent_type: "none", impu: ["sip:alice", "tel:0600000001"] },'
    '{ impi: "bob@ims.test", authent_type: "none", multi_sim: true, impu: ['
    '{ impu: "sip:bob" }, { impu: "tel:111", imei: "35123456789012" }, { impu: "tel:222", imei: '
    '"35123456789029" }] },'
    '{ impi: "carol@ims.test", authent_type: "none", impu: ["sip:carol", "tel:333"] },'
    '{ impi: "dave@ims.test", authent_type: "none", impu: ["sip:dave", "tel:333"] } ],'
)


def instance(imei: str) -> str:
    return f';+g.3gpp.smsip;+sip.instance="<urn:gsma:imei:{imei[:8]}-{imei[8:14]}-0>"'


def test_a_number_of_one_phone_goes_to_that_phone_and_holds_up_no_other() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        second = await second_phone(lab, "bob", instance("35123456789029"))
        await alice.accepted(alice.submit("111", "for the first"))
        await alice.accepted(alice.submit("222", "for the second"))
        received = await second.receive()
        assert received.text == "for the second"
        await received.acknowledge()
        await asyncio.sleep(100)
        assert second.idle
        first = await second_phone(lab, "bob", instance("35123456789012"))
        received = await first.receive()
        assert received.text == "for the first"
        await received.acknowledge()

    play(scenario, SHARED)


def test_a_number_of_two_users_reaches_whichever_registers() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit("333", "early"))
        (dave,) = await phones(lab, "dave")
        received = await dave.receive()
        assert received.text == "early"
        await received.acknowledge()
        assert pending(lab, "carol") == pending(lab, "dave") == 0

    play(scenario, SHARED)


def test_sms_delay_counts_from_acceptance_and_from_the_registration() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await asyncio.sleep(100)
        for text in ("one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        await asyncio.sleep(8)
        assert bob.idle
        await asyncio.sleep(3)
        await (await bob.receive()).acknowledge()
        await (await bob.receive()).acknowledge()
        await bob.register(expires=0)
        await alice.accepted(alice.submit(BOB, "three"))
        await asyncio.sleep(100)
        await bob.register()
        await asyncio.sleep(9)
        assert bob.idle
        await asyncio.sleep(2)
        await (await bob.receive()).acknowledge()

    delayed = CONFIG.replace('"tel:0600000002"', '{ impu: "tel:0600000002", sms_delay: 10 }')
    play(scenario, delayed)


def test_emergency_registrations_get_only_what_is_for_them() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        emergency = await phone(lab, "bob")
        emergency.peer.name = "bob"
        answer = await emergency.peer.register(contact=f"<{emergency.peer.uri};sos>;+g.3gpp.smsip")
        assert answer.status == 200
        await alice.accepted(alice.submit(BOB, "normal"))
        await (await bob.receive()).acknowledge()
        sent = lab.server.sms.control.send("urgent", impi="bob@ims.test", sos=True)
        assert not sent.waits_for
        received = await emergency.receive()
        assert received.text == "urgent"
        await received.acknowledge()
        assert bob.idle

    play(scenario)


# -- flush, users that change, limits ---------------------------------------------------------------------


def test_flush_forgets_what_waits_and_what_is_under_way() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        for text in ("one", "two"):
            await alice.accepted(alice.submit(BOB, text))
        received = await bob.receive()
        assert lab.server.sms.control.flush("bob@ims.test") == 2
        assert pending(lab) == 0
        await received.acknowledge()
        assert "is about no message that waits" in lab.log_text()
        await asyncio.sleep(200)
        assert bob.idle
        assert lab.server.sms.control.flush("bob@ims.test") == 0
        with pytest.raises(LibreImsError, match="no user of ue_db"):
            lab.server.sms.control.flush("nobody")

    play(scenario)


def test_what_is_flushed_before_the_phone_has_answered_is_not_sent_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        await bob.peer.expect("MESSAGE")
        assert lab.server.stack.active == 1
        assert lab.server.sms.control.flush("bob@ims.test") == 1
        assert lab.server.stack.active == 0

    play(scenario)


def test_an_impu_that_is_gone_keeps_its_messages_until_it_is_back() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await bob.register(expires=0)
        await alice.accepted(alice.submit(BOB))
        lab.server.admin.delete_impu("tel:0600000002", "bob@ims.test")
        await bob.register()
        await asyncio.sleep(5)
        assert bob.idle
        lab.server.admin.add_impu("tel:0600000002", "bob@ims.test")
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_there_is_a_limit() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        lab.server.sms.control.send("x", impi="bob@ims.test")
        await alice.accepted(alice.submit(BOB))
        assert await alice.refused(alice.submit(BOB)) == (42, 0xC0)
        assert "sms_flush removes them" in lab.log_text()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("libreims.sms.centre.MOST_OF_USER", 2)
        play(scenario)


# -- the store ---------------------------------------------------------------------------------------------


def repeated(phone: SmsPhone, outcome: Outcome) -> Request:
    """The same request in another transaction, as after a restart."""
    assert outcome.transaction is not None
    request = outcome.transaction.request
    headers = [(name, lines[0]) for name, lines in request.fields.items() if name not in LINK]
    return phone.peer.build("MESSAGE", request.uri, headers, request.body)


async def restart(lab: Lab, store: MemoryStore, down: float = 0.0) -> None:
    await lab.server.stop()
    await asyncio.sleep(down)
    await lab.restart(store)


def test_messages_survive_a_restart_in_their_order() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        (alice,) = await phones(lab, "alice")
        for number in range(3):
            await alice.accepted(alice.submit(BOB, f"number {number}"))
        sent = lab.server.sms.control.send("from the API", impi="bob@ims.test", validity=50)
        assert sent.waits_for == "no phone of bob@ims.test is registered now"
        assert len(store.kinds["sms"]) == 4
        await restart(lab, store)
        assert pending(lab) == 4
        await asyncio.sleep(60)
        assert pending(lab) == 3, "one expired"
        (bob,) = await phones(lab, "bob")
        for number in range(3):
            received = await bob.receive()
            assert received.text == f"number {number}"
            await received.acknowledge()
        assert not store.kinds["sms"]

    play(scenario)


def test_what_expired_while_the_server_was_down_is_not_sent() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, validity=EnhancedValidity.of_seconds(10)))
        await restart(lab, store, down=20)
        (bob,) = await phones(lab, "bob")
        await asyncio.sleep(5)
        assert bob.idle
        assert not store.kinds["sms"]

    play(scenario)


def test_an_rp_ack_for_a_message_of_an_earlier_process_is_understood() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        received = await bob.receive()
        await restart(lab, store)
        await bob.register()
        again = await bob.receive()
        await received.acknowledge()
        assert pending(lab) == 0
        await asyncio.sleep(100)
        assert bob.idle
        assert again.rp.user_data == received.rp.user_data

    play(scenario)


def test_a_message_whose_202_was_lost_in_a_crash_is_not_taken_twice() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        (alice,) = await phones(lab, "alice")
        first = alice.submit(BOB)
        await alice.accepted(first)
        await restart(lab, store)
        await alice.register()
        await alice.accepted(alice.peer.send_request(repeated(alice, first)))
        assert pending(lab) == 1

    play(scenario)


def test_another_message_with_the_same_call_id_is_another_message() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        first = alice.submit(BOB, "one")
        await alice.accepted(first)
        assert first.transaction is not None
        second = alice.peer.build(
            "MESSAGE",
            first.transaction.request.uri,
            [
                ("Call-ID", first.transaction.request.call_id),
                ("CSeq", "2 MESSAGE"),
                ("Content-Type", "application/vnd.3gpp.sms"),
            ],
            first.transaction.request.body,
        )
        await alice.accepted(alice.peer.send_request(second))
        assert pending(lab) == 2

    play(scenario)


def test_a_message_that_comes_again_to_a_third_process_is_not_taken_twice() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        alice, bob = await phones(lab, "alice", "bob")
        await bob.register(expires=0)
        first = alice.submit(BOB)
        await alice.accepted(first)
        await restart(lab, store)
        await bob.register()
        await (await bob.receive()).acknowledge()
        assert not store.kinds["sms"] and len(store.kinds["sms_seen"]) == 1
        await restart(lab, store)
        await alice.register()
        await alice.accepted(alice.peer.send_request(repeated(alice, first)))
        assert pending(lab) == 0
        await asyncio.sleep(300)
        assert not store.kinds["sms_seen"]

    play(scenario)


def test_a_full_disk_refuses_the_message_and_costs_no_other() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, "kept"))
        store.full = True
        assert await alice.refused(alice.submit(BOB, "refused")) == (41, 0xC2)
        store.full = False
        (bob,) = await phones(lab, "bob")
        received = await bob.receive()
        assert received.text == "kept"
        store.full = True
        await received.acknowledge()
        assert pending(lab) == 0
        store.full = False

    play(scenario)


def test_a_record_that_cannot_be_read_is_left_alone_and_said() -> None:
    store = MemoryStore()
    store.records("sms").put("broken", {"impi": "bob@ims.test", "impu": "", "tpdu": "zz"})

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        assert "the record of SMS broken cannot be read and is left alone" in lab.log_text()
        assert list(store.kinds["sms"]) == ["broken"]

    play(scenario)


def test_octets_with_a_length_of_their_own_survive_too() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await restart(lab, store)
        content = Octets(b"\x05\x00\x03\x01\x02", 77, True)
        lab.server.sms.control.send(content, impi="bob@ims.test", pid=64, dcs=0xF6)
        await restart(lab, store)
        (bob,) = await phones(lab, "bob")
        transaction = await bob.peer.expect("MESSAGE")
        assert transaction.request.body.endswith(b"\x4d\x05\x00\x03\x01\x02")
        bob.peer.respond(transaction, 200)
        lab.server.sms.control.flush("bob@ims.test")

    play(scenario)
