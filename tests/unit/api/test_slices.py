"""`api.slices`: long arrays leave turns for others, short ones are there at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from libreims.api.slices import SLICE, in_slices, in_steps
from libreims.api.wire import encode
from libreims.base.steps import Steps
from support.virtual import run


def view(number: int) -> dict[str, Any]:
    return {"n": number}


def test_a_short_array_is_there_at_once() -> None:
    assert in_slices("users", range(3), view) == {"users": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert in_slices("users", (), view) == {"users": []}


def test_a_long_array_is_made_in_turns() -> None:
    async def scenario() -> None:
        for count in (SLICE, SLICE + 1, 3 * SLICE):
            made: list[int] = []
            turns: list[int] = []

            def viewed(number: int, made: list[int] = made) -> dict[str, Any]:
                made.append(number)
                return view(number)

            async def others(made: list[int] = made, turns: list[int] = turns) -> None:
                while True:
                    turns.append(len(made))
                    await asyncio.sleep(0)

            meanwhile = asyncio.ensure_future(others())
            answer = in_slices("users", iter(range(count)), viewed)
            assert isinstance(answer, Coroutine)
            members = await answer
            meanwhile.cancel()
            assert members == {"users": [view(number) for number in range(count)]}
            assert encode(members) == encode({"users": list(members["users"])})
            assert len(made) == count
            assert turns[:3] == [min(count, (turn + 1) * SLICE) for turn in range(3)][: len(turns)]

    run(scenario)


def test_between_two_steps_others_have_their_turn() -> None:
    async def scenario() -> None:
        order: list[str] = []

        def steps() -> Steps[str]:
            for number in range(3):
                order.append(f"step {number}")
                yield
            return "all"

        async def others() -> None:
            while True:
                order.append("others")
                await asyncio.sleep(0)

        meanwhile = asyncio.ensure_future(others())
        assert await in_steps(steps(), lambda result: {"made": result}) == {"made": "all"}
        meanwhile.cancel()
        assert order[:5] == ["step 0", "others", "step 1", "others", "step 2"]

    run(scenario)
