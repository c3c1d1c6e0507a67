"""`dialog_get` and `dialog_set` (manual §6.6)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.call.dialog_view import DialogView
from libreims.call.history import DialogChanged
from support.dialogs import connected, described, echoed, hung_up, with_echo
from support.lab import DOMAIN, Lab, play
from support.stream import Stream


def test_both_legs_of_a_call_are_dialogs_that_name_each_other() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")

        def get(session_id: str | None = None) -> list[DialogView]:
            return list(lab.server.control.dialog_get(session_id))

        assert get() == []
        mo, _ = await connected(alice, bob)
        first, second = get()
        assert (first.type, first.to, first.from_) == ("server", "sip:bob", "sip:alice")
        assert (second.type, second.to, second.from_) == ("mt call", "sip:bob", "sip:alice")
        assert first.mt_dialog == second.session_id and second.mo_dialog == first.session_id
        assert first.mo_dialog is None and second.mt_dialog is None
        assert first.state == second.state == "start"
        assert first.date == int(lab.utc() - 0.2) or first.date == int(lab.utc())
        assert get(second.session_id)[0].session_id == second.session_id and len(get(second.session_id)) == 1
        assert get("nonsense") == []
        await asyncio.sleep(5)
        assert 5 <= get()[0].duration < 5.3
        await hung_up(alice, mo, bob)
        await asyncio.sleep(0.1)
        mo_view, mt_view = get()
        assert steps(mo_view) == [
            "state init",
            "recv INVITE",
            "send 100 Trying",
            "state ringing",
            "send 180 Ringing",
            "state start",
            "send 200 OK",
            "recv ACK",
            "recv BYE",
            "send 200 OK",
            "state stop",
        ]
        assert steps(mt_view) == [
            "state init",
            "send INVITE",
            "recv 180 Ringing",
            "state ringing",
            "recv 200 OK",
            "state start",
            "send ACK",
            "send BYE",
            "state stop",
            "recv 200 OK",
        ]
        times = [each.timestamp for each in mo_view.event_list]
        assert times[0] == 0 and times == sorted(times) and 5 < times[-1] < 6
        await asyncio.sleep(29)
        assert len(get()) == 2
        await asyncio.sleep(2)
        assert get() == []

    play(scenario)


def steps(dialog: DialogView) -> list[str]:
    return [f"{each.type} {each.message or each.state}" for each in dialog.event_list]


def test_the_dialog_of_who_answers_is_named_when_several_ring() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        two.respond(second, 180)
        one.respond(first, 180)
        two.respond(second, 200, two.sdp())
        one.respond(await one.expect_cancel(), 487)
        mo = alice.ack(call, await call.response(200))
        await asyncio.sleep(0.1)
        dialogs = list(lab.server.control.dialog_get())
        started = [each for each in dialogs if each.type == "mt call" and each.state == "start"]
        assert len(dialogs) == 3 and len(started) == 1
        assert dialogs[0].mt_dialog == started[0].session_id
        await two.expect_ack()
        await hung_up(alice, mo, two)

    play(scenario)


def test_state_changes_are_published() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        seen: list[tuple[str, str]] = []
        bus = lab.server.dialogs.bus
        stop = bus.subscribe(
            DialogChanged, lambda event: seen.append((event.dialog.type, event.dialog.state))
        )
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="sendonly"))
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp(direction="recvonly"))
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)
        await asyncio.sleep(0.1)
        states = ["ringing", "start", "hold", "stop"]
        assert [state for kind, state in seen if kind == "server"] == states
        assert [state for kind, state in seen if kind == "mt call"] == states
        stop()
        assert not bus.wanted(DialogChanged)

    play(scenario)


def test_stop_with_a_reason() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        lab.server.control.dialog_set("*", "stop", code=16, reason='the "end"', reason_protocol="Q.850")
        for peer in (alice, bob):
            bye = await peer.expect("BYE")
            assert bye.request.get("Reason") == 'Q.850;cause=16;text="the \\"end\\""'
            peer.respond(bye, 200)

    play(scenario)


def test_stop_before_the_answer() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        first = next(lab.server.control.dialog_get())
        lab.server.control.dialog_set(first.session_id, "stop", code=486)
        refusal = await call.final()
        assert refusal.status == 486 and refusal.get("Reason") == "SIP;cause=486"
        bob.respond(await bob.expect_cancel(), 487)
        with pytest.raises(LibreImsError, match="is over"):
            lab.server.control.dialog_set(first.session_id, "stop")

    play(scenario)


def test_mistakes_are_named() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        control = lab.server.control
        with pytest.raises(LibreImsError, match=r"session_id: no dialog is on"):
            control.dialog_set("*", "stop")
        mo, _ = await connected(alice, bob)
        name = next(control.dialog_get()).session_id
        control.dialog_set(name, "session-expires-stop")
        for session_id, action, parameters, text in (
            ("*", "explode", {}, "action: 'explode' is none of stop, answer"),
            ("ffff", "stop", {}, "session_id: there is no dialog 'ffff'"),
            ("not hex", "stop", {}, "session_id: there is no dialog 'not hex'"),
            ("*", "media", {"media": "smell", "rtp": True}, "media: 'smell' is none of audio, video, text"),
            (name, "media", {}, "neither rtp nor rtcp is given"),
            (name, "hold", {}, f"hold: dialog {name} is a call between two phones"),
            (name, "answer", {}, f"answer: dialog {name} is no call to an echo number"),
            (name, "answer", {"code": 99}, "code: 99 is out of range"),
            (name, "stop", {"code": 1000}, "code: 1000 is out of range"),
            (name, "stop", {"reason": "a\nb"}, "reason: 'a\\nb' has a control character"),
            (name, "stop", {"reason_protocol": "a b"}, "reason_protocol: 'a b' is no token"),
            (name, "reinvite", {"sdp_file": "x.sdp"}, "sdp_file: 'x.sdp' cannot be sent"),
            (name, "downgrade", {}, "downgrade: the call has only audio"),
            (name, "downgrade", {"media": "video"}, "downgrade: the call has no video"),
            (name, "session-expires-stop", {}, "has no session timer"),
            (name, "ecall-info", {}, "is no eCall"),
        ):
            with pytest.raises(LibreImsError) as caught:
                control.dialog_set(session_id, action, **parameters)  # type: ignore[arg-type]
            assert text in str(caught.value)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_actions_that_need_a_running_call() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        for action in ("hold", "reinvite", "downgrade"):
            with pytest.raises(LibreImsError, match=f"{action}: dialog .* has not started yet"):
                lab.server.control.dialog_set("*", action)
        lab.server.control.dialog_set("*", "stop")
        assert (await call.final()).status == 480
        bob.respond(await bob.expect_cancel(), 487)

    play(scenario)


def test_reinvite_on_a_call_between_phones_asks_one_of_them_only() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        first, second = lab.server.control.dialog_get()
        for peer, view in ((alice, first), (bob, second)):
            lab.server.control.dialog_set(view.session_id, "reinvite")
            asked = await peer.expect("INVITE")
            address = described(asked.request).rtp_address(0)
            assert address is not None and address[0] == "10.0.0.1"
            peer.respond(asked, 491)
            asked = await peer.expect("INVITE")
            peer.respond(asked, 200, peer.sdp())
            await peer.expect_ack()
        assert not alice.incoming and not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_reinvite_that_is_refused_is_logged() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        lab.server.control.dialog_set("*", "reinvite")
        bob.respond(await bob.expect("INVITE"), 488)
        await asyncio.sleep(0.1)
        assert "bob@ims.test refuses the change of the call (488)" in lab.log_text()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_downgrade_of_a_call_between_phones_asks_both() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob, ("audio", "video"))
        assert len(lab.server.relay) == 4
        lab.server.control.dialog_set("*", "downgrade", media="video")
        for peer in (alice, bob):
            asked = await peer.expect("INVITE")
            assert [bool(each.port) for each in described(asked.request).media] == [True, False]
            peer.respond(asked, 200, peer.sdp(media=("audio", "-video")))
            await peer.expect_ack()
        await asyncio.sleep(0.1)
        assert len(lab.server.relay) == 2
        assert [[each.type for each in view.medias] for view in lab.server.control.dialog_get()] == [
            ["audio"]
        ] * 2
        await hung_up(alice, mo, bob)

    play(scenario)


def test_rtp_and_rtcp_are_held_back_and_let_go() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        stream = Stream(alice)
        mo, answer = await echoed(alice)
        address = described(answer).rtp_address(0)
        assert address is not None
        control = lab.server.control

        async def heard() -> tuple[int, int]:
            stream.rtp.clear()
            stream.rtcp.clear()
            stream.send(address, 2)
            stream.report(address)
            await asyncio.sleep(0.1)
            return len(stream.rtp), len(stream.rtcp)

        assert await heard() == (2, 1)
        control.dialog_set("*", "media", rtp=False)
        assert await heard() == (0, 1)
        (media,) = next(control.dialog_get()).medias
        assert media.rtp_block and not media.rtcp_block
        control.dialog_set("*", "media", rtcp=False, media="audio")
        assert await heard() == (0, 0)
        control.dialog_set("*", "media", rtp=True, rtcp=True, media="video")
        assert await heard() == (0, 0)
        control.dialog_set("*", "media", rtp=True, rtcp=True)
        assert await heard() == (2, 1)
        await hung_up(alice, mo)
        stream.close()

    play(scenario)


# -- echo numbers -------------------------------------------------------------------------------------


def test_echo_calls_are_held_one_media_type_at_a_time() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, _ = await echoed(alice, media=("audio", "video"))
        control = lab.server.control
        control.dialog_set("*", "hold", media="video")
        asked = await alice.expect("INVITE")
        offer = described(asked.request)
        assert [offer.direction(0), offer.direction(1)] == ["sendrecv", "sendonly"]
        body = alice.sdp(media=("audio", "video")).replace(b"a=sendrecv", b"a=recvonly", 2)
        body = body.replace(b"a=recvonly", b"a=sendrecv", 1)
        alice.respond(asked, 200, body)
        await alice.expect_ack()
        await asyncio.sleep(0.1)
        (view,) = control.dialog_get()
        assert (view.type, view.to, view.state) == ("echo", "tel:666", "start")  # audio still flows
        assert [each.dir for each in view.medias] == ["sendrecv", "sendonly"]
        with pytest.raises(LibreImsError, match="hold: the call has no text, only audio and video"):
            control.dialog_set("*", "hold", media="text")
        # a change of the phone does not take the hold away
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video"), version=3))
        done = await change.final()
        assert [described(done).direction(0), described(done).direction(1)] == ["sendrecv", "sendonly"]
        alice.send_ack(mo, done.cseq.number)
        await asyncio.sleep(0.1)
        await hung_up(alice, mo)

    play(scenario)


def test_a_hold_that_meets_the_callers_own_waits_less_than_two_seconds() -> None:
    """RFC 3261 §14.1: the phone chose the Call-ID."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, _ = await echoed(alice)
        lab.server.control.dialog_set("*", "hold")
        alice.respond(await alice.expect("INVITE"), 491)
        begin = lab.loop.time()
        again = await alice.expect("INVITE")
        assert lab.loop.time() - begin <= 2.1
        alice.respond(again, 200, alice.sdp(direction="recvonly"))
        await alice.expect_ack()
        await hung_up(alice, mo)

    play(scenario)


