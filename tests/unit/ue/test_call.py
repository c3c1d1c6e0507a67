"""Phone against phone on the simulated network: every way a call can go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request, Response
from libreims.ue.call import CallState
from libreims.ue.errors import CallError
from libreims.ue.incoming import BUSY, DECLINE, RING, AnswerMode
from libreims.ue.phone import Phone
from support.phones import MILENAGE, PhonePair, phone_config
from support.virtual import run

Scenario = Callable[[Phone, Phone, SimulatedNetwork], Awaitable[None]]
AT_ONCE = AnswerMode(delay=0.0)


def play(scenario: Scenario, *, loss: float = 0.0, seed: int = 1, **changes: object) -> None:
    """Run a scenario; afterwards nothing may be left open."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop, seed=seed, loss=loss, duplicate=loss, reorder=loss)
        a, b = await PhonePair(network, loop, **changes).start()
        await scenario(a, b, network)
        await asyncio.sleep(200)
        for phone in (a, b):
            assert phone.agent.stack.transactions == 0
            assert all(call.is_over for call in phone.calls)
        assert sorted({port for _, port in network.bound}) == [5060]

    run(whole)


def methods(phone: Phone) -> list[str]:
    """Requests received, retransmissions included."""
    return [each.method for each in phone.recorder.messages(sent=False) if isinstance(each, Request)]


def statuses(phone: Phone, method: str) -> list[int]:
    """Responses received to a method."""
    received = phone.recorder.messages(sent=False)
    return [each.status for each in received if isinstance(each, Response) and each.cseq.method == method]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_call_is_answered_talked_and_hung_up(transport: str) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        call = a.call("0600000002")
        other = await b.incoming()
        await call.wait_answered()
        await asyncio.sleep(2)
        call.hang_up()
        assert (await call.wait_ended()).by == "us"
        assert (await other.wait_ended()).by == "them"
        assert call.statuses == [180, 200]
        await asyncio.sleep(1)
        for each in (call, other):
            counts = each.counts["audio"]
            assert counts.packets == pytest.approx(100, abs=3)
            assert counts.lost == counts.own == counts.strange == 0
        assert methods(b) == ["INVITE", "ACK", "BYE"]

    play(scenario, transport=transport)


def test_the_invite_is_that_of_a_volte_phone() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        a.agent.service_route = ("<sip:orig@10.0.0.9;lr>",)
        call = a.call("0600000002")
        await call.wait_answered()
        invite = b.recorder.messages(sent=False)[0]
        assert isinstance(invite, Request)
        assert invite.uri == "tel:0600000002;phone-context=ims.test"
        assert invite.elements("Route") == ["<sip:10.0.0.2:5060;lr>", "<sip:orig@10.0.0.9;lr>"]
        assert invite.get("P-Preferred-Identity") == "<sip:001010000000001@ims.test>"
        assert "+g.3gpp.icsi-ref" in (invite.get("Contact") or "")
        assert "AMR-WB/16000" in invite.body.decode()
        call.hang_up()

    play(scenario, sim=MILENAGE, scheme="AKAv1-MD5")


@pytest.mark.parametrize(
    ("dialled", "uri"),
    [
        ("0600000002", "tel:0600000002;phone-context=ims.test"),
        ("+33600000002", "tel:+33600000002"),
        ("bob@ims.test", "sip:bob@ims.test"),
        ("sip:0600000002@10.0.0.2", "sip:0600000002@10.0.0.2"),
        ("urn:service:sos", "urn:service:sos"),
    ],
)
def test_what_is_dialled_becomes_a_uri(dialled: str, uri: str) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        assert a.uri_of(dialled) == uri

    play(scenario)


