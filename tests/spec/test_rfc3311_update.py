"""RFC 3311: UPDATE inside early and confirmed dialogs."""

from __future__ import annotations

import pytest

from libreims.proto.sip.dialog import Dialog
from support.calls import SAYS_UPDATE, connected, described, hung_up, retry_after
from support.lab import DOMAIN, Lab, play

BOB = f"sip:bob@{DOMAIN}"


def test_4_support_is_announced_in_allow_of_requests_and_answers() -> None:
    """§4: a caller that supports UPDATE says so in the INVITE, a callee in its provisional and 2xx
    responses."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert "UPDATE" in invite.request.elements("Allow")
        bob.respond(invite, 180)
        assert "UPDATE" in (await call.response(180)).elements("Allow")
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert "UPDATE" in answer.elements("Allow")
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


@pytest.mark.parametrize("allowed", [True, False])
def test_5_1_update_goes_only_to_who_said_it_understands_it(allowed: bool) -> None:
    """§5.1: sent when the peer's Allow has it; otherwise the change travels as re-INVITE."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob, headers=SAYS_UPDATE if allowed else ())
        change = alice.in_dialog(mo, "UPDATE", alice.sdp(direction="sendonly"))
        asked = await bob.expect("UPDATE" if allowed else "INVITE")
        assert described(asked.request).direction(0) == "sendonly"
        bob.respond(asked, 200, bob.sdp(direction="recvonly"))
        assert described(await change.response(200)).direction(0) == "recvonly"
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_2_an_update_before_the_last_one_is_answered_gets_500_with_retry_after() -> None:
    """§5.2: 500 with a Retry-After of 0 to 10 seconds."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob, headers=SAYS_UPDATE)
        first = alice.in_dialog(mo, "UPDATE", alice.sdp())
        asked = await bob.expect("UPDATE")
        second = await alice.in_dialog(mo, "UPDATE", alice.sdp()).final()
        assert second.status == 500 and 0 <= retry_after(second) <= 10
        bob.respond(asked, 200, bob.sdp())
        await first.response(200)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_2_an_offer_in_update_while_ours_is_not_answered_gets_491() -> None:
    """§5.2: glare."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob, headers=SAYS_UPDATE)
        first = alice.in_dialog(mo, "UPDATE", alice.sdp())
        asked = await bob.expect("UPDATE")
        assert (await bob.in_dialog(mt, "UPDATE", bob.sdp()).final()).status == 491
        bob.respond(asked, 200, bob.sdp())
        await first.response(200)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_2_an_offer_in_update_while_the_invites_is_not_answered_gets_500() -> None:
    """§5.2: the offer of the INVITE has no answer yet: 500 with Retry-After; the call goes on."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        assert call.transaction is not None
        early = Dialog.from_response(call.transaction.request, await call.response(180))
        refusal = await alice.in_dialog(early, "UPDATE", alice.sdp()).final()
        assert refusal.status == 500 and 0 <= retry_after(refusal) <= 10
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        mo.local_cseq = early.local_cseq
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_2_an_update_without_offer_is_answered_in_any_state() -> None:
    """§5.2: it refreshes the target and touches no media, in an early dialog and during a change as well."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        assert call.transaction is not None
        early = Dialog.from_response(call.transaction.request, await call.response(180))
        assert (await alice.in_dialog(early, "UPDATE").final()).status == 200
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        mo.local_cseq = early.local_cseq
        await bob.expect_ack()
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        asked = await bob.expect("INVITE")
        answer = await alice.in_dialog(mo, "UPDATE").final()
        assert answer.status == 200 and not answer.body
        bob.respond(asked, 200, bob.sdp())
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_2_an_offer_that_cannot_be_accepted_gets_488_and_changes_nothing() -> None:
    """§5.2: 488, the session as before."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        bad = alice.sdp().replace(alice.host.encode(), b"somewhere.example")
        assert (await alice.in_dialog(mo, "UPDATE", bad).final()).status == 488
        assert len(lab.server.relay) == 2
        await hung_up(alice, mo, bob)

    play(scenario)
