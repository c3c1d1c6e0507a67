"""`base.timers.TimerWheel` against the simplest model: a list of due times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.base.timers import TICK, TimerWheel
from support.manual_clock import ManualClock

DELAYS = st.one_of(
    st.sampled_from([0.0, 0.001, TICK, 0.5, 1.0, 2.0, 32.0]), st.floats(0, 40, allow_nan=False)
)


def test_fires_once_at_its_time_and_not_before() -> None:
    clock = ManualClock(1000.0)
    wheel = TimerWheel(clock)
    fired: list[float] = []
    wheel.call_later(2.0, lambda: fired.append(clock.now))
    clock.advance(1.99)
    assert fired == []
    clock.advance(0.01 + TICK)
    assert fired == [pytest.approx(1002.0)]
    clock.advance(100)
    assert len(fired) == 1


def test_an_empty_wheel_sleeps() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    assert clock.waiting == 0
    wheel.call_later(1.0, lambda: None)
    assert clock.waiting == 1
    clock.advance(2)
    assert clock.waiting == 0


def test_arguments_are_passed_and_let_go_when_cancelled() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    got: list[object] = []
    wheel.call_later(1.0, got.append, "kept")
    cancelled = wheel.call_later(1.0, got.append, "dropped")
    cancelled.cancel()
    assert cancelled.args == ()
    clock.advance(2)
    assert got == ["kept"]
    cancelled.cancel()


def test_a_timer_started_by_a_callback_does_not_delay_an_earlier_one() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    fired: list[tuple[str, float]] = []
    wheel.call_later(1.0, lambda: wheel.call_later(60.0, lambda: fired.append(("late", clock.now))))
    wheel.call_later(2.0, lambda: fired.append(("early", clock.now)))
    clock.advance(3)
    assert fired == [("early", pytest.approx(2.0))]
    clock.advance(60)
    assert fired[1:] == [("late", pytest.approx(61.0))]


def test_an_earlier_timer_brings_the_wake_up_forward() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    fired: list[str] = []
    wheel.call_later(10.0, fired.append, "second")
    wheel.call_later(1.0, fired.append, "first")
    clock.advance(1.5)
    assert fired == ["first"]
    assert clock.waiting == 1


def test_restarting_with_no_delay_does_not_spin() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    rounds = 0

    def again() -> None:
        nonlocal rounds
        rounds += 1
        wheel.call_later(0.0, again)

    wheel.call_later(0.0, again)
    clock.advance(1.0)
    assert 90 <= rounds <= 101


def test_a_callback_that_raises_takes_nobody_with_it() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    fired: list[str] = []

    def fail() -> None:
        raise ValueError("on purpose")

    wheel.call_later(1.0, fired.append, "before")
    wheel.call_later(1.0, fail)
    wheel.call_later(1.0, fired.append, "after")
    wheel.call_later(5.0, fired.append, "later")
    with pytest.raises(ValueError, match="on purpose"):
        clock.advance(2)
    clock.advance(0.5)
    assert fired == ["before", "after"]
    clock.advance(5)
    assert fired == ["before", "after", "later"]


def test_a_callback_may_cancel_another_of_the_same_moment() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    fired: list[str] = []
    wheel.call_later(1.0, lambda: second.cancel())
    second = wheel.call_later(1.0, fired.append, "second")
    clock.advance(2)
    assert fired == []


def test_a_late_wake_up_fires_everything_that_is_due_in_order() -> None:
    clock = ManualClock()
    wheel = TimerWheel(clock)
    fired: list[float] = []
    for delay in (0.5, 0.1, 0.3, 0.2):
        wheel.call_later(delay, fired.append, delay)
    clock.now = 10.0  # the process was stopped for a while
    clock.advance(0.0)
    assert fired == [0.1, 0.2, 0.3, 0.5]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["start", "start", "start", "cancel", "advance", "chain"]),
            DELAYS,
            st.integers(0, 1000),
        ),
        max_size=60,
    )
)
def test_like_the_model(steps: list[tuple[str, float, int]]) -> None:
    """Whatever is started, cancelled and restarted: each timer fires once, in [due, due + TICK]."""
    clock = ManualClock(12345.678)
    wheel = TimerWheel(clock)
    due: dict[int, float] = {}
    fired: dict[int, float] = {}
    timers = []

    def start(delay: float, chained: float | None = None) -> None:
        number = len(timers)
        due[number] = clock.now + delay
        timers.append(wheel.call_later(delay, fire, number, chained))

    def fire(number: int, chained: float | None) -> None:
        assert number not in fired
        fired[number] = clock.now
        if chained is not None:
            start(chained)

    cancelled = set()
    for action, delay, number in steps:
        if action == "start":
            start(delay)
        elif action == "chain":
            start(delay, chained=delay / 2)
        elif action == "advance":
            clock.advance(delay)
        elif timers:
            index = number % len(timers)
            timers[index].cancel()
            if index not in fired:
                cancelled.add(index)
    clock.advance(200.0)
    assert set(fired) == set(due) - cancelled
    for number, moment in fired.items():
        assert due[number] - 1e-6 <= moment <= due[number] + TICK + 1e-6
    assert clock.waiting == 0
