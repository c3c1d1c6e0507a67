"""The virtual loop itself: if it lies, every test that stands on it does."""

from __future__ import annotations

import asyncio
import time

import pytest

from libreims.base.timers import TimerWheel
from support.virtual import Deadlock, VirtualLoop, run


def test_an_hour_passes_at_once() -> None:
    async def hour() -> float:
        for _ in range(3600):
            await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(hour) == pytest.approx(3600)
    assert time.monotonic() - began < 5


def test_tasks_and_timers_interleave_by_time() -> None:
    async def scenario() -> list[str]:
        seen: list[str] = []

        async def ticker(name: str, every: float) -> None:
            for _ in range(3):
                await asyncio.sleep(every)
                seen.append(name)

        asyncio.get_running_loop().call_later(2.5, seen.append, "timer")
        await asyncio.gather(ticker("slow", 2.1), ticker("fast", 1))
        return seen

    assert run(scenario) == ["fast", "fast", "slow", "timer", "fast", "slow", "slow"]


def test_advance_includes_its_last_moment_and_what_follows(virtual_loop: VirtualLoop) -> None:
    seen: list[str] = []

    def due() -> None:
        seen.append("due")
        virtual_loop.call_soon(seen.append, "soon")
        virtual_loop.call_later(0.0, seen.append, "at once")
        virtual_loop.call_later(0.1, seen.append, "later")

    virtual_loop.call_later(1.0, due)
    virtual_loop.advance(0.3)
    virtual_loop.advance(0.3)
    assert seen == []
    virtual_loop.advance(0.4)
    assert seen == ["due", "soon", "at once"]
    assert virtual_loop.time() == pytest.approx(1.0)
    assert virtual_loop.pending_timers() == 1
    virtual_loop.advance(0.1)
    assert seen[-1] == "later"


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(forever)


def test_endless_timers_meet_the_limit() -> None:
    async def forever() -> None:
        while True:
            await asyncio.sleep(10)

    with pytest.raises(Deadlock):
        run(forever, limit=1000)


def test_an_error_in_a_callback_is_not_lost(virtual_loop: VirtualLoop) -> None:
    virtual_loop.call_later(1, int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        virtual_loop.advance(2)

    async def scenario() -> None:
        asyncio.get_running_loop().call_soon(int, "x")
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="invalid literal"):
        run(scenario)


def test_what_is_left_running_is_cancelled() -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append("background")

    async def scenario() -> asyncio.Task[None]:
        task = asyncio.create_task(background())
        await asyncio.sleep(1)
        return task

    assert run(scenario).cancelled()
    assert ended == ["background"]


def test_threads_run_in_place() -> None:
    async def scenario() -> int:
        return await asyncio.to_thread(len, "four")

    assert run(scenario) == 4


def test_real_sockets_are_refused(virtual_loop: VirtualLoop) -> None:
    with pytest.raises(RuntimeError, match="simulated"):
        virtual_loop.add_reader(0, print)


def test_timer_wheel_on_it(virtual_loop: VirtualLoop) -> None:
    seen: list[float] = []
    wheel = TimerWheel(virtual_loop)
    for delay in (0.5, 0.25, 3600):
        wheel.call_later(delay, lambda: seen.append(round(virtual_loop.time(), 6)))
    virtual_loop.advance(4000)
    assert seen == [0.25, 0.5, 3600]
    assert virtual_loop.pending_timers() == 0
