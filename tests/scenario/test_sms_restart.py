"""Messages outlive a restart, in order, once; a disk that is full, records that cannot be read."""

from __future__ import annotations

import asyncio

from libreims.proto.sip.message import Request
from libreims.proto.sms.validity import EnhancedValidity
from libreims.sms.control import Octets
from support.lab import Lab, Outcome, play
from support.memory_store import MemoryStore
from support.sms_phone import SmsPhone, pending, phones

BOB = "0600000002"
LINK = ("Via", "Content-Length")


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
