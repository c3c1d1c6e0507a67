"""The composition root: it starts, says what keeps it from starting, and goes down leaving nothing."""

from __future__ import annotations

import asyncio
import re

import pytest

from libreims.base.errors import LibreImsError
from libreims.server import banner, sip_timers, tcp_options
from support.calls import connected
from support.lab import CONFIG, DOMAIN, Lab, play
from support.virtual import VirtualLoop, run


def in_lab(config: str, check) -> None:  # type: ignore[no-untyped-def]
    """A server that the test starts itself."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await check(Lab(loop, config))

    run(whole)


def test_without_sip_addr_it_says_what_is_missing() -> None:
    async def check(lab: Lab) -> None:
        with pytest.raises(LibreImsError, match="sip_addr is not set"):
            await lab.server.start()

    in_lab('domain: "ims.test",', check)


def test_an_address_that_is_taken_is_named_and_nothing_stays_open() -> None:
    async def check(lab: Lab) -> None:
        other = lab.network.udp(("2001:db8::1", 5060), lambda data, source: None)
        with pytest.raises(LibreImsError, match=r"\[2001:db8::1\]:5060: .*; another program uses this port"):
            await lab.server.start()
        other.close()
        await asyncio.sleep(1)
        assert lab.network.in_use == 0

    in_lab(CONFIG, check)


def test_stop_leaves_no_socket_timer_or_transaction() -> None:
    async def check(lab: Lab) -> None:
        await lab.server.start()
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        stopping = asyncio.ensure_future(lab.server.stop())
        for peer in (alice, bob):
            bye = await peer.expect("BYE")
            assert "cause=503" in (bye.request.get("Reason") or "")
            peer.respond(bye, 200)
        await stopping
        lab.nothing_left()
        assert lab.server.stack.transactions == 0
        for peer in (alice, bob):
            peer.stack.stop()
            peer.transport.close()
        await asyncio.sleep(4000)
        assert lab.network.in_use == 0
        assert lab.loop.pending_timers() == 0

    in_lab(CONFIG, check)


def test_stop_waits_a_moment_only_for_phones_that_do_not_answer() -> None:
    async def check(lab: Lab) -> None:
        await lab.server.start()
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        waiting = alice.send("INVITE", f"sip:carol@{DOMAIN}", body=alice.sdp())
        assert (await waiting.final()).status == 480
        begin = lab.loop.time()
        await lab.server.stop()
        assert 0.9 < lab.loop.time() - begin < 1.2
        assert lab.server.stack.transactions == 0

    in_lab(CONFIG, check)


def test_callers_that_wait_for_an_answer_are_told_at_the_end() -> None:
    async def check(lab: Lab) -> None:
        await lab.server.start()
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        stopping = asyncio.ensure_future(lab.server.stop())
        assert (await call.final()).status == 503
        await bob.expect_cancel()
        await stopping

    in_lab(CONFIG, check)


def test_a_lost_connection_is_told() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice", transport="TCP")
        for stream in sorted(lab.network._streams, key=lambda each: each.local):
            stream.end(ConnectionResetError("reset by the test"))
        await asyncio.sleep(1)
        assert re.search(r"TCP connection with 10\.0\.1\.1:\d+ is lost: reset by the test", lab.log_text())
        assert "cannot be made" not in lab.log_text()
        assert (await alice.register()).status == 200

    play(scenario)


def test_a_connection_that_is_refused_was_not_lost() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        (bob,) = await lab.registered("bob", transport="TCP")
        bob.transport.close()  # in order, and nobody listens any more
        await asyncio.sleep(1)
        assert (await alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp()).final()).status >= 400
        assert re.search(rf"TCP connection to {bob.host}:\d+ cannot be made: .*refused", lab.log_text())
        assert "is lost" not in lab.log_text()

    play(scenario)


def test_the_log_shows_a_request_as_it_came() -> None:
    """No `received`, no value of `rport`, no other order or spelling of header lines."""
    came = (
        b"OPTIONS sip:ims.test SIP/2.0\r\nf: <sip:x@ims.test>;tag=1\r\nTo:  <sip:x@ims.test>\r\n"
        b"v: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        b"i: one\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n"
    )

    async def scenario(lab: Lab) -> None:
        answers: list[bytes] = []
        phone = lab.network.udp(("10.0.9.9", 5060), lambda data, source: answers.append(data))
        phone.send(came, ("10.0.0.1", 5060))
        await asyncio.sleep(1)
        (answer,) = answers
        assert answer.startswith(b"SIP/2.0 200 ") and b";rport=5060;received=10.0.9.9" in answer
        (entry,) = [
            each for each in lab.log.ring.since(0)[1] if each.message.endswith("OPTIONS sip:ims.test")
        ]
        shown = [line.strip() for line in entry.lines[1:] if line.strip()]
        assert shown == [line for line in came.decode().split("\r\n") if line]
        phone.close()

    play(scenario)


def test_without_a_dump_no_octets_are_kept() -> None:
    async def scenario(lab: Lab) -> None:
        assert lab.server.stack.keep_octets is not None and lab.server.stack.keep_octets()
        lab.log.configure("sip.level=info")
        assert not lab.server.stack.keep_octets()

    play(scenario)


def test_a_response_that_was_not_meant_for_us_is_told_and_dropped() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        ringing = await bob.expect("INVITE")
        bob.respond(ringing, 486, headers=[("Via", "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKx")])
        await asyncio.sleep(1)
        assert "486 has more than one Via" in lab.log_text()
        assert "486" not in {str(each.status) for each in call.responses}
        assert (await call.final()).status in (408, 480, 504)

    play(scenario)


def test_settings_become_timers_and_options() -> None:
    async def check(lab: Lab) -> None:
        settings = lab.config.current
        timers = sip_timers(settings)
        assert (timers.t1, timers.t2, timers.t4) == (0.5, 4, 5)
        assert tcp_options(settings).keepalive == settings.tcp_keepalive

    in_lab(CONFIG, check)


def test_the_banner_is_what_log_parsers_look_for() -> None:
    assert banner().startswith("ims version ")
