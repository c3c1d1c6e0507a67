"""Session timers (RFC 4028) through the whole server: each leg for itself."""

from __future__ import annotations

import asyncio

import pytest

from support.calls import CONFIG_PATIENT, SAYS_UPDATE, connected, ended_by_server, hung_up
from support.lab import DOMAIN, Lab, Peer, play

TIMER = ("Supported", "timer")
BOB = f"sip:bob@{DOMAIN}"


def config(**settings: object) -> str:
    values = {"duration": 100, "min": 90, **settings}
    inside = ", ".join(
        f'{name}: "{value}"' if isinstance(value, str) else f"{name}: {value}"
        for name, value in values.items()
    )
    return CONFIG_PATIENT + f"session_expires: {{{inside}}},"


async def refreshed(peer: Peer, method: str, seconds: str = "100;refresher=uac") -> None:
    request = await peer.expect(method)
    assert request.request.get("Session-Expires") == seconds
    assert bool(request.request.body) is (method == "INVITE")
    body = peer.sdp() if method == "INVITE" else b""
    peer.respond(request, 200, body, (("Require", "timer"), ("Session-Expires", seconds)))
    if method == "INVITE":
        await peer.expect_ack()


@pytest.mark.parametrize("method", ["update", "invite"])
def test_the_server_refreshes_both_legs(method: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*SAYS_UPDATE, TIMER, ("Session-Expires", "100;refresher=uas"))
        call = alice.send("INVITE", BOB, headers, alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.get("Session-Expires") == "100;refresher=uac"
        answer = (*SAYS_UPDATE, ("Require", "timer"), ("Session-Expires", "100;refresher=uac"))
        bob.respond(invite, 200, bob.sdp(), answer)
        accepted = await call.response(200)
        assert accepted.get("Session-Expires") == "100;refresher=uas"
        dialog = alice.ack(call, accepted)
        await bob.expect_ack()
        for _ in range(3):
            begun = lab.loop.time()
            await refreshed(alice, method.upper())
            await refreshed(bob, method.upper())
            assert lab.loop.time() - begun == pytest.approx(50, abs=1)
        await hung_up(alice, dialog, bob)

    play(scenario, config(method=method))


def test_a_phone_without_update_is_refreshed_by_invite() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        # Neither phone has said anything about session timers: only the caller's leg has one.
        await refreshed(alice, "INVITE")
        assert not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario, config())


def test_the_phones_refresh_is_answered_on_its_own_leg() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*SAYS_UPDATE, TIMER, ("Session-Expires", "120;refresher=uac"))
        call = alice.send("INVITE", BOB, headers, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp(), SAYS_UPDATE)
        accepted = await call.response(200)
        assert accepted.get("Session-Expires") == "100;refresher=uac"
        dialog = alice.ack(call, accepted)
        await bob.expect_ack()
        for method, body in (("UPDATE", b""), ("UPDATE", alice.sdp()), ("INVITE", alice.sdp())):
            await asyncio.sleep(40)
            refresh = alice.in_dialog(dialog, method, body, (TIMER, ("Session-Expires", "100;refresher=uac")))
            answer = await refresh.final()
            assert (answer.status, answer.get("Session-Expires")) == (200, "100;refresher=uac")
            assert bool(answer.body) is bool(body)
            if method == "INVITE":
                alice.send_ack(dialog, answer.cseq.number)
        assert not bob.incoming
        await ended_by_server(alice, bob, reason="")
        assert "has not refreshed the session within 100 s" in lab.log_text()

    play(scenario, config())


def test_a_hold_says_the_session_timer_too() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*SAYS_UPDATE, TIMER, ("Session-Expires", "100;refresher=uac"))
        mo, _ = await connected(alice, bob, headers=headers)
        held = alice.in_dialog(
            mo, "INVITE", alice.sdp(version=2, direction="sendonly"), (TIMER, ("Session-Expires", "100"))
        )
        relayed = await bob.expect("INVITE")
        assert (relayed.request.get("Session-Expires") or "").startswith("100")
        bob.respond(
            relayed,
            200,
            bob.sdp(version=2, direction="recvonly"),
            (("Session-Expires", "100;refresher=uac"),),
        )
        answer = await held.final()
        assert answer.get("Session-Expires") == "100;refresher=uac"
        alice.send_ack(mo, answer.cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, config())


