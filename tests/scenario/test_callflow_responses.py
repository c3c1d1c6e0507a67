"""Callflow modifiers of responses, and custom headers, through the whole server (manual §5.2, §5.2.1, §7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.callflow import BOB, connected, having, packets_to, sent_to
from support.calls import hung_up
from support.lab import CONFIG, DOMAIN, Lab, play

# -- responses in calls -----------------------------------------------------------------------------------


def test_an_extra_provisional_response() -> None:
    """A transparent 1xx on the INVITE: a response more, and the call goes its way."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        assert call.statuses == [182, 100, 180]
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        assert (await call.final()).status == 487

    play(scenario, having("bob", '{method: "INVITE", code: 182, transparent: true}'))


def test_a_provisional_response_alone_is_bounded() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        cancelled = alice.send("INVITE", BOB, body=alice.sdp())
        await cancelled.response(180)
        assert cancelled.transaction is not None
        cancelled.transaction.cancel()
        assert (await cancelled.final()).status == 487
        assert not bob.incoming
        forgotten = alice.send("INVITE", BOB, body=alice.sdp())
        await forgotten.response(180)
        assert (await forgotten.final()).status == 480

    play(scenario, having("bob", '{method: "INVITE", code: 180}'))


def test_a_modifier_answers_the_call_with_a_file(tmp_path: Path) -> None:
    """A made-up 200 with `content`; behind it there is no call, so a BYE follows the ACK."""
    (tmp_path / "answer.sdp").write_bytes(b"v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nt=0 0\r\n")

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        answer = await call.response(200)
        assert answer.content_type == "application/sdp"
        assert b"10.9.9.9" in answer.body
        alice.ack(call, answer)
        alice.respond(await alice.expect("BYE"), 200)

    content = f'content: "{tmp_path}/answer.sdp", content_type: "application/sdp"'
    play(scenario, having("bob", f'{{method: "INVITE", code: 200, {content}}}'))


def test_a_missing_file_leaves_the_body_alone(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)
        assert "nowhere.sdp cannot be read: No such file" in lab.log_text()

    content = f'content: "{tmp_path}/nowhere.sdp", content_type: "application/sdp"'
    play(scenario, having("bob", f'{{method: "INVITE.OK", transparent: true, {content}}}'))


def test_no_sdp_in_the_session_progress() -> None:
    """`content: null` with application/sdp takes the SDP out."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp())
        progress = await call.response(183)
        assert not progress.body and progress.get("Content-Type") is None
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.body
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    content = 'content: null, content_type: "application/sdp"'
    play(scenario, having("bob", f'{{method: "INVITE.SESSION_PROGRESS", stop: false, {content}}}'))


def test_a_second_body_stands_beside_the_sdp(tmp_path: Path) -> None:
    (tmp_path / "extra.xml").write_bytes(b"<extra/>")

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.content_type == "multipart/mixed"
        assert b"m=audio" in invite.request.body and b"<extra/>" in invite.request.body
        bob.respond(invite, 486)

    content = f'content: "{tmp_path}/extra.xml", content_type: "application/xml"'
    play(scenario, having("alice", f'{{method: "INVITE", transparent: true, {content}}}'))


def test_a_wrong_content_length() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        alice.send("INVITE", BOB, body=alice.sdp())
        await asyncio.sleep(3)
        assert not bob.incoming and len(bob.bad) == 0  # answered 400 by the phone's own stack
        octets = next(packet.data for packet in packets_to(lab, bob) if packet.data.startswith(b"INVITE"))
        assert b"\r\nContent-Length: 9999\r\n\r\n" in octets and octets.count(b"Content-Length") == 1

    header = 'custom_headers: [{name: "Content-Length", value: "9999", replace: true}]'
    play(scenario, having("alice", f'{{method: "INVITE", transparent: true, {header}}}'), trace=True)


def test_ringing_is_delayed_and_the_answer_is_not() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        begun = lab.loop.time()
        bob.respond(invite, 180)
        await call.response(180)
        assert 2.0 <= lab.loop.time() - begun < 2.1
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "INVITE.RINGING", send_delay: 2, stop: false}'))


def test_a_late_ringing_never_follows_the_answer() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await asyncio.sleep(10)
        assert call.statuses == [100, 200]
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "INVITE.RINGING", send_delay: 5, stop: false}'))


def test_a_delayed_invite_that_is_cancelled_before_it_leaves() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        await call.response(100)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487
        await asyncio.sleep(10)
        assert not bob.incoming

    play(scenario, having("alice", '{method: "INVITE", send_delay: 3, transparent: true}'))


def test_a_delayed_invite() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        begun = lab.loop.time()
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert lab.loop.time() - begun >= 3
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        assert (await call.final()).status == 487

    play(scenario, having("alice", '{method: "INVITE", send_delay: 3, transparent: true}'))


def test_messages_are_sent_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await asyncio.sleep(5)
        assert call.statuses == [100, 180, 180, 180]
        times = sent_to(lab, alice, "SIP/2.0 180")
        assert [round(later - times[0], 1) for later in times] == [0.0, 0.5, 1.0]
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)

    retry = "send_retry: 2, send_retry_delay: 0.5"
    play(scenario, having("bob", f'{{method: "INVITE.RINGING", stop: false, {retry}}}'), trace=True)


def test_the_answer_becomes_a_refusal() -> None:
    """INVITE.OK sent with a code: the caller is refused, the callee, who has answered, gets a BYE."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        assert (await call.final()).status == 486
        await bob.expect_ack()
        bob.respond(await bob.expect("BYE"), 200)
        assert not alice.incoming

    play(scenario, having("bob", '{method: "INVITE.OK", dir: "tx", code: 486, stop: false}'))