@pytest.mark.parametrize(("mode", "status"), [(BUSY, 486), (DECLINE, 603), (AnswerMode(status=480), 480)])
def test_a_call_that_is_refused(mode: AnswerMode, status: int) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = mode
        call = a.call("1")
        with pytest.raises(CallError) as raised:
            await call.wait_answered()
        assert raised.value.status == status
        assert call.outcome is not None and call.outcome.by == "them"
        assert b.calls[0].outcome is not None and b.calls[0].outcome.by == "us"
        await asyncio.sleep(1)
        assert methods(b) == ["INVITE", "ACK"]

    play(scenario)


@pytest.mark.parametrize("mode", [BUSY, AnswerMode(status=486, delay=20.0)])
def test_who_does_not_answer_sends_no_rtcp(mode: AnswerMode) -> None:
    """RFC 3550 §6.3.7: no BYE from who never sent a packet; and no reports about a call that only rings."""

    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        b.answer_mode = mode
        network.trace = []
        call = a.call("1")
        await call.wait_ended()
        await asyncio.sleep(30)
        assert {(each.source[1], each.destination[1]) for each in network.trace} == {(5060, 5060)}

    play(scenario)


def test_a_caller_who_gives_up_while_it_rings() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = RING
        call = a.call("1")
        await call.wait_state(CallState.RINGING)
        await asyncio.sleep(5)
        call.hang_up()
        outcome = await call.wait_ended()
        assert (outcome.by, outcome.status) == ("us", 487)
        assert (await b.calls[0].wait_ended()).text == "the caller gave up"
        await asyncio.sleep(1)
        assert methods(b) == ["INVITE", "CANCEL", "ACK"]

    play(scenario)


def test_cancel_waits_for_a_provisional_response() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = RING
        call = a.call("1")
        call.hang_up()
        await call.wait_ended()
        # RFC 3261 §9.1: not before the 180 has come.
        order = [each.method if isinstance(each, Request) else each.status for each in a.recorder.messages()]
        assert order[:3] == ["INVITE", 180, "CANCEL"]

    play(scenario)


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        b.answer_mode = AnswerMode(delay=1.0)
        network.latency = 0.05
        call = a.call("1")
        await asyncio.sleep(1.08)
        call.hang_up()
        outcome = await call.wait_ended()
        assert "while it was being cancelled" in outcome.text
        await b.calls[0].wait_ended()
        assert methods(b) == ["INVITE", "CANCEL", "ACK", "BYE"]

    play(scenario)


def test_nobody_there() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        network.cut("10.0.0.2")
        call = a.call("1")
        with pytest.raises(CallError, match=r"no answer from 10\.0\.0\.2:5060 over UDP"):
            await call.wait_answered()

    play(scenario)


def test_a_callee_that_answers_by_hand() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = RING
        call = a.call("1")
        other = await b.incoming()
        with pytest.raises(CallError, match="not established after 30 s"):
            await call.wait_answered(30)
        other.answer()
        await call.wait_answered()
        with pytest.raises(CallError, match="cannot answer a call that is"):
            other.answer()
        other.hang_up()
        assert (await call.wait_ended()).by == "them"

    play(scenario)


def test_the_callee_hangs_up_before_the_ack_came() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        network.latency = 0.1
        b.answer_mode = RING
        call = a.call("1")
        other = await b.incoming()
        other.answer()
        other.hang_up()
        assert other.state is CallState.UNWANTED
        await call.wait_ended()
        await other.wait_ended()
        # RFC 3261 §15: no BYE before the ACK.
        assert methods(a) == ["BYE"] and methods(b) == ["INVITE", "ACK"]

    play(scenario)


def test_both_hang_up_at_once() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        network.latency = 0.1
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        await b.calls[0].wait_answered()
        call.hang_up()
        b.calls[0].hang_up()
        await call.wait_ended()
        await b.calls[0].wait_ended()
        await asyncio.sleep(1)
        assert statuses(a, "BYE") == statuses(b, "BYE") == [200]

    play(scenario)


