"""Call flows as ladders: each test's text is the whole exchange, with the media as each side sees them."""

from __future__ import annotations

import asyncio
from textwrap import dedent

from support.calls import changed, connected, hung_up
from support.lab import DOMAIN, Lab, Scenario, play
from support.wire import ladder, violations

BOB = f"sip:bob@{DOMAIN}"


def climb(scenario: Scenario, expected: str) -> None:
    """Play it and compare what went over the wire."""

    async def whole(lab: Lab) -> None:
        await scenario(lab)
        await asyncio.sleep(1)
        assert ladder(lab) == dedent(expected).strip()
        assert not violations(lab)

    play(whole, trace=True)


def test_basic_call() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)

    climb(
        scenario,
        """
        alice -> ims  INVITE [audio sendrecv]
        bob   <- ims  INVITE [audio sendrecv]
        bob   -> ims  180 (INVITE)
        alice <- ims  180 (INVITE)
        bob   -> ims  200 (INVITE) [audio sendrecv]
        bob   <- ims  ACK
        alice <- ims  200 (INVITE) [audio sendrecv]
        alice -> ims  ACK
        alice -> ims  BYE
        alice <- ims  200 (BYE)
        bob   <- ims  BYE
        bob   -> ims  200 (BYE)
        """,
    )


def test_cancelled_while_it_rings() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        await call.final()

    climb(
        scenario,
        """
        alice -> ims  INVITE [audio sendrecv]
        bob   <- ims  INVITE [audio sendrecv]
        bob   -> ims  180 (INVITE)
        alice <- ims  180 (INVITE)
        alice -> ims  CANCEL
        alice <- ims  200 (CANCEL)
        alice <- ims  487 (INVITE)
        bob   <- ims  CANCEL
        alice -> ims  ACK
        bob   -> ims  200 (CANCEL)
        bob   -> ims  487 (INVITE)
        bob   <- ims  ACK
        """,
    )


def test_hold_and_resume_by_the_callee() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        await changed(
            bob, mt, alice, offer=bob.sdp(direction="sendonly"), answer=alice.sdp(direction="recvonly")
        )
        await changed(bob, mt, alice, offer=bob.sdp(), answer=alice.sdp())
        await hung_up(alice, mo, bob)

    climb(
        scenario,
        """
        alice -> ims  INVITE [audio sendrecv]
        bob   <- ims  INVITE [audio sendrecv]
        bob   -> ims  180 (INVITE)
        alice <- ims  180 (INVITE)
        bob   -> ims  200 (INVITE) [audio sendrecv]
        bob   <- ims  ACK
        alice <- ims  200 (INVITE) [audio sendrecv]
        alice -> ims  ACK
        bob   -> ims  INVITE [audio sendonly]
        alice <- ims  INVITE [audio sendonly]
        alice -> ims  200 (INVITE) [audio recvonly]
        alice <- ims  ACK
        bob   <- ims  200 (INVITE) [audio recvonly]
        bob   -> ims  ACK
        bob   -> ims  INVITE [audio sendrecv]
        alice <- ims  INVITE [audio sendrecv]
        alice -> ims  200 (INVITE) [audio sendrecv]
        alice <- ims  ACK
        bob   <- ims  200 (INVITE) [audio sendrecv]
        bob   -> ims  ACK
        alice -> ims  BYE
        alice <- ims  200 (BYE)
        bob   <- ims  BYE
        bob   -> ims  200 (BYE)
        """,
    )


def test_offer_in_the_answer() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB)
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp(media=("audio", "video")))
        mo = alice.ack(call, await call.response(200), alice.sdp(media=("audio", "-video")))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    climb(
        scenario,
        """
        alice -> ims  INVITE
        bob   <- ims  INVITE
        bob   -> ims  200 (INVITE) [audio sendrecv, video sendrecv]
        alice <- ims  200 (INVITE) [audio sendrecv, video sendrecv]
        alice -> ims  ACK [audio sendrecv, video off]
        bob   <- ims  ACK [audio sendrecv, video off]
        alice -> ims  BYE
        alice <- ims  200 (BYE)
        bob   <- ims  BYE
        bob   -> ims  200 (BYE)
        """,
    )


def test_two_phones_ring_and_both_answer() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        one.respond(first, 180)
        await asyncio.sleep(0.001)
        two.respond(second, 200, two.sdp())
        await asyncio.sleep(0.001)
        one.respond(first, 200, one.sdp())
        mo = alice.ack(call, await call.response(200))
        one.respond(await one.expect("BYE"), 200)
        await two.expect_ack()
        await asyncio.sleep(0.1)
        await hung_up(alice, mo, two)

    climb(
        scenario,
        """
        alice -> ims  INVITE [audio sendrecv]
        bob3  <- ims  INVITE [audio sendrecv]
        bob2  <- ims  INVITE [audio sendrecv]
        bob2  -> ims  180 (INVITE)
        bob3  -> ims  200 (INVITE) [audio sendrecv]
        bob2  -> ims  200 (INVITE) [audio sendrecv]
        alice <- ims  180 (INVITE)
        bob3  <- ims  ACK
        bob2  <- ims  CANCEL
        alice <- ims  200 (INVITE) [audio sendrecv]
        bob2  <- ims  ACK
        bob2  <- ims  BYE
        bob2  -> ims  200 (CANCEL)
        alice -> ims  ACK
        bob2  -> ims  200 (BYE)
        alice -> ims  BYE
        alice <- ims  200 (BYE)
        bob3  <- ims  BYE
        bob3  -> ims  200 (BYE)
        """,
    )
