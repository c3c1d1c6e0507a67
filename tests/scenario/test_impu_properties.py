"""What properties of IMPUs and echo numbers do to a call (manual §5.2.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.call.history import InvitePending
from support.dialogs import connected, described, echoed, hung_up, with_bob, with_echo
from support.lab import CONFIG, DOMAIN, Lab, Outcome, play
from support.stream import Stream


def test_answer_delay() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        await call.response(180)
        begin = lab.loop.time()
        mo = alice.ack(call, await call.response(200))
        assert 6.9 < lab.loop.time() - begin < 7.1
        await asyncio.sleep(0.1)
        await hung_up(alice, mo)
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487

    play(scenario, with_echo("answer_delay: 7"))


def test_an_echo_number_that_may_only_ring() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        begin = lab.loop.time()
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        assert (await call.final()).status == 480
        assert 199 < lab.loop.time() - begin < 201
        assert call.statuses == [100, 180, 180, 180, 180, 480]
        assert "may only ring (ring_only)" in lab.log_text()

    play(scenario, with_echo("ring_only: true"))


def test_remote_control() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        invites: list[InvitePending] = []
        lab.server.dialogs.bus.subscribe(InvitePending, invites.append)
        control = lab.server.control

        async def waiting() -> tuple[Outcome, str]:
            call = alice.send("INVITE", "tel:777", body=alice.sdp())
            await call.response(180)
            return call, invites[-1].session_id

        call, name = await waiting()
        assert invites == [InvitePending(name, "tel:777", "sip:alice")]
        await asyncio.sleep(5)
        assert call.statuses[-1] == 180
        control.dialog_set(name, "answer", code=182)
        await call.response(182)
        control.dialog_set(name, "answer")
        mo = alice.ack(call, await call.response(200))
        await asyncio.sleep(0.1)
        with pytest.raises(LibreImsError, match="answer: the call does not wait for it"):
            control.dialog_set(name, "answer")
        await hung_up(alice, mo)

        call, name = await waiting()
        control.dialog_set(name, "answer", code=603)
        assert (await call.final()).status == 603

        call, name = await waiting()
        begin = lab.loop.time()
        assert (await call.final()).status == 408
        assert 9.5 < lab.loop.time() - begin < 10.5
        assert "did not come within dialog_timeout" in lab.log_text()

    play(scenario, with_echo("remote_control: true") + "\ndialog_timeout: 10,")


def test_sdp_file_of_an_echo_number(tmp_path: Path) -> None:
    file = tmp_path / "answer.sdp"
    file.write_text(
        "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
        "m=audio 1 RTP/AVP 0\r\na=x-from:file\r\na=sendonly\r\n"
    )

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, answer = await echoed(alice, "tel:777", media=("video", "audio"))
        video, audio = described(answer).media
        assert video.kind == "video" and not video.port
        assert audio.attribute("x-from") == "file" and audio.formats == ("0",)
        address = described(answer).rtp_address(1)
        assert address is not None and address[0] == "10.0.0.1" and address[1] != 1
        assert described(answer).direction(1) == "sendonly"
        await hung_up(alice, mo)
        file.write_text("nonsense")
        refused = await alice.send("INVITE", "tel:777", body=alice.sdp()).final()
        assert refused.status == 500
        assert f"echo tel:777 cannot answer: sdp_file {file} cannot be used" in lab.log_text()

    play(scenario, with_echo(f'sdp_file: "{file}"'))


def test_media_that_an_echo_number_does_not_take() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, answer = await echoed(alice, "tel:777", media=("audio", "video"))
        assert [bool(each.port) for each in described(answer).media] == [True, False]
        assert len(lab.server.relay) == 1
        await hung_up(alice, mo)
        refused = await alice.send("INVITE", "tel:777", body=alice.sdp(media=("video",))).final()
        assert refused.status == 488
        assert "the IMPU has video: false" in lab.log_text()

    play(scenario, with_echo("video: false"))


def test_rtp_switch_and_media_delay_of_an_echo_number() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        stream = Stream(alice)
        mo, answer = await echoed(alice, "tel:777")
        address = described(answer).rtp_address(0)
        assert address is not None
        stream.send(address)
        stream.report(address)
        await asyncio.sleep(1.9)
        assert not stream.rtp and not stream.rtcp
        await asyncio.sleep(0.3)
        assert len(stream.rtp) == 1 and not stream.rtcp
        await hung_up(alice, mo)
        stream.close()

    play(scenario, with_echo("rtcp: false, media_delay: 2"))


# -- IMPUs of users -----------------------------------------------------------------------------------


def test_a_users_impu_that_may_only_ring() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        bob.respond(invite, 200, bob.sdp())
        await bob.expect_ack()
        bob.respond(await bob.expect("BYE"), 200)
        begin = lab.loop.time()
        assert (await call.final()).status == 480
        assert 199 < lab.loop.time() - begin < 201

        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 486)
        assert (await call.final()).status == 486

        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        bob.respond(await bob.expect("BYE"), 200)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487

    play(scenario, with_bob("ring_only: true"))


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_users_impu_without_video(who: str) -> None:
    """Whichever side it is: neither phone is led to believe that there is video."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        both = ("audio", "video")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp(media=both))
        invite = await bob.expect("INVITE")
        assert [bool(each.port) for each in described(invite.request).media] == [True, False]
        bob.respond(invite, 200, bob.sdp(media=("audio", "-video")))
        answer = await call.response(200)
        assert [bool(each.port) for each in described(answer).media] == [True, False]
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        assert len(lab.server.relay) == 2
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=both, version=2))
        asked = await bob.expect("INVITE")
        assert [bool(each.port) for each in described(asked.request).media] == [True, False]
        bob.respond(asked, 200, bob.sdp(media=("audio", "-video")))
        done = await change.response(200)
        assert [bool(each.port) for each in described(done).media] == [True, False]
        alice.send_ack(mo, done.cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, CONFIG.replace(f'impu: ["sip:{who}"', f'impu: [{{ impu: "sip:{who}", video: false }}'))


