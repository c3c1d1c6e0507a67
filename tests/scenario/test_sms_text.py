"""Plain text between users (RFC 3428), and its conversion to and from short messages."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sms.address import Address
from libreims.proto.sms.segments import segment
from libreims.proto.sms.submit import Submit
from libreims.sms.control import Octets
from libreims.sms.pager import PATIENCE
from support.lab import DOMAIN, Lab, Outcome, Peer, play
from support.sms_phone import phone, phones

TEXT = (("Content-Type", "text/plain"),)
UTF8 = "text/plain;charset=UTF-8"


def say(peer: Peer, to: str, text: str = "Hello", **headers: str) -> Outcome:
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if "Content_Type" not in headers:
        given.append(("Content-Type", "text/plain"))
    return peer.send("MESSAGE", f"sip:{to}@{DOMAIN}", given, text.encode())


def test_text_is_passed_on_and_the_answer_comes_back() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        said = say(alice, "bob", "Grüße", Subject="Hi", Content_Type=UTF8)
        message = await bob.expect("MESSAGE")
        request = message.request
        assert request.body.decode() == "Grüße"
        assert request.get("Content-Type") == UTF8
        assert request.get("Subject") == "Hi"
        assert request.uri == bob.uri
        assert request.from_.uri_text == f"sip:alice@{DOMAIN}"
        assert f"<sip:alice@{DOMAIN}>" in request.elements("P-Asserted-Identity")
        assert request.get("Contact") is None
        assert not said.responses
        bob.respond(message, 200)
        assert (await said.final()).status == 200
        refused = say(alice, "bob")
        bob.respond(await bob.expect("MESSAGE"), 488, headers=[("Warning", "399 - no")])
        answer = await refused.final()
        assert (answer.status, answer.get("Warning")) == (488, "399 - no")
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_text_for_a_soft_phone_that_is_off_is_kept() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        for number in range(2):
            assert (await say(alice, "bob", f"Größe {number}").final()).status == 202
        (bob,) = await lab.registered("bob")
        for number in range(2):
            message = await bob.expect("MESSAGE")
            assert message.request.body.decode() == f"Größe {number}"
            assert message.request.from_.uri_text == f"sip:alice@{DOMAIN}"
            await asyncio.sleep(1)
            assert not bob.incoming
            bob.respond(message, 200)
        await asyncio.sleep(1)
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_what_is_no_text_is_passed_on_but_not_kept() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        composing = "application/im-iscomposing+xml"
        assert (await say(alice, "bob", "<x/>", Content_Type=composing).final()).status == 480
        (bob,) = await lab.registered("bob")
        said = say(alice, "bob", "<x/>", Content_Type=composing)
        bob.respond(await bob.expect("MESSAGE"), 200)
        assert (await said.final()).status == 200

    play(scenario)


def test_new_text_does_not_overtake_what_waits() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await say(alice, "bob", "first").final()).status == 202
        (bob,) = await lab.registered("bob")
        first = await bob.expect("MESSAGE")
        assert (await say(alice, "bob", "second").final()).status == 202
        bob.respond(first, 200)
        second = await bob.expect("MESSAGE")
        assert second.request.body == b"second"
        bob.respond(second, 200)

    play(scenario)


@pytest.mark.parametrize("status", [480, 503])
def test_text_that_a_phone_cannot_take_now_is_kept(status: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        said = say(alice, "bob")
        bob.respond(await bob.expect("MESSAGE"), status)
        assert (await said.final()).status == 202
        await asyncio.sleep(29)
        assert not bob.incoming
        await asyncio.sleep(2)
        bob.respond(await bob.expect("MESSAGE"), 200)

    play(scenario)


def test_a_phone_that_does_not_answer_does_not_keep_the_sender_waiting() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        said = say(alice, "bob")
        message = await bob.expect("MESSAGE")
        await asyncio.sleep(PATIENCE + 1)
        assert said.statuses == [202]
        bob.respond(message, 200)
        await asyncio.sleep(1)
        assert not len(lab.server.sms.centre), "the phone has it after all"
        await asyncio.sleep(100)
        assert not bob.incoming

    play(scenario)


def test_nobody_has_the_name() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await say(alice, "nobody").final()).status == 404
        assert (await say(alice, "echo").final()).status == 403
        assert "takes calls only" in lab.log_text()
        stranger = await lab.peer("bob")
        assert (await say(stranger, "alice").final()).status == 403

    play(scenario)


def test_the_character_set_is_known_or_refused() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        (bob,) = await phones(lab, "bob")
        latin = 'text/plain; charset="ISO-8859-1"'
        headers = (("Content-Type", latin),)
        said = alice.send("MESSAGE", f"sip:bob@{DOMAIN}", headers, "Grüße".encode("latin1"))
        assert (await said.final()).status == 202
        received = await bob.receive()
        assert received.text == "Grüße"
        await received.acknowledge()
        refused = await say(alice, "bob", Content_Type="text/plain;charset=koi8-r").final()
        assert (refused.status, refused.get("Accept")) == (415, "text/plain, application/vnd.3gpp.sms")

    play(scenario)


# -- with phones that do SMS over IP -------------------------------------------------------------------


def test_a_soft_phone_writes_to_a_phone() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        (bob,) = await phones(lab, "bob")
        assert (await say(alice, "0600000002", "short").final()).status == 202
        received = await bob.receive()
        assert received.text == "short"
        assert received.deliver.originator.number == "0600000001"
        await received.acknowledge()

    play(scenario)


@pytest.mark.parametrize(
    ("text", "parts"), [("x" * 161, 2), ("Привет, мир! " * 12, 3), ("😀" * 40, 2), ("€[]" * 60, 3)]
)
def test_long_text_becomes_several_messages_and_one_again(text: str, parts: int) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await say(alice, "bob", text).final()).status == 202
        assert lab.server.sms.control.pending("bob@ims.test") == parts
        bob = await phone(lab, "bob")
        await bob.register()
        pieces = []
        for number in range(1, parts + 1):
            received = await bob.receive()
            part = received.deliver.user_data.header.concatenation
            assert part is not None
            assert (part.total, part.number) == (parts, number)
            pieces.append(received.text or "")
            await received.acknowledge()
        assert "".join(pieces) == text
        assert (await say(alice, "carol", text).final()).status == 202
        (carol,) = await lab.registered("carol")
        message = await carol.expect("MESSAGE")
        assert message.request.body.decode() == text
        carol.respond(message, 200)
        await asyncio.sleep(1)
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_a_phone_writes_a_long_text_to_a_soft_phone() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        (bob,) = await lab.registered("bob")
        text = "A long text from a phone. " * 10
        parts = segment(text, 7).parts
        for number, part in enumerate(parts):
            alice.reference = number
            await alice.accepted(alice.send_tpdu(Submit(number, Address("0600000002"), part)))
        message = await bob.expect("MESSAGE")
        assert message.request.body.decode() == text
        assert message.request.get("Content-Type") == UTF8
        assert message.request.from_.uri.user == "0600000001"
        bob.respond(message, 200)
        await asyncio.sleep(1)
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_a_part_alone_goes_alone_after_a_while() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        (bob,) = await lab.registered("bob")
        part = segment("x" * 200, 7).parts[1]
        await alice.accepted(alice.send_tpdu(Submit(0, Address("0600000002"), part)))
        await asyncio.sleep(29)
        assert not bob.incoming
        await asyncio.sleep(2)
        message = await bob.expect("MESSAGE")
        assert message.request.body == b"x" * (200 - 153)
        bob.respond(message, 200)

    play(scenario)


def test_octets_wait_for_a_phone_that_does_sms() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        lab.server.sms.control.send(Octets(b"\x00\x01"), impu="sip:bob")
        lab.server.sms.control.send("text", impu="sip:bob")
        message = await bob.expect("MESSAGE")
        assert message.request.body == b"text"
        bob.respond(message, 200)
        second = await phone(lab, "bob")
        await second.register()
        received = await second.receive()
        assert received.deliver.dcs == 4
        assert received.deliver.user_data.octets == b"\x00\x01"
        await received.acknowledge()

    play(scenario)


def test_a_phone_that_takes_no_messages_is_asked_once() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        (bob,) = await lab.registered("bob")
        await alice.accepted(alice.submit("0600000002"))
        bob.respond(await bob.expect("MESSAGE"), 405)
        await asyncio.sleep(3000)
        assert not bob.incoming
        assert (await bob.register(0)).status == 200
        assert (await bob.register()).status == 200
        bob.respond(await bob.expect("MESSAGE"), 200)

    play(scenario)


def test_text_that_a_phone_declines_steps_aside() -> None:
    """Of somebody on its block list, for example."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        (bob,) = await lab.registered("bob")
        for text in ("from a nuisance", "from a friend"):
            await alice.accepted(alice.submit("0600000002", text))
        bob.respond(await bob.expect("MESSAGE"), 403)
        message = await bob.expect("MESSAGE")
        assert message.request.body == b"from a friend"
        bob.respond(message, 200)
        await asyncio.sleep(25)
        assert not bob.incoming
        again = await bob.expect("MESSAGE")
        assert again.request.body == b"from a nuisance"
        bob.respond(again, 200)

    play(scenario)


def test_a_text_that_is_too_long() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await say(alice, "bob", "x" * 40000).final()).status == 413

    play(scenario)


def test_a_large_message_goes_over_tcp_and_as_datagram_where_nobody_listens() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        said = say(alice, "bob", "x" * 2000)
        message = await bob.expect("MESSAGE")
        assert message.flow.transport == "TCP"
        bob.respond(message, 200)
        assert (await said.final()).status == 200

    play(scenario)