def test_two_actions_at_once_make_two_changes() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, _ = await echoed(alice)
        lab.server.control.dialog_set("*", "hold")
        lab.server.control.dialog_set("*", "hold")
        for direction in ("sendonly", "sendrecv"):
            asked = await alice.expect("INVITE")
            assert described(asked.request).direction(0) == direction
            alice.respond(
                asked, 200, alice.sdp(direction="recvonly" if direction == "sendonly" else "sendrecv")
            )
            await alice.expect_ack()
        await asyncio.sleep(1)
        assert not alice.incoming
        await hung_up(alice, mo)

    play(scenario)


def test_a_change_of_the_caller_while_the_servers_waits_is_kept() -> None:
    """The downgrade that met a re-INVITE is made all the same, on what the re-INVITE has led to."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        mo, _ = await echoed(alice, media=("audio", "video"))
        lab.server.control.dialog_set("*", "downgrade")
        alice.respond(await alice.expect("INVITE"), 491)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video", "text"), version=2))
        done = await change.final()
        assert [bool(each.port) for each in described(done).media] == [True, True, True]
        alice.send_ack(mo, done.cseq.number)
        again = await alice.expect("INVITE")
        assert [bool(each.port) for each in described(again.request).media] == [True, False, True]
        alice.respond(again, 488)
        await asyncio.sleep(5)
        assert [each.type for each in next(lab.server.control.dialog_get()).medias] == [
            "audio",
            "video",
            "text",
        ]
        assert not alice.incoming
        await hung_up(alice, mo)

    play(scenario)


def test_remote_control_is_for_those_numbers_only() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        await call.response(180)
        with pytest.raises(LibreImsError, match="answer: the call does not wait for it"):
            lab.server.control.dialog_set("*", "answer")
        lab.server.control.dialog_set("*", "stop")
        assert (await call.final()).status == 480

    play(scenario, with_echo("ring_only: true"))


# -- what is left ---------------------------------------------------------------------------------------


def test_a_file_that_breaks_while_the_call_waits(tmp_path: Path) -> None:
    file = tmp_path / "late.sdp"

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        refused = await alice.send("INVITE", "tel:777", body=alice.sdp()).final()
        assert refused.status == 500
        assert f"sdp_file {file} cannot be read" in lab.log_text()

    play(scenario, with_echo(f'answer_delay: 1, sdp_file: "{file}"'))


def test_a_downgrade_between_phones_that_have_just_begun() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        both = ("audio", "video")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp(media=both))
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp(media=both))
        answer = await call.response(200)
        with pytest.raises(LibreImsError, match="is just beginning or ending"):
            lab.server.control.dialog_set("*", "downgrade")  # alice's ACK is not there yet
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_media_before_the_answer_can_be_blocked_too() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        first, second = lab.server.control.dialog_get()
        lab.server.control.dialog_set(first.session_id, "media", rtcp=False)
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        views = [next(lab.server.control.dialog_get(each.session_id)) for each in (first, second)]
        assert [(each.medias[0].rtp_block, each.medias[0].rtcp_block) for each in views] == [
            (False, True),
            (False, False),
        ]
        await hung_up(alice, mo, bob)

    play(scenario)
