"""An asyncio event loop on virtual time: an hour of timers passes in milliseconds, the same way each run.

Nothing waits for real.  When no callback is ready, time jumps to the next timer; when there is none
either, every task waits for something that cannot come and `Deadlock` is raised.  There are no real
sockets and no threads on it: use `libreims.net.simulated`.

    def test_something() -> None:
        run(scenario)                       # an async function; its result is returned

    def test_timers(virtual_loop: VirtualLoop) -> None:
        machine = Machine(virtual_loop)     # a loop is a `base.clock.Clock`
        virtual_loop.advance(3600)
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

DAY = 86400.0


class Deadlock(RuntimeError):
    """Nothing is ready and no timer runs: what is awaited can never come."""


class _TimeSelector(selectors.BaseSelector):
    """Where an event loop would sleep, time moves on at once."""

    def __init__(self, limit: float) -> None:
        self.now = 0.0
        self.limit = limit
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock(f"at {self.now:.3f} s nothing is ready and no timer runs")
        if timeout > 0:
            self.now += timeout
            if self.now > self.limit:
                raise Deadlock(f"the virtual clock passed its limit of {self.limit:.0f} s")
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(
            fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data
        )
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj]


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; also a `base.clock.Clock` that starts at 0.

    `errors` collects what callbacks and tasks raised; `advance`, `settle` and `run` raise the first one.
    """

    def __init__(self, limit: float = 30 * DAY) -> None:
        self._virtual = _TimeSelector(limit)
        self.errors: list[BaseException] = []
        super().__init__(self._virtual)
        # Sums of decimal fractions are off by some 1e-12: timers of the same moment must fire together.
        self._clock_resolution = 1e-6
        self.set_exception_handler(_record)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass with all that happens in them, the last moment included.

        For synchronous tests; inside a coroutine await `asyncio.sleep` instead.
        """
        end = self.time() + seconds
        self.call_at(end, self.stop)
        self.run_forever()
        self._virtual.now = max(self._virtual.now, end)
        self.settle()

    def settle(self) -> None:
        """Run all that is ready now, and what that makes ready, without time passing."""
        while True:
            self.call_soon(self.stop)
            self.run_forever()
            if not self._ready and not self._due():
                break
        self.raise_errors()

    def _due(self) -> bool:
        horizon = self.time() + self._clock_resolution
        return any(timer.when() < horizon and not timer.cancelled() for timer in self._scheduled)

    def raise_errors(self) -> None:
        """Raise the first error that a callback or a forgotten task left behind."""
        if self.errors:
            errors, self.errors = self.errors, []
            raise errors[0]

    def pending_timers(self) -> int:
        """Timers started and neither fired nor cancelled: 0 after everything has ended."""
        return sum(not timer.cancelled() for timer in self._scheduled)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run at once: a thread would bring real time in."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who awaits it
            future.set_exception(error)
        return future

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """There are no real sockets here."""
        raise RuntimeError("a virtual loop has no real sockets: use libreims.net.simulated")

    add_writer = add_reader


def _record(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualLoop)
    error = context.get("exception")
    loop.errors.append(error if error is not None else RuntimeError(str(context.get("message"))))


def run(function: Callable[..., Coroutine[Any, Any, T]], *args: Any, limit: float = 30 * DAY) -> T:
    """Run an async function to its end on a fresh loop; what it left running is cancelled.

    Raises what it raised, else the first error of any callback or task.
    """
    loop = VirtualLoop(limit)
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(function(*args))
        loop.raise_errors()
        return result
    finally:
        _close(loop)


def _close(loop: VirtualLoop) -> None:
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@pytest.fixture
def virtual_loop() -> Iterator[VirtualLoop]:
    """A fresh virtual loop; an error that a callback left unraised fails the test."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
        loop.raise_errors()
    finally:
        _close(loop)
