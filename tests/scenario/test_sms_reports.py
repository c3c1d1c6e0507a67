"""Status reports (TP-SRR), SMS-COMMAND and duplicates (TS 23.040 §9.2.2.3, §9.2.2.4, §9.2.3.25)."""

from __future__ import annotations

import asyncio

from libreims.proto.sms.command import CommandType
from libreims.proto.sms.failure import Status
from libreims.proto.sms.validity import EnhancedValidity
from support.lab import EPOCH, Lab, play
from support.memory_store import MemoryStore
from support.sms_phone import phone, phones

BOB = "0600000002"


def test_the_sender_hears_that_its_message_was_delivered() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        accepted = await alice.accepted(alice.submit(BOB, reference=200, status_report_request=True))
        received = await bob.receive()
        assert received.deliver.status_report_indication
        await asyncio.sleep(7)
        await received.acknowledge()
        told = await alice.receive()
        report = told.report
        assert (report.reference, report.status, report.of_command) == (200, Status.RECEIVED, False)
        assert report.recipient.number == BOB
        assert report.timestamp == accepted.timestamp
        assert report.discharge_time.utc is not None
        assert report.discharge_time.utc - EPOCH == int(lab.loop.time())
        await told.acknowledge()
        assert lab.server.sms.control.pending("alice@ims.test") == 0

    play(scenario)


def test_every_end_of_a_message_is_reported() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")

        async def reported(status: Status) -> None:
            told = await alice.receive()
            assert told.report.status == status
            await told.acknowledge()

        await alice.accepted(alice.submit(BOB, status_report_request=True))
        await (await bob.receive()).refuse(111)
        await reported(Status.CONNECTION_REJECTED)

        await bob.register(expires=0)
        validity = EnhancedValidity.of_seconds(30)
        await alice.accepted(alice.submit(BOB, status_report_request=True, validity=validity))
        await reported(Status.VALIDITY_PERIOD_EXPIRED)

        await alice.accepted(alice.submit(BOB, status_report_request=True))
        lab.server.sms.control.flush("bob@ims.test")
        await reported(Status.DELETED_BY_ADMINISTRATION)

    play(scenario)


def test_a_report_waits_for_its_receiver_and_survives_a_restart() -> None:
    store = MemoryStore()

    async def scenario(lab: Lab) -> None:
        await lab.server.stop()
        await lab.restart(store)
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB, status_report_request=True))
        received = await bob.receive()
        await alice.register(expires=0)
        await received.acknowledge()
        assert len(store.kinds["sms"]) == 1
        await lab.server.stop()
        await lab.restart(store)
        await alice.register()
        told = await alice.receive()
        assert told.report.status == Status.RECEIVED
        await told.acknowledge()
        assert not store.kinds["sms"]

    play(scenario)


def test_an_enquiry_is_answered_before_and_after_the_delivery() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, reference=50))

        async def asked(about: int, status: Status) -> None:
            await alice.accepted(alice.command(CommandType.ENQUIRY, about, BOB))
            told = await alice.receive()
            assert told.report.of_command
            assert told.report.reference == alice.reference
            assert told.report.status == status
            await told.acknowledge()

        await asked(50, Status.TRYING_NO_RESPONSE)
        await asked(51, Status.DOES_NOT_EXIST)
        (bob,) = await phones(lab, "bob")
        await (await bob.receive()).acknowledge()
        await asked(50, Status.RECEIVED)

    play(scenario)


def test_a_message_is_taken_back() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, "keep", reference=1))
        await alice.accepted(alice.submit(BOB, "delete", reference=2, status_report_request=True))
        await alice.accepted(alice.command(CommandType.DELETE, 2, BOB, report=True))
        for of_command in (False, True):
            told = await alice.receive()
            assert told.report.of_command == of_command
            assert told.report.status == Status.DELETED_BY_ORIGINATOR
            await told.acknowledge()
        bob = await phone(lab, "bob")
        await bob.register()
        received = await bob.receive()
        assert received.text == "keep"
        assert not received.deliver.more_messages
        await received.acknowledge()

    play(scenario)


def test_a_command_for_nothing_and_an_unknown_one_are_refused() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        assert await alice.refused(alice.command(CommandType.DELETE, 9, BOB)) == (21, 0xA0)
        assert await alice.refused(alice.command(77, 9, BOB)) == (69, 0xA1)

    play(scenario)


def test_a_status_report_can_be_asked_for_and_declined_later() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, reference=1))
        await alice.accepted(alice.submit(BOB, reference=2, status_report_request=True))
        await alice.accepted(alice.command(CommandType.ENABLE_STATUS_REPORT, 1, BOB))
        await alice.accepted(alice.command(CommandType.CANCEL_STATUS_REPORT, 2, BOB))
        (bob,) = await phones(lab, "bob")
        await (await bob.receive()).acknowledge()
        await (await bob.receive()).acknowledge()
        told = await alice.receive()
        assert told.report.reference == 1
        await told.acknowledge()
        await asyncio.sleep(10)
        assert alice.idle

    play(scenario)


def test_a_duplicate_is_rejected_where_the_phone_wants_it() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit(BOB, reference=5))
        again = alice.submit(BOB, reference=5, reject_duplicates=True)
        assert await alice.refused(again) == (21, 0xC5)
        await alice.accepted(alice.submit(BOB, reference=5))
        await alice.accepted(alice.submit("0600000003", reference=5, reject_duplicates=True))
        assert lab.server.sms.control.pending("bob@ims.test") == 2
        lab.server.sms.control.flush("bob@ims.test")
        await alice.accepted(alice.submit(BOB, reference=5, reject_duplicates=True))

    play(scenario)


def test_what_has_been_delivered_is_not_taken_again_when_its_rp_ack_was_lost() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit(BOB, reference=5))
        await (await bob.receive()).acknowledge()
        await asyncio.sleep(40)
        again = alice.submit(BOB, reference=5, reject_duplicates=True)
        assert await alice.refused(again) == (21, 0xC5)
        await asyncio.sleep(300)
        await alice.accepted(alice.submit(BOB, "another", reference=5, reject_duplicates=True))
        received = await bob.receive()
        assert received.text == "another"
        await received.acknowledge()

    play(scenario)


def test_a_message_to_oneself_with_a_report() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit("0600000001", "note", status_report_request=True))
        received = await alice.receive()
        assert received.text == "note"
        await received.acknowledge()
        told = await alice.receive()
        assert told.report.status == Status.RECEIVED
        await told.acknowledge()

    play(scenario)