def test_ringing_becomes_a_refusal() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        assert (await call.final()).status == 486
        bob.respond(await bob.expect_cancel(), 487)

    play(scenario, having("bob", '{method: "INVITE.RINGING", code: 486, stop: false}'))


def test_the_200_is_never_sent() -> None:
    """`skip`: the caller hears nothing; its CANCEL or 64*T1 end the call."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        for patient in (False, True):
            call = alice.send("INVITE", BOB, body=alice.sdp())
            bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
            await bob.expect_ack()
            await asyncio.sleep(2)
            assert call.statuses == [100]
            if not patient:
                assert call.transaction is not None
                call.transaction.cancel()
                assert (await call.final()).status == 487
            bob.respond(await bob.expect("BYE"), 200)

    play(scenario, having("bob", '{method: "INVITE.OK", skip: true, stop: false}'))


def test_a_received_answer_is_taken_for_a_refusal() -> None:
    """INVITE.OK received with a code (the caller's modifier): the callee gets ACK and BYE."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        assert (await call.final()).status == 606
        await bob.expect_ack()
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario, having("alice", '{method: "INVITE.OK", dir: "rx", code: 606}'))


def test_a_received_ringing_stops_the_call() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        assert (await call.final()).status == 480
        bob.respond(await bob.expect_cancel(), 487)

    play(scenario, having("alice", '{method: "INVITE.RINGING", dir: "rx"}'))


def test_a_received_answer_is_ignored() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        assert (await call.final()).status == 480
        assert not bob.acks
        assert lab.log_text().count("applies to 200 received") == 1

    play(scenario, having("alice", '{method: "INVITE.OK", dir: "rx", code: -1}'))


def test_no_answer_to_a_reinvite_reaches_the_phone() -> None:
    """A 2xx to a re-INVITE becomes a 488: the call goes on and can be changed again."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        for status in (488, 200):
            change = alice.in_dialog(mo, "INVITE", alice.sdp(version=2))
            bob.respond(await bob.expect("INVITE"), 200, bob.sdp(version=2))
            answer = await change.final()
            await bob.expect_ack()
            assert answer.status == status
            await asyncio.sleep(1)
        assert change.transaction is not None
        alice.send_ack(mo, change.transaction.request.cseq.number)
        await asyncio.sleep(1)
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "INVITE.OK", dir: "tx", code: 488, tts: 1, ttl: 1, stop: false}'))


def test_a_request_of_ours_is_lost() -> None:
    """`skip` on a sent INFO: its sender gets the timeout of the other side."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        info = alice.in_dialog(mo, "INFO")
        await asyncio.sleep(60)
        assert not bob.incoming
        assert info.timed_out_ or info.statuses == [408]
        await hung_up(alice, mo, bob)

    play(scenario, having("alice", '{method: "INFO", skip: true, stop: false}', more="dialog_timeout: 0,"))


