"""`call.statistics`: ends of calls by cause, and how long the answers took."""

import asyncio

from libreims.call.statistics import CANCELLED, NORMAL, STOPPED, CallStatistics
from support.api import ask
from support.calls import connected, ended_by_server, hung_up
from support.lab import DOMAIN, Lab, play


def test_answers_are_measured_and_ends_counted() -> None:
    statistics = CallStatistics()
    statistics.finished(NORMAL, 1.5)
    statistics.finished(NORMAL, 2.5)
    statistics.finished("486", None)
    assert statistics.ended == {NORMAL: 2, "486": 1}
    assert statistics.setup.count == 2


def test_each_call_is_counted_once_by_how_it_ended() -> None:
    async def scenario(lab: Lab) -> None:
        calls = lab.server.calls
        alice, bob = await lab.registered("alice", "bob")

        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 486)
        await call.final()

        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        await bob.expect_cancel()
        bob.respond(invite, 487)
        await call.final()

        mo, _ = await connected(alice, bob)
        assert calls.sessions[0].setup is not None
        await hung_up(alice, mo, bob)

        await connected(alice, bob)
        await ask(lab, "dialog_set", session_id="*", action="stop")
        await ended_by_server(alice, bob)

        await asyncio.sleep(1)
        assert calls.statistics.ended == {"486": 1, CANCELLED: 1, NORMAL: 1, STOPPED: 1}
        assert calls.statistics.setup.count == 2
        assert lab.server.counters.messages["call"] == 4

    play(scenario)
