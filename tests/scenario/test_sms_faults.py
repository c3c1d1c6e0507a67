"""Faults on purpose and by mistake: filters, forced causes, `sms: false`, no SGs, odd octets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libreims.base.errors import Reject
from libreims.proto.sms.address import Address
from libreims.proto.sms.report import DeliverReport
from libreims.proto.sms.rp import RpAck, RpData, RpSmma, encode_from_phone
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.user_data import UserData
from support.lab import CONFIG, DOMAIN, Lab, play
from support.sim_phone import SimPhone
from support.sms_phone import CENTRE, PSI, SMS_TYPE, phones

BOB = "0600000002"


def filters(lab: Lab, **kinds: dict[str, Any]) -> None:
    lab.config.update({"sms_message_filter": kinds})


def test_rp_data_is_ignored_so_many_times() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        filters(lab, rp_data={"action": "ignore", "ttl": 2})
        for _ in range(2):
            assert (await alice.submit(BOB).final()).status == 202
        await asyncio.sleep(5)
        assert alice.idle
        assert not len(lab.server.sms.centre)
        await alice.accepted(alice.submit(BOB))
        filters(lab, rp_data={"action": "ignore", "ttl": 1})
        assert (await alice.submit(BOB).final()).status == 202
        await alice.accepted(alice.submit(BOB))

    play(scenario)


def test_rp_data_is_rejected_until_the_filter_changes() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        for _ in range(3):
            assert await alice.refused(alice.submit(BOB)) == (21, None)
        lab.config.update({"sms_forced_rp_cause": 38})
        assert await alice.refused(alice.submit(BOB)) == (38, None)
        filters(lab)
        await alice.accepted(alice.submit(BOB))
        assert await alice.refused(alice.submit("0699")) == (38, 0xC3)
        lab.config.update({"sms_forced_rp_cause": 0})
        assert await alice.refused(alice.submit("0699")) == (1, 0xC3)

    play(scenario, CONFIG + 'sms_message_filter: { rp_data: { action: "reject" } },')


@pytest.mark.parametrize(("action", "status"), [("ignore", 202), ("reject", 403)])
def test_an_rp_ack_that_does_not_count(action: str, status: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        filters(lab, rp_ack={"action": action, "ttl": 1})
        await alice.accepted(alice.submit(BOB))
        first = await bob.receive()
        answered = first.answer(RpAck(first.rp.reference, DeliverReport().encode()))
        assert (await answered.final()).status == status
        await asyncio.sleep(40 + 31)
        await (await bob.receive()).acknowledge()
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_an_impu_without_sms_over_ims() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        assert await alice.refused(alice.submit(BOB)) == (29, 0xC4)
        assert (await bob.submit("0600000001").final()).status == 403
        said = alice.peer.send("MESSAGE", f"sip:{BOB}@{DOMAIN}", [("Content-Type", "text/plain")], b"x")
        assert (await said.final()).status == 403
        assert "has sms: false" in lab.log_text()
        lab.server.admin.set_impu("tel:0600000002", {"sms": True})
        await alice.accepted(alice.submit(BOB))
        lab.server.admin.set_impu("tel:0600000002", {"sms": False})
        await asyncio.sleep(5)

    without = CONFIG.replace(
        '["sip:bob", "tel:0600000002"]', '[{ impu: "tel:0600000002", sms: false }, "sip:bob"]'
    )
    play(scenario, without.replace('"sip:bob"', '{ impu: "sip:bob", sms: false }'), settle=400)


def test_sms_over_sgs_is_asked_for_and_not_there() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        lab.server.admin.set_user("bob@ims.test", force_sms_over_sg=True)
        assert await alice.refused(alice.submit(BOB)) == (29, 0xC4)
        assert "force_sms_over_sg: true, and SMS over SGs is not there yet: unset it" in lab.log_text()
        sent = lab.server.sms.control.send("kept", impi="bob@ims.test")
        assert "SMS over SGs is not there yet" in sent.waits_for
        await asyncio.sleep(5)
        assert bob.idle
        lab.server.admin.set_user("bob@ims.test", force_sms_over_sg=False)
        received = await bob.receive()
        assert received.text == "kept"
        await received.acknowledge()

    play(scenario)


def test_octets_that_are_no_rp_message() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        assert (await alice.send_octets(b"\x00").final()).status == 400
        assert (await alice.send_octets(b"").final()).status == 400
        assert await alice.refused(alice.send_octets(b"\x00\x05\x00")) == (96, None)
        assert await alice.refused(alice.send_octets(b"\x07\x05")) == (97, None)
        assert await alice.refused(alice.send_rp(RpData(3, CENTRE, b"\x03"))) == (97, None)
        report = DeliverReport().encode()
        assert await alice.refused(alice.send_rp(RpData(4, CENTRE, report))) == (95, 0xB0)
        assert await alice.refused(alice.submit("")) == (96, 0xC3)

    play(scenario)


@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.3gpp.sms"])
def test_names_that_are_too_long_to_be_kept(kind: str) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        for size, status in ((1900, 202), (2048, 513)):
            headers = (("Content-Type", kind), ("Call-ID", "x" * size))
            body = encode_from_phone(RpSmma(1)) if kind != "text/plain" else b"hello"
            outcome = alice.peer.send("MESSAGE", "sip:bob@ims.test", headers, body)
            assert (await outcome.final()).status == status
        if kind != "text/plain":
            await alice.message()

    play(scenario)


def test_a_report_that_cannot_be_read_is_answered_202_and_no_more() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        for body in (b"\x04\x05", b"\x04\x05\x00", b"\x04\x05\x02\x01"):
            assert (await alice.send_octets(body).final()).status == 202
        await asyncio.sleep(1)
        assert alice.idle
        assert lab.log_text().count("a report of alice@ims.test cannot be read") == 3

    play(scenario)


def test_a_message_to_a_name() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await alice.accepted(alice.submit("bob", "by name"))
        received = await bob.receive()
        assert received.text == "by name"
        await received.acknowledge()
        assert await alice.refused(alice.submit("*12#")) == (1, 0xC3)

    play(scenario)


def test_an_rp_ack_for_nothing_and_of_somebody_else() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob, carol = await phones(lab, "alice", "bob", "carol")
        assert (await alice.send_rp(RpAck(9)).final()).status == 202
        await alice.accepted(alice.submit(BOB))
        received = await bob.receive()
        forged = carol.send_rp(RpAck(1), PSI, (("In-Reply-To", received.request.call_id),))
        assert (await forged.final()).status == 202
        assert "acknowledges SMS" in lab.log_text()
        assert len(lab.server.sms.centre) == 1
        await received.acknowledge()
        assert not len(lab.server.sms.centre)

    play(scenario)


def test_a_short_message_in_a_multipart_body() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        submit = Submit(1, Address(BOB), UserData.of_text("inside"))
        rp = encode_from_phone(RpData(1, CENTRE, submit.encode()))
        body = (
            b"--b\r\nContent-Type: application/vnd.3gpp.sms\r\n\r\n"
            + rp
            + b"\r\n--b\r\nContent-Type: application/xml\r\n\r\n<x/>\r\n--b--\r\n"
        )
        headers = (("Content-Type", "multipart/mixed;boundary=b"),)
        await alice.accepted(alice.peer.send("MESSAGE", PSI, headers, body))
        received = await bob.receive()
        assert received.text == "inside"
        await received.acknowledge()

    play(scenario)


def test_a_phone_that_refuses_the_report_of_its_submission() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        submitted = alice.submit(BOB)
        assert (await submitted.final()).status == 202
        alice.peer.respond(await alice.peer.expect("MESSAGE"), 481)
        await asyncio.sleep(1)
        assert "it may believe that the message was lost" in lab.log_text()

    play(scenario)


def test_messages_are_authenticated_where_everything_is() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        phone = SimPhone("alice@ims.test", password=b"secret")

        async def authorised(method: str, uri: str, body: bytes, *headers: tuple[str, str]) -> int:
            to = f"<sip:alice@{DOMAIN}>" if method == "REGISTER" else ""
            first = await alice.send(method, uri, headers, body, to).final()
            assert first.status == 401
            challenge = ("WWW-Authenticate", first.get("WWW-Authenticate") or "")
            answer = phone.answer(Reject(401, "", headers=(challenge,)), method)
            return (
                await alice.send(method, uri, (*headers, ("Authorization", answer)), body, to).final()
            ).status

        assert await authorised("REGISTER", f"sip:{DOMAIN}", b"", ("Expires", "600")) == 200
        body = encode_from_phone(RpAck(1))
        assert await authorised("MESSAGE", PSI, body, ("Content-Type", SMS_TYPE)) == 202

    users = CONFIG.replace('authent_type: "none"', 'authent_type: "MD5", pwd: "secret"')
    play(scenario, users + "auth_on_register_only: false,")
