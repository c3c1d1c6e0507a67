"""Messages to and from the SIP trunk: plain text, with the rules of calls."""

from __future__ import annotations

import asyncio

import pytest

from libreims.sms.to_trunk import PATIENCE
from support.lab import CONFIG, DOMAIN, Lab, Peer, play
from support.sms_phone import SmsPhone, phones

TRUNK = "10.0.1.1"
"""The first peer that a test makes is the far end."""
PLAIN = CONFIG + f'trunk: {{ addr: "{TRUNK}", name: "account" }},'
TEXT = (("Content-Type", "text/plain"),)


async def far_end(lab: Lab, *names: str) -> tuple[Peer, list[SmsPhone]]:
    far = await lab.peer("far")
    assert far.host == TRUNK
    return far, await phones(lab, *names)


def test_a_number_that_nobody_here_has_goes_to_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, (alice,) = await far_end(lab, "alice")
        submitted = alice.submit("+33123456789", "Grüße")
        assert (await submitted.final()).status == 202
        message = await far.expect("MESSAGE")
        request = message.request
        assert request.uri == f"sip:+33123456789@{TRUNK}"
        assert request.body.decode() == "Grüße"
        assert request.from_.uri_text == f"sip:account@{TRUNK}"
        assert alice.idle, "the phone is answered when the trunk has answered"
        far.respond(message, 200)
        await alice.accepted(submitted)
        assert not len(lab.server.sms.centre)

    play(scenario, PLAIN)


@pytest.mark.parametrize(
    ("status", "cause", "failure"), [(404, 1, 0xC3), (403, 10, 0xC4), (480, 27, None), (500, 38, None)]
)
def test_the_refusal_of_the_trunk(status: int, cause: int, failure: int | None) -> None:
    async def scenario(lab: Lab) -> None:
        far, (alice,) = await far_end(lab, "alice")
        submitted = alice.submit("+33123456789")
        far.respond(await far.expect("MESSAGE"), status)
        assert await alice.refused(submitted) == (cause, failure)
        assert f"the trunk answers {status}" in lab.log_text()

    play(scenario, PLAIN)


def test_octets_do_not_go_to_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        _, (alice,) = await far_end(lab, "alice")
        assert await alice.refused(alice.submit("+33123456789", dcs=4)) == (69, 0x9F)

    play(scenario, PLAIN)


def test_a_trunk_that_is_silent() -> None:
    async def scenario(lab: Lab) -> None:
        far, (alice,) = await far_end(lab, "alice")
        submitted = alice.submit("+33123456789")
        message = await far.expect("MESSAGE")
        await asyncio.sleep(PATIENCE + 1)
        assert await alice.refused(submitted) == (38, None)
        far.respond(message, 200)
        await asyncio.sleep(1)
        assert alice.idle

    play(scenario, PLAIN)


def test_an_anonymous_user_writes_to_no_trunk_that_takes_none() -> None:
    async def scenario(lab: Lab) -> None:
        _, (alice,) = await far_end(lab, "alice")
        assert await alice.refused(alice.submit("+33123456789")) == (10, 0xC4)

    hidden = PLAIN.replace('"sip:alice"', '{ impu: "sip:alice", anonymous: true }')
    play(scenario, hidden)


def test_a_soft_phone_and_the_trunk_write_to_each_other() -> None:
    async def scenario(lab: Lab) -> None:
        far, _ = await far_end(lab)
        (bob,) = await lab.registered("bob")
        out = bob.send("MESSAGE", f"sip:0199@{DOMAIN}", TEXT, b"out")
        message = await far.expect("MESSAGE")
        assert message.request.body == b"out"
        far.respond(message, 202)
        assert (await out.final()).status == 202
        back = far.send("MESSAGE", f"sip:bob@{DOMAIN}", TEXT, b"in")
        message = await bob.expect("MESSAGE")
        assert message.request.body == b"in"
        assert message.request.from_.uri.user == "far"
        bob.respond(message, 200)
        assert (await back.final()).status == 200

    play(scenario, PLAIN)


def test_the_trunk_writes_to_a_phone_that_is_off() -> None:
    async def scenario(lab: Lab) -> None:
        far, _ = await far_end(lab)
        from_ = f'"Far" <sip:+33199@{TRUNK}>;tag=f'
        said = far.send("MESSAGE", "sip:0600000002@10.0.0.1", (*TEXT, ("From", from_)), b"hello")
        assert (await said.final()).status == 202
        (bob,) = await phones(lab, "bob")
        received = await bob.receive()
        assert received.text == "hello"
        assert received.deliver.originator.number == "+33199"
        await received.acknowledge()
        nobody = far.send("MESSAGE", "sip:0699@10.0.0.1", TEXT, b"hello")
        assert (await nobody.final()).status == 404
        rp = far.send(
            "MESSAGE", "sip:smsc@10.0.0.1", (("Content-Type", "application/vnd.3gpp.sms"),), b"\0\1"
        )
        assert (await rp.final()).status == 415

    play(scenario, PLAIN)
