"""Calls through the whole server, message by message, on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.message import Message
from support.api import error
from support.calls import connected, hung_up
from support.lab import CONFIG, DOMAIN, Lab, Outcome, Peer, play

CONFIG_PATIENT = CONFIG + "\ndialog_timeout: 0,"


def described(message: Message) -> SessionDescription:
    return SessionDescription.parse(message.body)


def test_a_call_with_ringing_answer_and_hang_up() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        await call.response(100)
        invite = await bob.expect("INVITE")
        request = invite.request
        assert request.uri == bob.uri
        assert request.from_.uri_text == f"sip:alice@{DOMAIN}"
        assert "tel:0600000001" in " ".join(request.get_all("P-Asserted-Identity"))
        assert request.max_forwards == 69
        offer = described(request)
        assert offer.rtp_address(0) is not None and offer.rtp_address(0)[0] == "10.0.0.1"
        bob.respond(invite, 180)
        ringing = await call.response(180)
        assert ringing.to.tag
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.to.tag == ringing.to.tag
        assert answer.contacts[0].uri.host == "10.0.0.1"
        address = described(answer).rtp_address(0)
        assert address is not None and address[0] == "10.0.0.1" and address != offer.rtp_address(0)
        mo = alice.ack(call, answer)
        ack = await bob.expect_ack()
        assert not ack.body
        assert len(lab.server.relay) == 2
        await hung_up(alice, mo, bob)

    play(scenario)


def test_the_callee_hangs_up_and_its_reason_reaches_the_caller() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        _, mt = await connected(alice, bob)
        reason = 'Q.850;cause=16;text="Terminated"'
        assert (await bob.in_dialog(mt, "BYE", headers=(("Reason", reason),)).final()).status == 200
        bye = await alice.expect("BYE")
        assert bye.request.get("Reason") == reason
        alice.respond(bye, 200)

    play(scenario)


@pytest.mark.parametrize(
    "uri",
    [
        "tel:0600000002",
        "tel:06-0000-0002",
        f"tel:0600000002;phone-context={DOMAIN}",
        f"sip:0600000002;phone-context={DOMAIN}@{DOMAIN};user=phone",
        "sip:0600000002@10.0.0.1",
        f"sip:bob@{DOMAIN}",
    ],
)
def test_every_form_of_a_number_finds_the_callee(uri: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob, uri)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_ipv4_calls_ipv6() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        (bob,) = await lab.registered("bob", ipv6=True)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        address = described(invite.request).rtp_address(0)
        assert address is not None and address[0] == "2001:db8::1"
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        address = described(answer).rtp_address(0)
        assert address is not None and address[0] == "10.0.0.1"
        mo = alice.ack(call, answer)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_cancel_while_ringing() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        cancelled = await bob.expect_cancel()
        bob.respond(cancelled, 487)
        assert (await call.final()).status == 487

    play(scenario)


def test_cancel_before_any_provisional_response_of_the_callee() -> None:
    """RFC 3261 §9.1: our CANCEL waits for the callee's first response."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        await call.response(100)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        bob.respond(await bob.expect_cancel(), 487)

    play(scenario)


