"""What the configuration does to MESSAGE requests: callflow modifiers, custom headers, P-Called-Party-ID."""

from __future__ import annotations

import asyncio

from support.lab import CONFIG, DOMAIN, Lab, play
from support.sms_phone import phones

BOB = "0600000002"


def modified(modifier: str) -> str:
    return CONFIG.replace('"tel:0600000002"', f'{{ impu: "tel:0600000002", callflow_modifier: {modifier} }}')


def test_a_modifier_answers_a_message_of_the_phone() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await phones(lab, "bob")
        assert (await bob.submit("0600000001").final()).status == 488
        await bob.accepted(bob.submit("0600000001"))

    play(scenario, modified('{ method: "MESSAGE", dir: "rx", code: 488, ttl: 1 }'))


def test_a_modifier_keeps_a_message_from_the_phone() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        await asyncio.sleep(10)
        assert bob.idle
        await asyncio.sleep(60)
        received = await bob.receive()
        assert received.request.get("X-Test") is None
        await received.acknowledge()

    play(scenario, modified('{ method: "MESSAGE", dir: "tx", skip: true, ttl: 1 }'))


def test_a_modifier_adds_a_header_to_messages() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB))
        received = await bob.receive()
        assert received.request.get("X-Test") == "yes"
        await received.acknowledge()

    play(
        scenario,
        modified('{ method: "MESSAGE", dir: "tx", custom_headers: [{ name: "X-Test", value: "yes" }] }'),
    )


def test_custom_headers_and_the_called_party() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        submitted = alice.submit(BOB)
        await alice.accepted(submitted)
        assert submitted.responses[0].get("X-Answer") == "1"
        received = await bob.receive()
        assert received.request.get("X-Request") == "2"
        assert received.request.get("P-Called-Party-ID") == f"<tel:{BOB}>"
        await received.acknowledge()
        (carol,) = await lab.registered("carol")
        said = alice.peer.send("MESSAGE", f"sip:carol@{DOMAIN}", [("Content-Type", "text/plain")], b"x")
        message = await carol.expect("MESSAGE")
        assert message.request.get("P-Called-Party-ID") == f"<sip:carol@{DOMAIN}>"
        carol.respond(message, 200)
        assert (await said.final()).status == 200

    headers = (
        'custom_headers: [{ name: "X-Answer", value: "1", codes: 202, methods: "MESSAGE" },'
        '{ name: "X-Request", value: "2", methods: "MESSAGE" }], p_called_party_id: true,'
    )
    play(scenario, CONFIG + headers)
