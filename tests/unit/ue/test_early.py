"""Phone against phone before the answer: 100rel and preconditions in every combination."""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request
from libreims.ue.call import CallState
from libreims.ue.errors import CallError
from libreims.ue.incoming import RING, AnswerMode
from libreims.ue.phone import Phone
from libreims.ue.recorder import SipRecord
from support.phones import phone_config
from support.virtual import run

KINDS = {
    "plain": {},
    "100rel": {"rel100": True},
    "precondition": {"precondition": True},
}


async def pair(network: SimulatedNetwork, a: str, b: str) -> tuple[Phone, Phone]:
    loop = asyncio.get_running_loop()
    first, second = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
    phones = (
        Phone(network, loop, Tokens(1), phone_config(1, second, **KINDS[a])),
        Phone(network, loop, Tokens(2), phone_config(2, first, **KINDS[b])),
    )
    for phone in phones:
        await phone.start()
    return phones


async def at_rest(network: SimulatedNetwork, *phones: Phone) -> None:
    """Nothing may be left: no transaction, no port, no call."""
    await asyncio.sleep(200)
    for phone in phones:
        assert phone.agent.stack.transactions == 0
        assert all(call.is_over for call in phone.calls)
    assert sorted({port for _, port in network.bound}) == [5060]


def ladder(phone: Phone) -> list[str]:
    """What a phone sent and received: `>` sent, `<` received, `*` with SDP."""
    lines = []
    for record in phone.recorder.entries:
        message = record.message() if isinstance(record, SipRecord) else None
        if isinstance(record, SipRecord) and message is not None:
            text = (
                message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
            )
            lines.append(f"{'>' if record.sent else '<'} {text}{' *' if message.body else ''}")
    return lines


PRACKED_180 = ["< 180 INVITE", "> PRACK", "< 200 PRACK"]
END = ["< 200 INVITE *", "> ACK", "> BYE", "< 200 BYE"]
SILENT_END = ["< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"]
WITHOUT = ["> INVITE *", "< 180 INVITE", *END]
RELIABLE = ["> INVITE *", *PRACKED_180, *END]
WHOLE = [
    "> INVITE *",
    "< 183 INVITE *",
    "> PRACK",
    "< 200 PRACK",
    "> UPDATE *",
    "< 200 UPDATE *",
    *PRACKED_180,
    *SILENT_END,
]
LADDERS = {
    ("plain", "plain"): WITHOUT,
    ("plain", "100rel"): WITHOUT,
    ("plain", "precondition"): WITHOUT,
    ("100rel", "plain"): WITHOUT,
    ("100rel", "100rel"): RELIABLE,
    ("100rel", "precondition"): RELIABLE,
    ("precondition", "plain"): WITHOUT,
    ("precondition", "100rel"): RELIABLE,
    ("precondition", "precondition"): WHOLE,
}


@pytest.mark.parametrize(("caller", "callee"), LADDERS)
def test_every_pair_of_phones(caller: str, callee: str) -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, caller, callee)
        call = a.call("1")
        await call.wait_answered()
        await asyncio.sleep(2)
        assert call.counts["audio"].packets > 50
        call.hang_up()
        await at_rest(network, a, b)
        assert ladder(a) == LADDERS[caller, callee]

    run(scenario)


def test_the_callee_rings_only_when_both_have_their_bearers() -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, "precondition", "precondition")
        b.answer_mode = RING
        call = a.call("1")
        await asyncio.sleep(0.25)
        assert call.statuses == [183]
        assert b.calls[0].state is CallState.OFFERED
        await asyncio.sleep(2)
        assert call.statuses == [183, 180]
        preconditions = b.calls[0].media.preconditions
        assert preconditions is not None and preconditions.is_met()
        b.calls[0].answer()
        await call.wait_answered()
        call.hang_up()
        await at_rest(network, a, b)

    run(scenario)


def test_who_picks_up_before_it_rings_is_connected_when_it_would_ring() -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, "precondition", "precondition")
        b.answer_mode = RING
        call = a.call("1")
        await asyncio.sleep(0.25)
        b.calls[0].answer()
        await call.wait_answered()
        call.hang_up()
        await at_rest(network, a, b)
        assert ladder(a).index("< 200 UPDATE *") < ladder(a).index("< 200 INVITE")

    run(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_lost_messages_do_no_harm(seed: int) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop, seed=seed, loss=0.15, duplicate=0.15, reorder=0.15)
        a, b = await pair(network, "precondition", "precondition")
        call = a.call("1")
        await call.wait_answered()
        call.hang_up()
        await at_rest(network, a, b)

    run(scenario)


def test_no_prack_ends_the_call() -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, "100rel", "100rel")
        b.answer_mode = RING
        a.agent.start = lambda request, flow, done: None  # type: ignore[assignment,method-assign,return-value]
        call = a.call("1")
        with pytest.raises(CallError) as raised:
            await call.wait_answered()
        assert raised.value.status == 504
        await at_rest(network, a, b)

    run(scenario)


@pytest.mark.parametrize("kind", ["100rel", "precondition"])
@pytest.mark.parametrize("after", [0.05, 0.5, 1.5])
def test_given_up_before_the_answer(kind: str, after: float) -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, kind, kind)
        b.answer_mode = RING
        call = a.call("1")
        await asyncio.sleep(after)
        call.hang_up()
        assert (await call.wait_ended()).status == 487
        await at_rest(network, a, b)

    run(scenario)


def test_answered_at_once_waits_for_the_prack_of_the_answer() -> None:
    async def scenario() -> None:
        network = SimulatedNetwork(asyncio.get_running_loop(), seed=1)
        a, b = await pair(network, "precondition", "precondition")
        b.answer_mode = AnswerMode(delay=0.0, ring=False)
        call = a.call("1")
        await call.wait_answered()
        call.hang_up()
        await at_rest(network, a, b)
        assert [each for each in ladder(a) if "180" in each] == []

    run(scenario)
