"""`api.turns`: many messages at once are spread over rounds of the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from libreims.api.turns import TURN, Turns
from support.virtual import run


class Clock:
    """The loop, with a time that passes while messages are processed."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.call_soon: Callable[..., Any] = loop.call_soon
        self.create_future = loop.create_future
        self.now = 0.0
        self.round = 0
        self._count()

    def time(self) -> float:
        return self.now

    def _count(self) -> None:
        self.round += 1
        self.call_soon(self._count)


def made() -> tuple[Turns, Clock]:
    turns, clock = Turns(), Clock()
    turns._loop = cast(Any, clock)
    return turns, clock


def test_messages_of_one_round_take_about_a_turn_and_keep_their_order() -> None:
    async def scenario(cost: float) -> tuple[list[int], int, int]:
        turns, clock = made()
        done: list[int] = []
        rounds: list[int] = []

        async def message(name: int) -> None:
            await turns.wait()
            done.append(name)
            rounds.append(clock.round)
            clock.now += cost

        await asyncio.gather(*(message(name) for name in range(400)))
        for _ in range(3):
            await asyncio.sleep(0)
        assert turns._end is None
        return done, max(Counter(rounds).values()), len(set(rounds))

    done, most, rounds = run(scenario, TURN * 0.4)
    assert done == list(range(400))
    assert most <= 4
    done, most, rounds = run(scenario, TURN * 3)
    assert done == list(range(400))
    assert most <= 2
    done, most, rounds = run(scenario, TURN / 100)
    assert done == list(range(400))
    assert rounds < 12


def test_a_single_message_does_not_wait() -> None:
    async def scenario() -> None:
        turns, _ = made()
        for _ in range(3):
            waiting = turns.wait()
            try:
                waiting.send(None)
            except StopIteration:
                continue
            raise AssertionError("it has waited")

    run(scenario)


def test_who_gives_up_takes_nobodys_turn() -> None:
    async def scenario() -> None:
        turns, clock = made()
        await turns.wait()
        clock.now += TURN
        gone, there = (asyncio.ensure_future(turns.wait()) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await there
        assert not turns._waiting

    run(scenario)