def test_nothing_but_unwanted_media() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        refused = await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp(media=("video",))).final()
        assert refused.status == 488
        assert "nothing is left of the call's media: the IMPU has video: false" in lab.log_text()
        assert not bob.incoming

    play(scenario, with_bob("video: false"))


def test_rtp_of_a_users_impu() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        near, far = Stream(alice), Stream(bob)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        to_bob = described(invite.request).rtp_address(0)
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        to_alice = described(answer).rtp_address(0)
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        assert to_alice is not None and to_bob is not None
        near.send(to_alice, 3)
        far.send(to_bob, 3)
        await asyncio.sleep(0.1)
        assert (len(near.rtp), len(far.rtp)) == (3, 0)
        near.close()
        far.close()
        await hung_up(alice, mo, bob)

    play(scenario, with_bob("rtp: false"))


def test_the_call_is_watched_while_more_media_are_offered() -> None:
    """`dialog_timeout` comes round while the callee still thinks about the video that the caller offers."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        await asyncio.sleep(29.5)
        alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video")))
        asked = await bob.expect("INVITE")
        await asyncio.sleep(5)
        lab.loop.raise_errors()
        bob.respond(asked, 200, bob.sdp(media=("audio", "video")))
        alice.respond(await alice.expect("BYE"), 200)
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario)


# -- calls that begin on hold -------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
@pytest.mark.parametrize("name", ["allow_hold_invite", "allow_held_invite"])
def test_a_call_that_begins_on_hold_is_unheld(direction: str, name: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp(direction=direction))
        invite = await bob.expect("INVITE")
        assert described(invite.request).direction(0) == "sendrecv"
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        # The answer to the caller still answers what it has offered (RFC 3264 §6.1).
        assert described(answer).direction(0) == {"sendonly": "recvonly", "inactive": "inactive"}[direction]
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        # A hold in the running call is a hold.
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="sendonly", version=2))
        asked = await bob.expect("INVITE")
        assert described(asked.request).direction(0) == "sendonly"
        bob.respond(asked, 200, bob.sdp(direction="recvonly"))
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, CONFIG + f"\n{name}: false,")


def test_a_call_that_begins_with_a_null_address_is_unheld() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        body = alice.sdp().replace(b"c=IN IP4 " + alice.host.encode(), b"c=IN IP4 0.0.0.0")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=body)
        invite = await bob.expect("INVITE")
        offer = described(invite.request)
        assert offer.direction(0) == "sendrecv"
        address = offer.rtp_address(0)
        assert address is not None and address[0] == "10.0.0.1"
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, CONFIG + "\nallow_hold_invite: false,")


def test_a_call_may_begin_on_hold_where_that_is_allowed() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp(direction="sendonly"))
        invite = await bob.expect("INVITE")
        assert described(invite.request).direction(0) == "sendonly"
        bob.respond(invite, 200, bob.sdp(direction="recvonly"))
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        first, second = lab.server.control.dialog_get()
        assert first.state == second.state == "hold"
        assert [first.medias[0].dir, second.medias[0].dir] == ["recvonly", "sendonly"]
        assert 0 < first.duration < 1
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_call_without_offer_to_an_echo_number_with_a_file(tmp_path: Path) -> None:
    """RFC 3261 §13.2.1: the file is the offer then."""
    file = tmp_path / "offer.sdp"
    file.write_text("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\nm=audio 1 RTP/AVP 0\na=x-from:file\n")

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:777")
        answer = await call.response(200)
        assert described(answer).media[0].attribute("x-from") == "file"
        mo = alice.ack(call, answer, alice.sdp())
        await asyncio.sleep(0.1)
        (view,) = lab.server.control.dialog_get()
        assert view.state == "start" and view.medias[0].rtp_addr == f"{alice.host}:40000"
        change = alice.in_dialog(mo, "INVITE")
        done = await change.final()
        assert described(done).media[0].attribute("x-from") == "file"
        alice.send_ack(mo, done.cseq.number, alice.sdp())
        await asyncio.sleep(0.1)
        await hung_up(alice, mo)

    play(scenario, with_echo(f'sdp_file: "{file}"'))


def test_early_media_of_a_phone_that_may_only_ring() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        near, far = Stream(alice), Stream(bob)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp())
        to_bob = described(invite.request).rtp_address(0)
        assert described(await call.response(183)).media
        assert to_bob is not None
        far.send(to_bob, 2)
        await asyncio.sleep(0.1)
        assert len(near.rtp) == 2
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        assert (await call.final()).status == 487
        near.close()
        far.close()

    play(scenario, with_bob("ring_only: true"))
