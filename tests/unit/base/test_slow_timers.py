"""Slow timers: when they fire, and that a cancelled one leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref

from libreims.base.slow_timers import SlowTimers
from support.virtual import VirtualLoop, run


class Owner:
    """Something that a callback belongs to."""

    def __init__(self) -> None:
        self.called: list[float] = []

    def call(self) -> None:
        self.called.append(asyncio.get_running_loop().time())


def test_each_fires_once_within_the_second_after_it_is_due() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        timers, owner = SlowTimers(loop), Owner()
        begun = loop.time()
        for delay in (0.0, 0.3, 1.0, 899.5, 900.0, 900.1):
            timers.call_later(delay, owner.call)
        assert len(timers) == 6
        await asyncio.sleep(2000)
        assert [round(time - begun) for time in owner.called] == [0, 1, 1, 900, 900, 901]
        assert not len(timers)

    run(scenario)


def test_a_cancelled_one_does_not_fire_and_holds_nothing() -> None:
    async def scenario() -> None:
        timers, owner = SlowTimers(asyncio.get_running_loop()), Owner()
        other = Owner()
        timer = timers.call_later(900, owner.call)
        timers.call_later(900, other.call)
        timer.cancel()
        timer.cancel()
        assert len(timers) == 1
        gone = weakref.ref(owner)
        del owner, timer
        gc.collect()
        assert gone() is None
        await asyncio.sleep(1000)
        assert len(other.called) == 1

    run(scenario)


def test_one_that_raises_does_not_take_the_others_with_it() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        errors: list[str] = []
        loop.set_exception_handler(lambda _, context: errors.append(str(context["exception"])))
        timers, owner = SlowTimers(loop), Owner()

        def fail() -> None:
            raise ValueError("on purpose")

        timers.call_later(5, fail)
        for _ in range(5):
            timers.call_later(5, owner.call)
        await asyncio.sleep(10)
        assert (len(owner.called), errors) == (5, ["on purpose"])

    run(scenario)


def test_a_callback_may_cancel_another_of_its_second() -> None:
    async def scenario() -> None:
        timers, owner = SlowTimers(asyncio.get_running_loop()), Owner()
        pair = [timers.call_later(5, lambda: (owner.call(), pair[1].cancel()))]
        pair.append(timers.call_later(5, lambda: (owner.call(), pair[0].cancel())))
        await asyncio.sleep(10)
        assert len(owner.called) == 1

    run(scenario)