def test_too_small_for_the_server_and_too_small_for_the_phone() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        small = (TIMER, ("Session-Expires", "80"))
        refusal = await alice.send("INVITE", BOB, small, alice.sdp()).final()
        assert (refusal.status, refusal.get("Min-SE")) == (422, "90")
        call = alice.send("INVITE", BOB, (), alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 422, headers=(("Min-SE", "300"),))
        again = await bob.expect("INVITE")
        first, second = invite.request, again.request
        assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
        assert (second.cseq.number, second.get("Min-SE")) == (2, "300")
        assert second.get("Session-Expires") == "300;refresher=uac"
        assert second.body == first.body
        bob.respond(again, 200, bob.sdp())
        dialog = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await hung_up(alice, dialog, bob)

    play(scenario, config())


def test_a_phone_that_says_422_without_sense_is_not_asked_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, (), alice.sdp())
        bob.respond(await bob.expect("INVITE"), 422, headers=(("Min-SE", "10"),))
        assert (await call.final()).status == 422

    play(scenario, config())


@pytest.mark.parametrize("status", [481, 408, 0])
def test_a_refresh_that_meets_nobody_ends_the_call(status: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*SAYS_UPDATE, TIMER)
        await connected(alice, bob, headers=headers)
        update = await alice.expect("UPDATE")
        if status:
            alice.respond(update, status)
        await ended_by_server(bob)
        alice.respond(await alice.expect("BYE"), 200)
        assert "(session_expires): the call is ended" in lab.log_text()

    play(scenario, config(refresher="uas"))


def test_a_refresh_that_is_refused_is_tried_again_until_the_session_is_over() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*SAYS_UPDATE, TIMER)
        await connected(alice, bob, headers=headers)
        alice.respond(await alice.expect("UPDATE"), 491)
        alice.respond(await alice.expect("UPDATE"), 501)
        await refreshed(alice, "INVITE", "100;refresher=uac")
        while True:
            while not alice.incoming:
                await asyncio.sleep(0.5)
            request = alice.incoming.popleft()
            if request.request.method == "BYE":
                alice.respond(request, 200)
                break
            alice.respond(request, 500)
        await ended_by_server(bob)
        assert "has accepted no refresh" in lab.log_text()

    play(scenario, config(refresher="uas"))


def test_no_session_timer_where_it_is_switched_off() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, (TIMER,), alice.sdp())
        invite = await bob.expect("INVITE")
        assert "Session-Expires" not in invite.request.fields
        bob.respond(invite, 200, bob.sdp())
        accepted = await call.response(200)
        assert "Session-Expires" not in accepted.fields
        dialog = alice.ack(call, accepted)
        await bob.expect_ack()
        await asyncio.sleep(4000)
        await hung_up(alice, dialog, bob)

    play(scenario, config(duration=0))


def test_the_action_session_expires_stop() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob, headers=(*SAYS_UPDATE, TIMER))
        lab.server.control.dialog_set(
            next(lab.server.control.dialog_get()).session_id, "session-expires-stop"
        )
        await asyncio.sleep(1000)
        assert not alice.incoming and not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario, config(refresher="uas"))


def test_each_leg_has_the_settings_of_its_own_impu() -> None:
    own = config().replace('impu: ["sip:alice"', 'impu: [{impu: "sip:alice", session_expires: 500}')
    own = own.replace('impu: ["sip:bob"', 'impu: [{impu: "sip:bob", session_expires: 600}')

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, (TIMER,), alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.get("Session-Expires") == "600;refresher=uac"
        bob.respond(invite, 200, bob.sdp())
        accepted = await call.response(200)
        assert accepted.get("Session-Expires") == "500;refresher=uac"
        dialog = alice.ack(call, accepted)
        await bob.expect_ack()
        await hung_up(alice, dialog, bob)

    play(scenario, own)
