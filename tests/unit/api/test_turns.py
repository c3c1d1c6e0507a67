"""`api.turns`: many requests at once are spread over rounds of the event loop."""

import asyncio
from collections import Counter

from libreims.api.turns import TURN, Turns
from support.virtual import run


def test_requests_of_one_round_take_a_turn_at_most_and_keep_their_order() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        turns, now = Turns(), 0.0
        turns._loop = _Clock(loop, lambda: now)  # type: ignore[assignment]
        done: list[int] = []
        rounds: list[int] = []
        number = 0

        def count() -> None:
            nonlocal number
            number += 1
            loop.call_soon(count)

        async def request(name: int) -> None:
            nonlocal now
            await turns.wait()
            done.append(name)
            rounds.append(number)
            now += TURN * 0.4  # what it takes

        loop.call_soon(count)
        await asyncio.gather(*(request(name) for name in range(30)))
        assert done == list(range(30))
        assert max(Counter(rounds).values()) <= 3

    run(scenario)


def test_a_single_request_does_not_wait() -> None:
    async def scenario() -> None:
        turns = Turns()
        for _ in range(3):
            waiting = turns.wait()
            try:
                waiting.send(None)
            except StopIteration:
                continue
            raise AssertionError("it has waited")

    run(scenario)


class _Clock:
    """A loop whose time is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, time: object) -> None:
        self.call_soon = loop.call_soon
        self.time = time