def test_cancel_that_crosses_the_answer() -> None:
    """RFC 3261 §15: the callee that answered anyway gets its ACK and a BYE."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(invite, 200, bob.sdp())
        assert (await call.final()).status == 487
        await bob.expect_ack()
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario)


def test_cancel_after_the_answer_changes_nothing() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        await asyncio.sleep(0.012)  # the server has answered; alice does not know yet
        assert call.transaction is not None
        call.transaction.cancel()
        answer = await call.response(200)
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


@pytest.mark.parametrize(("status", "seen"), [(486, 486), (603, 603), (404, 404), (500, 500), (302, 302)])
def test_a_refusal_reaches_the_caller_with_its_reason(status: int, seen: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        reason = 'Q.850;cause=17;text="User busy"'
        bob.respond(await bob.expect("INVITE"), status, headers=(("Reason", reason),))
        refusal = await call.final()
        assert refusal.status == seen
        assert refusal.get("Reason") == reason

    play(scenario)


def test_unknown_and_unregistered_callees_are_explained() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        unknown = await alice.send("INVITE", f"sip:nobody@{DOMAIN}", body=alice.sdp()).final()
        assert unknown.status == 404 and "cause=1;" in (unknown.get("Reason") or "")
        absent = await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp()).final()
        assert absent.status == 480 and "cause=20;" in (absent.get("Reason") or "")
        text = lab.log_text()
        assert "nobody has this number" in text
        assert "known but not registered now" in text

    play(scenario)


def test_a_caller_that_is_not_registered_is_refused_and_told_why_in_the_log() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("bob")
        alice = await lab.peer("alice")
        assert (await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp()).final()).status == 403
        assert "let it register first" in lab.log_text()

    play(scenario)


def test_a_phone_that_does_not_answer_at_all() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        lab.network.cut(bob.host)
        refusal = await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp()).final()
        assert refusal.status == 480
        assert "out of coverage" in lab.log_text()

    play(scenario)


def test_a_phone_that_rings_for_ever_is_given_up() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        bob.respond(await bob.expect_cancel(), 487)
        assert (await call.final()).status == 408

    play(scenario)


def test_hold_and_resume_with_reinvite_and_with_update() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        for method in ("INVITE", "UPDATE"):
            for theirs, ours in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
                change = alice.in_dialog(mo, method, alice.sdp(direction=theirs, version=2))
                asked = await bob.expect("INVITE")  # bob's 200 had no Allow, so UPDATE is not risked
                assert described(asked.request).direction(0) == theirs
                bob.respond(asked, 200, bob.sdp(direction=ours))
                done = await change.response(200)
                assert described(done).direction(0) == ours
                if method == "INVITE":
                    alice.send_ack(mo, done.cseq.number)
                await bob.expect_ack()
                await asyncio.sleep(0.1)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_reinvite_that_is_refused_leaves_the_call_as_it_was() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        before = len(lab.server.relay)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video")))
        bob.respond(await bob.expect("INVITE"), 488)
        assert (await change.final()).status == 488
        assert len(lab.server.relay) == before
        await hung_up(alice, mo, bob)

    play(scenario)


def test_video_is_added_and_taken_away() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        assert len(lab.server.relay) == 2
        for media, ports in ((("audio", "video"), 4), (("audio", "-video"), 2)):
            change = alice.in_dialog(mo, "INVITE", alice.sdp(media=media))
            asked = await bob.expect("INVITE")
            assert [each.kind for each in described(asked.request).media] == ["audio", "video"]
            bob.respond(asked, 200, bob.sdp(media=media))
            alice.send_ack(mo, (await change.response(200)).cseq.number)
            await bob.expect_ack()
            await asyncio.sleep(0.1)
            assert len(lab.server.relay) == ports
        await hung_up(alice, mo, bob)

    play(scenario)


def test_crossing_reinvites_get_491() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        first = alice.in_dialog(mo, "INVITE", alice.sdp(version=2))
        second = bob.in_dialog(mt, "INVITE", bob.sdp(version=2))
        assert (await second.final()).status == 491
        asked = await bob.expect("INVITE")
        bob.respond(asked, 491)
        assert (await first.final()).status == 491
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_call_without_offer_gets_the_callees_offer_and_its_ack_carries_the_answer() -> None:
    """RFC 3261 §13.2.1: offer in the 2xx, answer in the ACK."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}")
        invite = await bob.expect("INVITE")
        assert not invite.request.body
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert described(answer).media[0].kind == "audio"
        mo = alice.ack(call, answer, alice.sdp())
        ack = await bob.expect_ack()
        address = described(ack).rtp_address(0)
        assert address is not None and address[0] == "10.0.0.1"
        await hung_up(alice, mo, bob)

    play(scenario)


def test_no_ack_ends_the_call_on_both_sides() -> None:
    """RFC 3261 §13.3.1.4: 64*T1 after the 2xx."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        await call.response(200)
        alice.respond(await alice.expect("BYE"), 200)
        bob.respond(await bob.expect("BYE"), 200)
        assert "never acknowledged" in lab.log_text()

    # dialog_timeout must not be what ends it
    play(scenario, CONFIG_PATIENT)


def test_bye_of_both_sides_at_once() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        first = alice.in_dialog(mo, "BYE")
        second = bob.in_dialog(mt, "BYE")
        assert (await first.final()).status == 200
        assert (await second.final()).status == 200
        for peer in (alice, bob):
            await asyncio.sleep(0.1)
            while peer.incoming:
                peer.respond(await peer.expect("BYE"), 481)

    play(scenario)


def test_the_callee_hangs_up_before_the_callers_ack() -> None:
    """RFC 3261 §15: the BYE to the caller waits for its ACK."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        await bob.expect_ack()
        assert (await bob.in_dialog(bob.answered(invite), "BYE").final()).status == 200
        await asyncio.sleep(1)
        assert not alice.incoming
        alice.ack(call, answer)
        alice.respond(await alice.expect("BYE"), 200)

    play(scenario)


def test_info_is_relayed_with_its_body_and_its_answer() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        sent = alice.in_dialog(
            mo, "INFO", b"Signal=5\r\nDuration=160\r\n", (("Content-Type", "application/dtmf-relay"),)
        )
        info = await bob.expect("INFO")
        assert info.request.body == b"Signal=5\r\nDuration=160\r\n"
        assert info.request.content_type == "application/dtmf-relay"
        bob.respond(info, 415)
        assert (await sent.final()).status == 415
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_required_extension_that_we_lack_is_refused_by_name() -> None:
    async def scenario(lab: Lab) -> None:
        alice, _ = await lab.registered("alice", "bob")
        headers = (("Require", "replaces"), ("Supported", "100rel"))
        refusal = await alice.send("INVITE", f"sip:bob@{DOMAIN}", headers, alice.sdp()).final()
        assert refusal.status == 420
        assert refusal.get("Unsupported") == "replaces"

    play(scenario)


def test_bad_sdp_is_refused_with_a_reason() -> None:
    async def scenario(lab: Lab) -> None:
        alice, _ = await lab.registered("alice", "bob")
        refusal = await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=b"v=0\r\nm=audio x\r\n").final()
        assert refusal.status == 400
        assert "SDP from alice@ims.test cannot be read" in lab.log_text()

    play(scenario)


