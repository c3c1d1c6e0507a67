"""RFC 6086: INFO inside a call, relayed from leg to leg."""

from __future__ import annotations

import pytest

from libreims.proto.sip.dialog import Dialog
from support.calls import connected, ended_by_server, hung_up
from support.lab import DOMAIN, Lab, play


def test_4_2_1_package_and_body_pass_and_nothing_of_the_hop() -> None:
    """§4.2.1, §5: Info-Package, Content-Disposition and body reach the other side."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        headers = (
            ("Content-Type", "application/x"),
            ("Info-Package", "dtmf"),
            ("Content-Disposition", "Info-Package"),
            ("X-Of-The-Hop", "1"),
        )
        sent = alice.in_dialog(mo, "INFO", b"body", headers)
        info = await bob.expect("INFO")
        assert info.request.get("Info-Package") == "dtmf"
        assert info.request.get("Content-Disposition") == "Info-Package"
        assert info.request.body == b"body"
        assert "X-Of-The-Hop" not in info.request
        bob.respond(info, 200)
        assert (await sent.final()).status == 200
        await hung_up(alice, mo, bob)

    play(scenario)


def test_4_2_2_a_refused_package_tells_which_are_wanted() -> None:
    """§4.2.2: 469 comes with Recv-Info."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        sent = alice.in_dialog(mo, "INFO", b"x", (("Content-Type", "a/b"), ("Info-Package", "p")))
        bob.respond(await bob.expect("INFO"), 469, headers=(("Recv-Info", "q"),))
        refusal = await sent.final()
        assert refusal.status == 469 and refusal.get("Recv-Info") == "q"
        await hung_up(alice, mo, bob)

    play(scenario)


def test_5_1_recv_info_of_both_ends_reaches_the_other_end() -> None:
    """§5.1: in INVITE and its 2xx."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", (("Recv-Info", "a"),), alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.get("Recv-Info") == "a"
        bob.respond(invite, 200, bob.sdp(), (("Recv-Info", "b"),))
        answer = await call.response(200)
        assert answer.get("Recv-Info") == "b"
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


@pytest.mark.parametrize(("status", "seen"), [(200, 200), (415, 415), (401, 500), (503, 500), (408, 504)])
def test_4_2_2_the_answer_is_the_other_sides(status: int, seen: int) -> None:
    """A 408 as it is would make the phone give its own dialog up (RFC 3261 §12.2.1.2)."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        sent = alice.in_dialog(mo, "INFO", b"x", (("Content-Type", "a/b"),))
        bob.respond(await bob.expect("INFO"), status)
        assert (await sent.final()).status == seen
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_phone_that_answers_481_has_no_call_any_more() -> None:
    """RFC 3261 §12.2.1.2: both sides are ended."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        sent = alice.in_dialog(mo, "INFO", b"x", (("Content-Type", "a/b"),))
        bob.respond(await bob.expect("INFO"), 481)
        assert (await sent.final()).status == 500
        await ended_by_server(alice, bob, reason="cause=481")

    play(scenario)


def test_before_the_call_is_answered_there_is_nobody_to_inform() -> None:
    """No dialog with the callee yet: 480, at once."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        assert call.transaction is not None
        early = Dialog.from_response(call.transaction.request, await call.response(180))
        sent = alice.in_dialog(early, "INFO", b"x", (("Content-Type", "a/b"),))
        assert (await sent.final()).status == 480
        bob.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario)


def test_an_info_of_the_callee_before_its_answer_is_answered_at_once() -> None:
    """RFC 3261 §17.1.2: a request is not left without a final response until the call is over."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp(), (("Require", "100rel"), ("RSeq", "1")))
        bob.respond(await bob.expect("PRACK"), 200)
        early = Dialog.from_request(invite.request, invite.local_tag)
        sent = bob.in_dialog(early, "INFO", b"x", (("Content-Type", "a/b"),))
        assert (await sent.final()).status == 480
        bob.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario)