def test_a_caller_that_vanishes_before_the_ack() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        b.answer_mode = AnswerMode(delay=2.0)
        a.call("1")
        other = await b.incoming()
        network.cut("10.0.0.1")
        outcome = await other.wait_ended(200)
        assert outcome.text == "no ACK came for our 200"
        network.mend("10.0.0.1")
        a.calls[0].hang_up()

    play(scenario)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_hold_and_resume(method: str, who: str) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        other = await b.incoming()
        await other.wait_answered()
        one, peer = (call, other) if who == "caller" else (other, call)
        await asyncio.sleep(1)
        await one.hold(method)
        assert one.media.held and peer.media.held_by_peer
        assert (one.media.directions, peer.media.directions) == ({"audio": "sendonly"}, {"audio": "recvonly"})
        before = one.counts["audio"], peer.counts["audio"]
        await asyncio.sleep(2)
        after = one.counts["audio"], peer.counts["audio"]
        assert [new.packets - old.packets for old, new in zip(before, after, strict=True)] == [0, 0]
        await one.resume(method)
        assert not one.media.held and not peer.media.held_by_peer
        await asyncio.sleep(1)
        assert one.counts["audio"].packets - after[0].packets == pytest.approx(50, abs=2)
        assert peer.counts["audio"].packets - after[1].packets == pytest.approx(50, abs=2)
        assert one.counts["audio"].lost == peer.counts["audio"].lost == 0
        call.hang_up()

    play(scenario)


def test_the_session_version_goes_up_with_each_change_only() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        await call.hold()
        await call.hold()
        await call.resume()
        offers = [
            each.body.decode().splitlines()[1].split()
            for each in b.recorder.messages(sent=False)
            if isinstance(each, Request) and each.method == "INVITE"
        ]
        first = int(offers[0][2])
        # RFC 3264 §8: plus one when something changed, the same when not.
        assert [int(each[2]) - first for each in offers] == [0, 1, 1, 2]
        assert len({each[1] for each in offers}) == 1
        call.hang_up()

    play(scenario)


def test_both_hold_at_once_and_both_come_through() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        network.latency = 0.05
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        other = await b.incoming()
        await other.wait_answered()
        await asyncio.gather(call.hold(), other.hold())
        # RFC 3261 §14.1: both got 491, the callee tried again first.
        assert 491 in statuses(a, "INVITE") and 491 in statuses(b, "INVITE")
        assert call.media.held and other.media.held
        assert call.media.directions["audio"] == other.media.directions["audio"] == "inactive" or (
            {call.media.directions["audio"], other.media.directions["audio"]} <= {"sendonly", "inactive"}
        )
        await call.resume()
        await other.resume()
        assert call.media.directions == other.media.directions == {"audio": "sendrecv"}
        call.hang_up()

    play(scenario)


def test_a_hold_that_nobody_answers_ends_the_call() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        network.cut("10.0.0.2")
        with pytest.raises(CallError, match="INVITE: no answer"):
            await call.hold()
        await call.wait_ended()
        network.mend("10.0.0.2")
        b.calls[0].hang_up()

    play(scenario)


def test_a_change_of_a_call_that_is_not_up() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = RING
        call = a.call("1")
        with pytest.raises(CallError, match="cannot change a call that is calling"):
            await call.hold()
        call.hang_up()

    play(scenario)


