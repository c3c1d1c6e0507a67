from __future__ import annotations

import random

import pytest

from libreims.users.expiry import GRAIN, Expiry
from support.manual_clock import ManualClock


class Lamp:
    def __init__(self) -> None:
        self.clock = ManualClock(0.25)
        self.fired: list[tuple[str, float]] = []
        self.expiry: Expiry[str] = Expiry(self.clock, self.fire)

    def fire(self, key: str) -> None:
        self.fired.append((key, self.clock.time()))

    def keys(self) -> list[str]:
        return [key for key, _ in self.fired]


def test_never_early_and_less_than_a_grain_late() -> None:
    lamp = Lamp()
    expected = {}
    source = random.Random(1)
    for number in range(500):
        delay = source.uniform(0, 4000)
        expected[str(number)] = lamp.clock.time() + delay
        lamp.expiry.start(str(number), delay)
    lamp.clock.advance(5000)
    assert len(lamp.fired) == 500 and len(lamp.expiry) == 0
    assert all(0 <= at - expected[key] < GRAIN for key, at in lamp.fired)
    assert lamp.clock.waiting == 0


def test_a_whole_number_of_seconds_is_exact() -> None:
    lamp = Lamp()
    lamp.clock.now = 7.0
    lamp.expiry.start("a", 60)
    lamp.clock.advance(60)
    assert lamp.fired == [("a", 67.0)]


def test_starting_again_moves_the_deadline() -> None:
    lamp = Lamp()
    lamp.expiry.start("a", 10)
    lamp.clock.advance(9)
    lamp.expiry.start("a", 10)
    lamp.clock.advance(9)
    assert lamp.fired == []
    lamp.expiry.start("a", 1)
    lamp.clock.advance(2)
    assert lamp.keys() == ["a"]


def test_stopped_keys_do_not_fire_and_unknown_ones_do_not_matter() -> None:
    lamp = Lamp()
    lamp.expiry.start("a", 1)
    lamp.expiry.start("b", 1)
    lamp.expiry.stop("a")
    lamp.expiry.stop("never")
    lamp.clock.advance(3)
    assert lamp.keys() == ["b"]


def test_an_earlier_deadline_is_not_kept_waiting_by_a_later_one() -> None:
    lamp = Lamp()
    lamp.expiry.start("late", 1000)
    lamp.expiry.start("soon", 2)
    lamp.clock.advance(3)
    assert lamp.keys() == ["soon"]
    lamp.clock.advance(1000)
    assert lamp.keys() == ["soon", "late"]


def test_a_callback_may_stop_and_start_others_and_itself() -> None:
    lamp = Lamp()

    def fire(key: str) -> None:
        lamp.fire(key)
        if key == "a":
            lamp.expiry.stop("b")
            lamp.expiry.start("a", 0)

    lamp.expiry = Expiry(lamp.clock, fire)
    lamp.expiry.start("a", 1)
    lamp.expiry.start("b", 1)
    lamp.expiry.start("c", 1)
    lamp.clock.advance(3.5)
    assert lamp.keys() == ["a", "c", "a"]


def test_a_callback_that_raises_does_not_take_the_others_with_it() -> None:
    lamp = Lamp()

    def fire(key: str) -> None:
        lamp.fire(key)
        if key == "bad":
            raise RuntimeError(key)

    lamp.expiry = Expiry(lamp.clock, fire)
    lamp.expiry.start("bad", 1)
    lamp.expiry.start("good", 1)
    with pytest.raises(RuntimeError):
        lamp.clock.advance(2)
    lamp.clock.advance(1)
    assert lamp.keys() == ["bad", "good"]


def test_clear_lets_the_clock_go_even_from_a_callback() -> None:
    lamp = Lamp()
    lamp.expiry = Expiry(lamp.clock, lambda key: (lamp.fire(key), lamp.expiry.clear()))
    for key in "abc":
        lamp.expiry.start(key, 1)
    lamp.expiry.start("d", 100)
    lamp.clock.advance(200)
    assert lamp.keys() == ["a"]
    assert lamp.clock.waiting == 0


def test_moving_deadlines_leaves_nothing_behind() -> None:
    lamp = Lamp()
    for _ in range(20_000):
        lamp.expiry.start("a", 3600)
        lamp.clock.advance(0.01)
    assert len(lamp.expiry._buckets) < 250
    assert lamp.clock.waiting == 1
