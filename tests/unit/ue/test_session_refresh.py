"""Session timers between two phones: refreshed for hours, ended when the other one is gone, 422."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request, Response
from libreims.ue.phone import Phone
from support.phones import phone_config
from support.virtual import run

Scenario = Callable[[Phone, Phone], Awaitable[None]]


def play(scenario: Scenario, caller: int, callee: int) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop, seed=1)
        a = Phone(network, loop, Tokens(1), phone_config(1, ("10.0.0.2", 5060), session_expires=caller))
        b = Phone(network, loop, Tokens(2), phone_config(2, ("10.0.0.1", 5060), session_expires=callee))
        await a.start()
        await b.start()
        await scenario(a, b)
        await asyncio.sleep(200)
        assert a.agent.stack.transactions == 0
        assert all(call.is_over for call in a.calls)

    run(whole)


def updates(phone: Phone) -> int:
    received = phone.recorder.messages(sent=False)
    return sum(isinstance(each, Request) and each.method == "UPDATE" for each in received)


@pytest.mark.parametrize(
    ("caller", "callee", "at_caller", "at_callee"),
    [(100, 1800, 0, 9), (0, 100, 9, 0), (100, 0, 0, 0), (0, 0, 0, 0)],
    ids=["both", "callee only", "caller only", "neither"],
)
def test_who_refreshes(caller: int, callee: int, at_caller: int, at_callee: int) -> None:
    """475 s are nine halves of 100 s; a callee without timers makes none (RFC 4028 §7.2)."""

    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        await asyncio.sleep(475)
        assert call.is_established
        assert (updates(a), updates(b)) == (at_caller, at_callee)
        counts = [each.session_timer.refreshes for each in (call, b.calls[0])]
        assert max(counts) == at_caller + at_callee
        call.hang_up()

    play(scenario, caller, callee)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("caller_holds", [True, False])
def test_a_change_of_the_call_refreshes_it_too(method: str, caller_holds: bool) -> None:
    """§7.4, §9: the time of both sides begins anew; who refreshes stays."""

    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        other = b.calls[0]
        await asyncio.sleep(45)
        await (call if caller_holds else other).hold(method)
        await asyncio.sleep(45)
        assert updates(b) == (caller_holds and method == "UPDATE")  # nobody had to refresh yet
        await asyncio.sleep(300)
        for each in (call, other):
            assert each.is_established
            assert each.session_timer.agreed is not None
            assert each.session_timer.agreed.refreshing is (each is call)
        call.hang_up()

    play(scenario, 100, 100)


def test_a_phone_that_vanished_is_noticed() -> None:
    """§10: the refresher ends the call when its refresh finds nobody."""

    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        b.close()
        outcome = await call.wait_ended(timeout=200)
        assert "session refresh" in outcome.text

    play(scenario, 100, 100)


def test_a_refresher_that_vanished_is_noticed() -> None:
    """§10: who waits for refreshes hangs up a third of 90 s before the end."""

    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        other = b.calls[0]
        await asyncio.sleep(1)
        start = asyncio.get_running_loop().time()
        a.close()
        outcome = await other.wait_ended(timeout=200)
        assert "nobody refreshed" in outcome.text
        assert 90 <= asyncio.get_running_loop().time() - start <= 92  # 60 s, and 32 s for its BYE

    play(scenario, 90, 90)


def test_422_and_once_more() -> None:
    """§7.3: the call is made again with what the other side demands."""

    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        assert call.statuses[-2:] == [180, 200]
        assert 422 in call.statuses
        assert call.session_timer.agreed is not None
        assert call.session_timer.agreed.interval == 90
        call.hang_up()
        refusals = [each for each in a.recorder.messages(sent=False) if isinstance(each, Response)]
        assert next(each for each in refusals if each.status == 422).get("Min-SE") == "90"

    play(scenario, 30, 1800)