def test_the_call_ends_while_a_hold_is_under_way() -> None:
    async def scenario(a: Phone, b: Phone, network: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        call = a.call("1")
        await call.wait_answered()
        await b.calls[0].wait_answered()
        network.latency = 0.1
        hold = asyncio.ensure_future(call.hold())
        b.calls[0].hang_up()
        with pytest.raises(CallError, match=r"ended|481"):
            await hold
        await call.wait_ended()

    play(scenario)


def test_a_second_call_while_talking_is_busy() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        first = a.call("1")
        await first.wait_answered()
        second = a.call("1")
        with pytest.raises(CallError) as raised:
            await second.wait_answered()
        assert raised.value.status == 486
        first.hang_up()

    play(scenario)


def test_no_codec_in_common() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        a = Phone(network, loop, Tokens(1), phone_config(1, ("10.0.0.2", 5060), codecs=("AMR",)))
        b = Phone(network, loop, Tokens(2), phone_config(2, ("10.0.0.1", 5060), codecs=("PCMU",)))
        await a.start()
        await b.start()
        with pytest.raises(CallError) as raised:
            await a.call("1").wait_answered()
        assert raised.value.status == 488
        assert b.calls[0].outcome is not None
        assert "no codec in common: offered was audio sendrecv AMR" in b.calls[0].outcome.text
        assert [port for _, port in network.bound] == [5060, 5060]

    run(scenario)


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [(True, {"audio", "video", "text"}), (False, {"audio"})],
)
def test_video_and_text(accepts: bool, expected: set[str]) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        a = Phone(network, loop, Tokens(1), phone_config(1, ("10.0.0.2", 5060)))
        config = phone_config(2, ("10.0.0.1", 5060), video=accepts, text=accepts)
        b = Phone(network, loop, Tokens(2), config, answer_mode=AT_ONCE)
        await a.start()
        await b.start()
        call = a.call("1", video=True, text=True)
        await call.wait_answered()
        await asyncio.sleep(2)
        assert set(call.media.codecs) == set(b.calls[0].media.codecs) == expected
        assert all(counts.packets > 4 and not counts.lost for counts in call.counts.values())
        await call.hold()
        await call.resume()
        assert set(call.media.codecs) == expected
        call.hang_up()
        await call.wait_ended()

    run(scenario)


def test_a_file_is_played(tmp_path: Path) -> None:
    recording = tmp_path / "voice.raw"
    recording.write_bytes(b"\x55" * 1600)

    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        a.audio_file = recording
        call = a.call("1")
        await call.wait_answered()
        await asyncio.sleep(1)
        assert b.calls[0].counts["audio"].octets == pytest.approx(8000, abs=320)
        call.hang_up()

    play(scenario, codecs=("PCMU",))


def test_a_file_that_cannot_be_played_ends_the_call_with_the_reason(tmp_path: Path) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        b.answer_mode = AT_ONCE
        a.audio_file = tmp_path / "none.raw"
        call = a.call("1")
        with pytest.raises(CallError, match="cannot read"):
            await call.wait_answered()

    play(scenario)


def test_a_call_over_ipv6() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        a = Phone(network, loop, Tokens(1), phone_config(1, ("fd00::2", 5060)))
        b = Phone(network, loop, Tokens(2), phone_config(2, ("fd00::1", 5060)), answer_mode=AT_ONCE)
        await a.start()
        await b.start()
        call = a.call("1")
        await call.wait_answered()
        await asyncio.sleep(1)
        assert call.counts["audio"].packets == pytest.approx(50, abs=2)
        call.hang_up()
        await call.wait_ended()

    run(scenario)


@pytest.mark.parametrize("seed", range(8))
def test_a_lossy_network_leaves_one_state_and_nothing_behind(seed: int) -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        for answer in (AT_ONCE, DECLINE, AnswerMode(delay=3.0)):
            b.answer_mode = answer
            call = a.call("1")
            with contextlib.suppress(CallError):  # the loss may win, but never leave anything behind
                await call.wait_answered(200)
                await call.hold()
                await call.resume()
            await asyncio.sleep(1)
            call.hang_up()
            await call.wait_ended(200)
            for other in b.calls:
                await other.wait_ended(200)
        assert [call.established_at is not None for call in a.calls] == [True, False, True]

    play(scenario, loss=0.1, seed=seed)


def test_a_call_without_free_ports_leaves_nothing_open() -> None:
    async def scenario(a: Phone, b: Phone, _: SimulatedNetwork) -> None:
        with pytest.raises(LibreImsError, match="no pair of RTP ports from 5100 to 5101"):
            a.call("1", video=True)
        assert a.calls == []

    play(scenario, rtp_ports=(5100, 5101))
