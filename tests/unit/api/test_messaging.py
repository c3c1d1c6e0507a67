"""The commands `sms` and `sms_flush`, the event `sms`, and what `users_get` says of messages."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from libreims.base.steps import finish
from libreims.proto.sms.address import TypeOfNumber
from libreims.sms.centre import SLICE
from support.api import Link, ask, error
from support.lab import CONFIG, DOMAIN, EPOCH, Lab, play
from support.sms_phone import phones

BOB = "0600000002"


def test_a_text_reaches_a_phone() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await phones(lab, "bob")
        answer = await ask(lab, "sms", impi="bob@ims.test", text="Hello", sender="+33123456789")
        assert (answer["parts"], answer["pending"]) == (1, 1)
        assert "waits_for" not in answer
        received = await bob.receive()
        assert received.text == "Hello"
        assert (received.deliver.dcs, received.deliver.pid) == (0, 0)
        assert received.deliver.originator.number == "+33123456789"
        assert received.deliver.originator.type_of_number is TypeOfNumber.INTERNATIONAL
        await received.acknowledge()

    play(scenario)


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("Lab", "Lab"),
        ("0123", "0123"),
        ("tel:+331", "+331"),
        (f"sip:0123@{DOMAIN}", "0123"),
        ("sip:desk@x", "desk"),
        ("A name too long for it", "A name too "),
        ("Größe €", "Größe €"),
        ("日本", "??"),
        ("a\r\nb", "a??b"),
        (None, "LibreIMS"),
    ],
)
def test_who_sends_it(sender: str | None, shown: str) -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await phones(lab, "bob")
        assert "error" not in await ask(lab, "sms", impu="tel:0600000002", text="x", sender=sender)
        received = await bob.receive()
        assert received.deliver.originator.number == shown
        await received.acknowledge()

    play(scenario)


def test_every_parameter() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await phones(lab, "bob")

        async def sent(**members: Any) -> tuple[int, int, int, bytes, bool]:
            assert "error" not in await ask(lab, "sms", impi="bob@ims.test", **members)
            received = await bob.receive()
            await received.acknowledge()
            deliver = received.deliver
            data = deliver.user_data
            return deliver.pid, deliver.dcs, data.length, data.octets, data.has_header

        octets = b"\x05\x00\x03\x01\x02\x01ab"
        binary = base64.b64encode(octets).decode()
        assert await sent(binary=binary) == (0, 4, 8, octets, False)
        assert await sent(binary_hex="00 01 ff", dcs=0xF6, pid=127) == (127, 0xF6, 3, b"\0\1\xff", False)
        assert await sent(binary=binary, tp_udhi_present=True) == (0, 4, 8, octets, True)
        assert await sent(binary_hex="c8329bfd06", dcs=0, tp_udl=5) == (
            0,
            0,
            5,
            b"\xc8\x32\x9b\xfd\x06",
            False,
        )
        assert (await sent(text="flash", dcs=0x10))[1] == 0x10
        assert (await sent(text="Привет"))[1] == 8

    play(scenario)


def test_a_long_text_and_a_phone_that_is_off() -> None:
    async def scenario(lab: Lab) -> None:
        answer = await ask(lab, "sms", impi="bob@ims.test", text="x" * 400, validity=100)
        assert (answer["parts"], answer["pending"]) == (3, 3)
        assert answer["waits_for"] == "no phone of bob@ims.test is registered now"
        users = (await ask(lab, "users_get"))["users"]
        assert {each["impi"]: each["sms"] for each in users}["bob@ims.test"] == 3
        await asyncio.sleep(102)
        answer = await ask(lab, "sms", impu="sip:bob", text="x", sos=True)
        assert answer["waits_for"] == "no phone of bob@ims.test is registered for emergency calls (sos)"
        assert (await ask(lab, "sms_flush", impi="bob@ims.test"))["flushed"] == 1

    play(scenario)


def test_what_cannot_be_sent() -> None:
    async def scenario(lab: Lab) -> None:
        async def refused(**members: Any) -> str:
            return await error(lab, "sms", **members)

        assert "none of them is given" in await refused(text="x")
        assert "nobody@ims.test is no user" in await refused(impi="nobody@ims.test", text="x")
        assert "belongs to no user" in await refused(impu="tel:99", text="x")
        assert "belongs to no user" in await refused(impu="tel:666", text="x")
        assert "none of them is given" in await refused(impi="bob@ims.test")
        assert "base64 expected" in await refused(impi="bob@ims.test", binary="!")
        assert "base64 expected" in await refused(impi="bob@ims.test", binary="é")
        assert "hexadecimal digits expected" in await refused(impi="bob@ims.test", binary_hex="0")
        assert "at most 140" in await refused(impi="bob@ims.test", binary_hex="00" * 141)
        assert "at most 255" in await refused(impi="bob@ims.test", text="x" * 50000)
        assert "no user of ue_db" in await error(lab, "sms_flush", impi="nobody")
        assert not len(lab.server.sms.centre)
        answer = await ask(lab, "sms", impi="nobody@ims.test", impu="sip:bob", text="x")
        assert answer["impi"] == "bob@ims.test"

    play(scenario)


def test_the_event_tells_what_came_in() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        link = Link(lab)
        link.say({"message": "register", "register": ["sms", "users_update"]})
        await alice.accepted(alice.submit(BOB, "Hello"))
        await (await bob.receive()).acknowledge()
        await asyncio.sleep(1)
        events = [frame for frame in link.frames if frame["message"] == "sms"]
        assert len(events) == 1
        del events[0]["time"]
        assert events[0] == {
            "message": "sms",
            "sender": "0600000001",
            "destination": BOB,
            "text": "Hello",
            "dcs": 0,
            "date": int(EPOCH + lab.loop.time() - 1),
        }
        updates = [frame["users_update"][0] for frame in link.frames if frame["message"] == "users_update"]
        assert {each["impi"] for each in updates} == {"bob@ims.test"}
        assert updates[-1]["sms"] == 0
        await alice.accepted(alice.submit(BOB, "ab", dcs=4))
        event = [frame for frame in link.frames if frame["message"] == "sms"][-1]
        assert "text" not in event
        assert base64.b64decode(event["binary"]) == b"\x61\x31"
        link.leave()
        await (await bob.receive()).acknowledge()

    play(scenario)


def test_with_sms_hook_only_the_client_has_the_message_and_nobody_else() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        (carol,) = await lab.registered("carol")
        link = Link(lab)
        link.say({"message": "register", "register": "sms"})
        await alice.accepted(alice.submit(BOB, "one"))
        await alice.accepted(alice.submit("0699", "nobody has the number"))
        said = carol.send("MESSAGE", f"sip:bob@{DOMAIN}", [("Content-Type", "text/plain")], b"page")
        assert (await said.final()).status == 202
        await asyncio.sleep(1)
        assert bob.idle
        assert not len(lab.server.sms.centre)
        texts = [frame["text"] for frame in link.frames if frame["message"] == "sms"]
        assert texts == ["one", "nobody has the number", "page"]
        link.say({"message": "register", "unregister": "sms"})
        await alice.accepted(alice.submit(BOB, "two"))
        received = await bob.receive()
        assert received.text == "two"
        await received.acknowledge()
        assert await alice.refused(alice.submit("0699")) == (1, 0xC3)
        link.leave()

    play(scenario, CONFIG + "sms_hook_only: true,")


def test_the_centre_address_of_the_configuration() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await phones(lab, "bob")
        await ask(lab, "sms", impi="bob@ims.test", text="x")
        received = await bob.receive()
        assert received.rp.centre is not None
        assert received.rp.centre.number == "+33600000000"
        await received.acknowledge()

    play(scenario, CONFIG + 'sms_centre_address: { number: "+33600000000" },')


def test_many_messages_are_flushed_between_other_things() -> None:
    async def scenario(lab: Lab) -> None:
        sms = lab.server.sms.control
        count = 2 * SLICE + 10
        for number in range(count):
            sms.send(f"{number}", impi="bob@ims.test")
        flushing = asyncio.ensure_future(ask(lab, "sms_flush", impi="bob@ims.test"))
        left = []
        while not flushing.done():
            await asyncio.sleep(0)
            left.append(sms.pending("bob@ims.test"))
            if left[-1] == 10 and left.count(10) == 1:  # what comes now came after the request
                sms.send("new", impi="bob@ims.test")
        assert [each for each in (count, SLICE + 10, 10, 1) if each in left] == [count, SLICE + 10, 10, 1]
        assert (await flushing)["flushed"] == count
        assert sms.pending("bob@ims.test") == 1
        assert (await ask(lab, "sms_flush", impi="bob@ims.test"))["flushed"] == 1

    play(scenario)


def test_what_arrives_while_many_are_flushed_was_not_flushed() -> None:
    async def scenario(lab: Lab) -> None:
        sms = lab.server.sms.control
        for number in range(SLICE + 3):
            sms.send(f"{number}", impi="bob@ims.test")
        flushing = sms.flushing("bob@ims.test")
        next(flushing)
        assert sms.pending("bob@ims.test") == 3, "the newest go first"
        (bob,) = await phones(lab, "bob")
        received = await bob.receive()
        assert received.text == "0"
        await received.acknowledge()
        second = await bob.receive()
        assert sms.pending("bob@ims.test") == 2
        assert finish(flushing) == SLICE + 2
        assert sms.pending("bob@ims.test") == 0
        await second.acknowledge()
        await asyncio.sleep(100)
        assert bob.idle

    play(scenario)
