"""What calls hold is freed by reference counts alone: the cyclic collector finds nothing of them."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

from libreims.call.leg import Leg
from libreims.call.leg_media import LegMedia
from libreims.call.session import Session
from libreims.media.relay import MediaPort
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.client_transaction import InviteClientTransaction
from libreims.proto.sip.dialog import Dialog
from support.lab import DOMAIN, SERVER, Lab, Peer, play

OF_CALLS = (Leg, Session, LegMedia, MediaPort, SessionDescription, Dialog)
LINGER = 300.0
"""More than 64*T1 and than what is remembered of a call that is over."""


def alive() -> Counter[str]:
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, OF_CALLS))


async def call(caller: Peer, callee: Peer, *, change: bool) -> None:
    invited = caller.send("INVITE", f"sip:{callee.name}@{DOMAIN}", body=caller.sdp())
    invite = await callee.expect("INVITE")
    callee.respond(invite, 180)
    callee.respond(invite, 200, callee.sdp())
    dialog = caller.ack(invited, await invited.response(200))
    await callee.expect_ack()
    await asyncio.sleep(0.1)
    if change:
        changed = caller.in_dialog(dialog, "INVITE", body=caller.sdp(41000))
        asked = await callee.expect("INVITE")
        callee.respond(asked, 200, callee.sdp())
        caller.ack(changed, await changed.response(200))
        await callee.expect_ack()
        await asyncio.sleep(0.1)
    bye = caller.in_dialog(dialog, "BYE")
    callee.respond(await callee.expect("BYE"), 200)
    assert (await bye.final()).status == 200


def test_calls_leave_no_cycles() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        gc.collect()
        gc.disable()
        try:
            before = alive()
            for number in range(20):
                await call(alice, bob, change=number % 2 == 1)
            assert alive()["UacLeg"] >= 20  # the INVITEs may still get their 2xx again
            await asyncio.sleep(LINGER)
            assert alive() - before == Counter()
        finally:
            gc.enable()

    play(scenario)


def test_of_an_answered_invite_is_kept_what_further_answers_need() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        invited = alice.send("INVITE", f"sip:{bob.name}@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        alice.ack(invited, await invited.response(200))
        first = await bob.expect_ack()
        invites = [each for each in gc.get_objects() if isinstance(each, InviteClientTransaction)]
        kept = [each for each in invites if each.flow.local[0] == SERVER]
        assert len(kept) == 1
        assert kept[0].request.fields.keys() == {"From", "To", "Call-ID", "CSeq"}
        assert kept[0].request.body == b""
        bob.respond(invite, 200, bob.sdp())  # as if our ACK had been lost
        again = await bob.expect_ack()
        assert [again.get(name) for name in ("CSeq", "To")] == [first.get(name) for name in ("CSeq", "To")]

    play(scenario)
