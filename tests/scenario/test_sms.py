"""Short messages between phones through the whole server (TS 24.341, TS 23.040)."""

from __future__ import annotations

import asyncio

from libreims.proto.sms.address import TypeOfNumber
from support.lab import DOMAIN, Lab, play
from support.sms_phone import phone, phones


def test_one_phone_texts_another() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        submitted = alice.submit("0600000002", "Hello Bob")
        report = await alice.accepted(submitted)
        received = await bob.receive()
        assert received.text == "Hello Bob"
        assert received.deliver.originator.number == "0600000001"
        assert received.deliver.timestamp == report.timestamp
        assert not received.deliver.more_messages
        request = received.request
        assert request.uri == bob.peer.uri
        assert request.get("Accept-Contact") == "*;+g.3gpp.smsip;require;explicit"
        assert request.get("Request-Disposition") == "no-fork"
        assert request.get("P-Asserted-Identity") == f"<sip:ipsmgw@{DOMAIN}>"
        assert request.get("Contact") is None
        assert lab.server.sms.control.pending("bob@ims.test") == 1
        await received.acknowledge()
        assert lab.server.sms.control.pending("bob@ims.test") == 0
        assert alice.idle

    play(scenario)


def test_a_phone_that_is_off_gets_its_messages_in_order_when_it_registers() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        for number in range(3):
            await alice.accepted(alice.submit("tel:0600000002".removeprefix("tel:"), f"number {number}"))
        bob = await phone(lab, "bob")
        await asyncio.sleep(3600)
        await alice.register()
        await bob.register()
        for number in range(3):
            received = await bob.receive()
            assert received.text == f"number {number}"
            assert received.deliver.more_messages == (number < 2)
            await asyncio.sleep(5)
            assert bob.idle, "one at a time"
            await received.acknowledge()

    play(scenario)


def test_a_number_that_nobody_has() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        assert await alice.refused(alice.submit("0699999999")) == (1, 0xC3)
        assert "nobody has this number" in lab.log_text()

    play(scenario)


def test_who_is_not_registered_is_refused() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await phone(lab, "alice")
        assert (await alice.submit("0600000002").final()).status == 403

    play(scenario)


def test_an_international_number_is_shown_as_such() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit("+0600000002"))
        received = await bob.receive()
        assert received.deliver.originator.type_of_number is TypeOfNumber.UNKNOWN
        await received.acknowledge(in_reply_to=False)
        assert lab.server.sms.control.pending("bob@ims.test") == 0

    play(scenario)


def test_a_phone_that_sends_short_messages_gets_them_whatever_its_registration_says() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        bob = await phone(lab, "bob")
        await bob.register(params="")
        await alice.accepted(alice.submit("0600000002", "as text"))
        message = await bob.peer.expect("MESSAGE")
        assert message.request.body == b"as text"
        bob.peer.respond(message, 200)
        await bob.accepted(bob.submit("0600000001"))
        await (await alice.receive()).acknowledge()
        await alice.accepted(alice.submit("0600000002", "as SMS"))
        received = await bob.receive()
        assert received.text == "as SMS"
        await received.acknowledge()
        await bob.register(expires=0)
        await bob.register(params="")
        await alice.accepted(alice.submit("0600000002", "as text again"))
        bob.peer.respond(await bob.peer.expect("MESSAGE"), 200)

    play(scenario)