def test_our_bye_is_never_sent() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        await asyncio.sleep(60)
        assert not bob.incoming

    play(scenario, having("alice", '{method: "BYE", dir: "tx", skip: true}'))


def test_media_are_delayed() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        (session,) = lab.server.calls.sessions
        assert [port.delay for port in session.mo.media.ports if port is not None] == [0.25]
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "INVITE", dir: "rx", transparent: true, media_delay: 0.25}'))


def test_the_older_form_of_a_modifier() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await alice.send("INVITE", BOB, body=alice.sdp()).final()).status == 404

    play(
        scenario, CONFIG.replace('impu: ["sip:bob"', 'impu: [{impu: "sip:bob", code: 404, method: "INVITE"}')
    )


def test_no_line_in_the_log() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        assert (await alice.send("INVITE", BOB, body=alice.sdp()).final()).status == 404
        assert "applies to" not in lab.log_text()

    play(scenario, having("bob", '{method: "INVITE", code: 404, log: false}'))


def test_notify_and_subscribe_have_the_users_own_modifiers() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        headers = [("Event", "reg"), ("Expires", "600")]
        aor = f"sip:alice@{DOMAIN}"
        assert (await alice.send("SUBSCRIBE", aor, headers).final()).status == 503
        assert (await alice.send("SUBSCRIBE", aor, headers).final()).status == 200
        notify = await alice.expect("NOTIFY")
        assert notify.request.get("X-Test") == "1"
        alice.respond(notify, 200)

    mark = 'custom_headers: [{name: "X-Test", value: "1"}]'
    play(
        scenario,
        having(
            "alice",
            '{method: "SUBSCRIBE", code: 503, ttl: 1}',
            f'{{method: "NOTIFY", transparent: true, {mark}}}',
        ),
    )


# -- custom headers of the server ----------------------------------------------------------------------------


def test_custom_headers_of_the_server() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        request = invite.request
        assert request.get("X-Every-Request") == "1"
        assert request.get("X-Bye") is None
        assert request.get("Supported") is None
        assert request.get_all("User-Agent") == ["Test/1"]
        bob.respond(invite, 180)
        ringing = await call.response(180)
        assert ringing.get("X-Every-Response") == "1" and ringing.get("X-200") is None
        assert ringing.get("X-Every-Request") is None
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.get("X-200") == "invite"
        trying = await call.response(100)
        assert trying.get("X-Every-Response") == "1"
        mo = alice.ack(call, answer)
        ack = await bob.expect_ack()
        assert ack.get("X-Every-Request") == "1"
        bye = alice.in_dialog(mo, "BYE")
        assert (await bye.final()).get("X-200") is None
        ours = await bob.expect("BYE")
        assert ours.request.get("X-Bye") == "yes"
        bob.respond(ours, 200)

    headers = """
    custom_headers: [
        {name: "X-Every-Request", value: "1", methods: "*"},
        {name: "X-Every-Response", value: "1", codes: 0, methods: "*"},
        {name: "X-200", value: "invite", codes: [200, 202], methods: ["INVITE"]},
        {name: "X-Bye", value: "yes", methods: "BYE"},
        {name: "User-Agent", value: "Test/1", methods: "*", replace: true},
        {name: "Supported", methods: ["INVITE"]},
    ],"""
    play(scenario, CONFIG + headers)


def test_custom_headers_reach_what_the_stack_sends_by_itself() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        await asyncio.sleep(1)
        to_bob = [packet.data for packet in packets_to(lab, bob)]
        for start in (b"CANCEL", b"ACK"):
            assert all(b"X-Every: 1" in data for data in to_bob if data.startswith(start))
            assert any(data.startswith(start) for data in to_bob)

    play(scenario, CONFIG + 'custom_headers: [{name: "X-Every", value: "1", methods: "*"}],', trace=True)


def test_custom_headers_change_at_run_time() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert (await alice.register()).get("X-Test") is None
        lab.config.update({"custom_headers": [{"name": "X-Test", "value": "2", "codes": [200]}]})
        assert (await alice.register()).get("X-Test") == "2"

    play(scenario)
