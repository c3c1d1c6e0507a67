"""How long a message waits: TP-Validity-Period, single shots, delays, flushing, limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.proto.sms.failure import Status
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.validity import AbsoluteValidity, EnhancedValidity, RelativeValidity
from support.lab import CONFIG, EPOCH, Lab, play
from support.sms_phone import pending, phone, phones

BOB = "0600000002"


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
