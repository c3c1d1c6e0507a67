"""Simulated phones text each other through the whole server on virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libreims.proto.sms.failure import Status
from libreims.ue.phone import Phone
from libreims.ue.script import Script, parse_steps
from libreims.ue.short_message import SmsError
from scenario.test_phones import CONFIG, phone
from support.lab import Lab, play
from support.restarts import Kept, crashing
from support.restarts import play as play_kept

LONG = "A text of more than one message: " + "0123456789" * 14
PRETTY = "Grüße \u20ac \U0001f4f1 " * 9


async def reads(receiver: Phone, count: int = 1) -> None:
    assert await receiver.sms.changes.until(lambda: receiver.sms.came >= count, 60)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_short_and_long_texts_in_both_alphabets(transport: str, ipv6: bool) -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, transport=transport, ipv6=ipv6)
        b = await phone(lab, 2)
        for text, parts in (("Hello", 1), (LONG, 2), (PRETTY, 2), ("", 1), ("x" * 160, 1), ("[" * 80, 1)):
            sent = await a.sms.send("tel:1002", text)
            assert len(sent.references) == parts, text
        await reads(b, 6)
        assert [each.text for each in b.sms.inbox] == ["Hello", LONG, PRETTY, "", "x" * 160, "[" * 80]
        assert {each.sender for each in b.sms.inbox} == {"1001"}
        assert all(each.sent_at and abs(each.sent_at - lab.utc()) < 5 for each in b.sms.inbox)
        await asyncio.sleep(5)
        # Each part was acknowledged: nothing waits in the centre, nothing comes again.
        assert b.sms.came == 6 and not any("did not arrive" in note for note in b.recorder.notes)

    play(scenario, CONFIG)


def test_both_text_at_once_and_answer() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2)
        texts = [f"message {number}" for number in range(10)]
        await asyncio.gather(
            *(a.sms.send("tel:1002", text) for text in texts),
            *(b.sms.send("tel:1001", text) for text in texts),
        )
        await reads(a, 10)
        await reads(b, 10)
        for receiver in (a, b):
            assert [each.text for each in receiver.sms.inbox] == texts, "in the order of sending"

    play(scenario, CONFIG)


def test_a_phone_that_is_off_gets_its_messages_when_it_registers() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1)
        await a.sms.send("tel:1002", "first")
        await a.sms.send("tel:1002", LONG)
        await asyncio.sleep(100)
        b = await phone(lab, 2)
        await reads(b, 2)
        assert [each.text for each in b.sms.inbox] == ["first", LONG]

    play(scenario, CONFIG)


def test_a_number_that_nobody_has_is_refused_with_its_cause() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1)
        with pytest.raises(SmsError, match="RP-ERROR 1 unassigned") as caught:
            await a.sms.send("tel:5550199", "hello?")
        assert caught.value.cause == 1
        assert not a.sms.sent

    play(scenario, CONFIG)


def test_a_status_report_comes_when_it_was_asked_for() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1)
        sent = await a.sms.send("tel:1002", "read this", report=True)
        await asyncio.sleep(30)
        assert not a.sms.reports, "it has not been delivered yet"
        await phone(lab, 2)
        assert await a.sms.changes.until(lambda: bool(a.sms.reports), 60)
        report = a.sms.reports[-1]
        assert (report.reference, report.recipient.number) == (*sent.references, "1002")
        assert report.status == Status.RECEIVED

    play(scenario, CONFIG)


def test_a_full_memory_keeps_messages_in_the_centre() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2)
        b.sms.memory_full = True
        await a.sms.send("tel:1002", "one")
        await a.sms.send("tel:1002", "two")
        await asyncio.sleep(20)
        assert not b.sms.inbox
        assert any("the memory is full" in note for note in b.recorder.notes)
        await b.sms.memory_available()
        await reads(b, 2)
        assert [each.text for each in b.sms.inbox] == ["one", "two"]

    play(scenario, CONFIG)


def test_soft_phones_get_and_send_plain_text() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1)
        soft = await phone(
            lab,
            9,
            impi="alice",
            impu="sip:alice@ims.test",
            sim=None,
            scheme=None,
            password="secret",
        )
        await a.sms.send("tel:1009", "to a soft phone")
        await reads(soft)
        assert (soft.sms.inbox[-1].text, soft.sms.inbox[-1].over) == ("to a soft phone", "text")
        await soft.sms.send_text("tel:1001", "from a soft phone")
        await reads(a)
        assert (a.sms.inbox[-1].text, a.sms.inbox[-1].over) == ("from a soft phone", "sms")
        with pytest.raises(SmsError, match="404"):
            await soft.sms.send_text("sip:nobody@ims.test", "hello?")

    play(scenario, CONFIG)


def test_a_phone_that_does_not_say_so_gets_text() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2, sms=False)
        await a.sms.send("tel:1002", "hello")
        await reads(b)
        assert b.sms.inbox[-1].over == "text"

    play(scenario, CONFIG)


def test_steps() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2)
        one, other = Script(a), Script(b)
        say = ["sms", "1002", "Hello", "report", "expect-report", "sms", "1002", LONG, "expect-sms"]
        hear = [
            "expect-text",
            "Hello",
            "expect-text",
            LONG,
            "memory-full",
            "memory-free",
            "sms",
            "1001",
            "Bye",
        ]
        done = await asyncio.gather(one.run(parse_steps(say)), other.run(parse_steps(hear)))
        assert done == [True, True], [*one.results, *other.results]
        assert [each.text for each in one.results] == [
            "the centre has accepted the message to 1002",
            f"message {a.sms.sent[0].references[0]} to 1002: received",
            "the centre has accepted the message to 1002 in 2 parts",
            "'Bye' came from 1002",
        ]
        assert other.results[1].text.endswith("came from 1001 in 2 parts")
        assert await one.run(parse_steps(["message", "sip:001010000000002@ims.test", "plain"]))
        failed = Script(b)
        failed._read = b.sms.came - 1
        assert not await failed.run(parse_steps(["expect-text", "something else"]))
        assert failed.results[-1].text == "'plain' came from 1001, 'something else' expected"
        assert not await failed.run(parse_steps(["expect-sms", "5"]))
        assert failed.results[-1].text == "no short message came within 5 s"

    play(scenario, CONFIG)


@crashing
def test_the_server_restarts_while_one_phone_is_off_and_nothing_is_lost(tmp_path: Path, crash: bool) -> None:
    """The purpose of SMS with `ue_db_filename`: long and short, both alphabets, once and in order."""

    async def scenario(lab: Lab, kept: Kept) -> None:
        a = await phone(lab, 1)
        sent = []
        for number, text in enumerate(("Hello", LONG, PRETTY)):
            await a.sms.send("tel:1002", f"{number} {text}", report=True)
            sent.append(f"{number} {text}")
            await kept.restart(crash=crash, down=10)
        b = await phone(lab, 2)
        await reads(b, 3)
        assert [each.text for each in b.sms.inbox] == sent
        parts = [reference for each in a.sms.sent for reference in each.references]
        assert await a.sms.changes.until(lambda: len(a.sms.reports) == len(parts), 60)
        assert [each.reference for each in a.sms.reports] == parts
        await kept.restart(crash=crash)
        await asyncio.sleep(600)
        assert b.sms.came == 3 and len(a.sms.reports) == len(parts)
        # Both are registered still: calls and messages go on without a REGISTER.
        await b.sms.send("tel:1001", "all well")
        await reads(a)
        call = a.call("tel:1002")
        await call.wait_answered()
        call.hang_up()
        await call.wait_ended()
        assert kept.records("sms") == []

    play_kept(scenario, tmp_path, CONFIG)