def test_silence_ends_the_call_after_dialog_timeout() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        begin = lab.loop.time()
        alice.respond(await alice.expect("BYE"), 200)
        bob.respond(await bob.expect("BYE"), 200)
        assert 29 < lab.loop.time() - begin < 31
        assert "dialog_timeout" in lab.log_text()

    play(scenario)


def test_a_held_call_is_not_silent() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="inactive"))
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp(direction="inactive"))
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await asyncio.sleep(600)
        assert not alice.incoming and not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario)


def test_echo_answers_with_the_callers_codecs() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:666", body=alice.sdp(media=("audio", "video")))
        await call.response(180)
        answer = await call.response(200)
        assert [each.formats for each in described(answer).media] == [("0", "8"), ("0", "8")]
        mo = alice.ack(call, answer)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="sendonly", media=("audio", "video")))
        held = await change.response(200)
        assert described(held).direction(0) == "recvonly"
        alice.send_ack(mo, held.cseq.number)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200

    play(scenario)


def test_all_phones_of_a_user_ring_and_the_first_answer_wins() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        one.respond(first, 180)
        two.respond(second, 180)
        two.respond(second, 200, two.sdp())
        cancelled = await one.expect_cancel()
        one.respond(cancelled, 487)
        mo = alice.ack(call, await call.response(200))
        await two.expect_ack()
        await hung_up(alice, mo, two)

    play(scenario)


def test_all_phones_refuse_and_the_best_refusal_counts() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        one.respond(await one.expect("INVITE"), 500)
        two.respond(await two.expect("INVITE"), 486)
        assert (await call.final()).status == 486

    play(scenario)


def test_a_call_over_tcp() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob", transport="TCP")
        mo, mt = await connected(alice, bob)
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)
        assert mo.remote_tag

    play(scenario)


def test_a_large_invite_moves_to_tcp() -> None:
    """RFC 3261 §18.1.1, `tcp_threshold`."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        big = alice.sdp() + b"a=x-long:" + b"x" * 1400 + b"\r\n"
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=big)
        invite = await bob.expect("INVITE")
        assert invite.flow.transport == "TCP"
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_requests_for_a_dialog_that_does_not_exist_get_481() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        for method in ("BYE", "INFO", "UPDATE", "INVITE"):
            outcome: Outcome = alice.send(method, f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>;tag=gone")
            assert (await outcome.final()).status == 481, method

    play(scenario)


def test_options_tell_what_the_server_can_do() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        answer = await alice.send("OPTIONS", f"sip:{DOMAIN}").final()
        assert answer.status == 200
        assert {"INVITE", "UPDATE", "BYE"} <= set(answer.elements("Allow"))

    play(scenario)


def test_no_call_begins_while_the_server_ends() -> None:
    """It waits a moment for answers to its BYEs; a call that began meanwhile would be left without one."""

    async def scenario(lab: Lab) -> None:
        alice, bob, carol = await lab.registered("alice", "bob", "carol")
        await connected(alice, bob)
        stopping = asyncio.ensure_future(lab.server.stop())
        byes = [(each, await each.expect("BYE")) for each in (alice, bob)]  # not answered yet
        refused = await carol.send("INVITE", f"sip:alice@{DOMAIN}", body=carol.sdp()).final()
        assert (refused.status, refused.get("Retry-After")) == (503, "10")
        assert "the server ends" in lab.log_text()
        assert "the server ends" in await error(lab, "mt_call", impu="sip:carol")
        for peer, bye in byes:
            peer.respond(bye, 200)
        await stopping

    play(scenario)


def test_shutdown_ends_calls_with_bye() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        stopping = asyncio.ensure_future(lab.server.stop())
        alice.respond(await alice.expect("BYE"), 200)
        bob.respond(await bob.expect("BYE"), 200)
        await stopping

    play(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_loss_duplication_and_reordering_leave_nothing_behind(seed: int) -> None:
    """10 % loss: every call ends with one final state; `play` checks that nothing is left."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.peer("alice"), await lab.peer("bob")
        for peer in (alice, bob):
            while (await peer.register()).status != 200:
                pass
        for _ in range(5):
            await one_call(alice, bob)

    async def one_call(alice: Peer, bob: Peer) -> None:
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        ringing = asyncio.ensure_future(answering(bob))
        response = await call.final()
        if response.status == 200:
            mo = alice.ack(call, response)
            await asyncio.sleep(0.5)
            alice.ack(call, response)
            bye = alice.in_dialog(mo, "BYE")
            assert (await bye.final()).status in (200, 481)
        await asyncio.sleep(40)
        ringing.cancel()
        for peer in (alice, bob):
            while peer.incoming:
                peer.respond(peer.incoming.popleft(), 481)
        await asyncio.sleep(100)

    async def answering(bob: Peer) -> None:
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        bob.respond(invite, 200, bob.sdp())
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario, seed=seed, loss=0.1, duplicate=0.1, jitter=0.02, settle=400)
