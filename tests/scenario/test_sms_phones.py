"""Which phone gets it: several phones of a user, numbers of one phone, emergency registrations."""

from __future__ import annotations

import asyncio

from support.lab import CONFIG, Lab, play
from support.sms_phone import pending, phone, phones, second_phone

BOB = "0600000002"


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
