"""RFC 3326: why a call ended, told from side to side and in what the server says itself."""

from __future__ import annotations

import re

import pytest

from libreims.call.events import sip_reason
from support.calls import connected, ended_by_server
from support.lab import DOMAIN, Lab, play

BOB = f"sip:bob@{DOMAIN}"
GRAMMAR = re.compile(r'(SIP|Q\.850);cause=\d+(;text="[^"\\\r\n]*")?')


@pytest.mark.parametrize(
    "text", ["plain", 'with "quotes" and \\', "line\r\nbreak: x", "tab\tand \x7f", "üñí", "\udcff"]
)
def test_2_the_value_keeps_to_the_grammar_whatever_the_text(text: str) -> None:
    """§2: protocol, cause, text as a quoted string; no text may break out of it."""
    ((name, value),) = sip_reason(488, text)
    assert name == "Reason"
    assert GRAMMAR.fullmatch(value)


def test_1_the_reason_of_a_bye_reaches_the_other_side() -> None:
    """§1: all values, in their order."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        reasons = ['Q.850;cause=16;text="Terminated"', "SIP;cause=200"]
        headers = tuple(("Reason", each) for each in reasons)
        assert (await alice.in_dialog(mo, "BYE", headers=headers).final()).status == 200
        bye = await bob.expect("BYE")
        assert bye.request.get_all("Reason") == reasons
        bob.respond(bye, 200)

    play(scenario)


@pytest.mark.parametrize("given", ['SIP;cause=200;text="Call completed elsewhere"', ""])
def test_3_1_the_reason_of_a_cancel_reaches_the_phone_that_rings(given: str) -> None:
    """§3.1: "Call Completed Elsewhere" keeps a phone from showing a missed call."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        seen = []
        original = bob.cancel_received
        bob.cancel_received = lambda transaction, cancel: (  # type: ignore[method-assign]
            seen.append(cancel.get("Reason")),
            original(transaction, cancel),
        )
        assert call.transaction is not None
        call.transaction.cancel((("Reason", given),) if given else ())
        bob.respond(await bob.expect_cancel(), 487)
        assert (await call.final()).status == 487
        assert seen == [given or 'SIP;cause=487;text="Caller hung up"']

    play(scenario)


def test_3_1_phones_that_lose_the_race_are_told_who_won() -> None:
    """§3.1: the forking case."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        seen = []
        original = one.cancel_received
        one.cancel_received = lambda transaction, cancel: (  # type: ignore[method-assign]
            seen.append(cancel.get("Reason")),
            original(transaction, cancel),
        )
        call = alice.send("INVITE", BOB, body=alice.sdp())
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        one.respond(first, 180)
        two.respond(second, 200, two.sdp())
        one.respond(await one.expect_cancel(), 487)
        assert seen == ['SIP;cause=200;text="Call completed elsewhere"']
        mo = alice.ack(call, await call.response(200))
        await two.expect_ack()
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        await ended_by_server(two)

    play(scenario)


def test_3_2_what_the_server_ends_itself_says_why_with_the_status() -> None:
    """§3.2: the status that explains it as cause."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        await ended_by_server(alice, bob, reason='SIP;cause=408;text="Media timeout"')

    play(scenario)


@pytest.mark.parametrize(
    ("status", "seen", "header", "value"),
    [
        (486, 486, "Reason", 'Q.850;cause=17;text="User busy"'),
        (480, 480, "Retry-After", "60"),
        (488, 488, "Warning", '305 phone "no codec in common"'),
        (302, 302, "Contact", "<sip:elsewhere@example.com>"),
        (420, 420, "Unsupported", "timer"),
        (415, 415, "Accept", "application/sdp"),
        (405, 405, "Allow", "ACK, BYE"),
        (503, 500, "Retry-After", "60"),
        (401, 480, "Reason", "SIP;cause=401"),
        (481, 480, "Reason", "SIP;cause=481"),
    ],
)
def test_a_refusal_takes_along_what_explains_it(status: int, seen: int, header: str, value: str) -> None:
    """RFC 3261 §21 and §16.7: the headers that belong to a status; what was meant for the server alone is not
    passed as if it were the caller's business."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), status, headers=((header, value),))
        refusal = await call.final()
        assert refusal.status == seen
        assert value in refusal.get_all(header)

    play(scenario)
