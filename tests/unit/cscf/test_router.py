"""Every request is answered, whatever becomes of it; what goes wrong is told in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from libreims.base.errors import Reject
from libreims.cscf.answer import Answer
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.server_transaction import ServerTransaction
from support.lab import DOMAIN, Lab, play


def served(lab: Lab, handler: object) -> None:
    """Let this serve OPTIONS."""
    lab.server.stack.user.serve("OPTIONS", handler, lambda request: request.call_id)  # type: ignore[attr-defined]


async def asked(lab: Lab, handler: object) -> int:
    served(lab, handler)
    (alice,) = await lab.registered("alice")
    return (await alice.send("OPTIONS", f"sip:{DOMAIN}").final()).status


FAULTS = [
    (Reject(486, "said no", headers=(("X-Why", "busy"),)), 486, "said no"),
    (SipParseError(400, "Bad Header"), 400, "cannot be served: Bad Header"),
    (ZeroDivisionError("a fault"), 500, "met a fault of the server"),
]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(("error", "status", "text"), FAULTS)
def test_what_a_procedure_raises_becomes_the_answer(
    error: Exception, status: int, text: str, waits: bool
) -> None:
    def at_once(transaction: ServerTransaction) -> None:
        raise error

    def later(transaction: ServerTransaction) -> Coroutine[Any, Any, Answer | None]:
        async def procedure() -> Answer | None:
            await asyncio.sleep(0.1)
            raise error

        return procedure()

    async def scenario(lab: Lab) -> None:
        assert await asked(lab, later if waits else at_once) == status
        assert text in lab.log_text()
        assert lab.server.counters.errors.get("internal", 0) == (status == 500)

    play(scenario)


def test_a_procedure_may_return_the_answer() -> None:
    def handler(transaction: ServerTransaction) -> Coroutine[Any, Any, Answer | None]:
        async def procedure() -> Answer | None:
            return Answer(202)

        return procedure()

    async def scenario(lab: Lab) -> None:
        assert await asked(lab, handler) == 202

    play(scenario)


def test_nothing_is_sent_after_the_final_answer() -> None:
    def handler(transaction: ServerTransaction) -> None:
        lab.server.agent.respond(transaction, Answer(200))
        raise Reject(486, "too late")

    lab: Lab

    async def scenario(made: Lab) -> None:
        nonlocal lab
        lab = made
        (alice,) = await lab.registered("alice")
        served(lab, handler)
        outcome = alice.send("OPTIONS", f"sip:{DOMAIN}")
        await outcome.final()
        await asyncio.sleep(1)
        assert outcome.statuses == [200]

    play(scenario)


@pytest.mark.parametrize(
    ("method", "status"),
    [("PUBLISH", 405), ("FROBNICATE", 501), ("BYE", 481), ("INFO", 481), ("UPDATE", 481)],
)
def test_methods_that_nobody_serves_outside_a_dialog(method: str, status: int) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await alice.send(method, f"sip:{DOMAIN}").final()).status == status

    play(scenario)


def test_a_registration_with_a_tag_in_to_is_a_registration() -> None:
    """RFC 3261 §10: REGISTER makes no dialog; phones exist that repeat the tag of the last answer."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        to = f"<sip:alice@{DOMAIN}>;tag=fromtheanswer"
        answer = await alice.send("REGISTER", f"sip:{DOMAIN}", (("Expires", "600"),), to=to).final()
        assert answer.status == 200

    play(scenario)


def test_an_ack_that_belongs_to_nothing_is_told_and_harmless() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        ack = alice.build("ACK", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>;tag=gone")
        alice.stack.send(ack, alice.flow)
        await asyncio.sleep(1)
        assert "belongs to no call" in lab.log_text()

    play(scenario)


@pytest.mark.parametrize("what", ["ack", "cancel"])
def test_a_fault_while_an_ack_or_cancel_is_served_is_logged(what: str) -> None:
    def fault(*args: object) -> bool:
        raise ZeroDivisionError

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        router = lab.server.stack.user
        setattr(router, what, fault)
        if what == "ack":
            ack = alice.build("ACK", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>;tag=gone")
            alice.stack.send(ack, alice.flow)
        else:
            call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
            await call.response(100)
            assert call.transaction is not None
            call.transaction.cancel()
            assert (await call.final()).status == 500
            bob.respond(await bob.expect("INVITE"), 486)
        await asyncio.sleep(1)
        assert "fault of the server" in lab.log_text()
        assert lab.server.counters.errors["internal"] == 1
        assert (await alice.register()).status == 200

    play(scenario)


def test_octets_that_are_no_sip_are_counted_and_told() -> None:
    async def scenario(lab: Lab) -> None:
        socket = lab.network.udp(("10.0.7.7", 7), lambda data, source: None)
        socket.send(b"\x16\x03\x01 hello\r\n", ("10.0.0.1", 5060))
        await asyncio.sleep(1)
        socket.close()
        assert lab.server.counters.errors["sip_bad_message"] == 1
        assert "are no SIP message" in lab.log_text()

    play(scenario)


def test_a_malformed_request_that_is_answered_leaves_a_line() -> None:
    async def scenario(lab: Lab) -> None:
        socket = lab.network.udp(("10.0.7.7", 7), lambda data, source: None)
        head = "OPTIONS sip:ims.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.7.7:7;branch=z9hG4bK1\r\n"
        socket.send((head + "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\r\n").encode(), ("10.0.0.1", 5060))
        await asyncio.sleep(1)
        socket.close()
        line = "400: OPTIONS from 10.0.7.7:7 is against the rules of SIP: Missing C"
        assert line in lab.log_text()

    play(scenario)
