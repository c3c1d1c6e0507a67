"""The anti-replay window."""

from __future__ import annotations

import random

import pytest

from libreims.proto.esp.errors import Replayed
from libreims.proto.esp.replay import ReplayWindow


def passes(window: ReplayWindow, sequence: int) -> bool:
    try:
        window.check(sequence)
    except Replayed:
        return False
    return True


def take(window: ReplayWindow, *sequences: int) -> None:
    for sequence in sequences:
        window.check(sequence)
        window.accept(sequence)


def test_each_number_passes_once():
    window = ReplayWindow()
    take(window, 1, 3, 2)
    assert [n for n in range(5) if passes(window, n)] == [4]
    with pytest.raises(Replayed, match="3 was received before"):
        window.check(3)
    with pytest.raises(Replayed, match="0 is never sent"):
        window.check(0)


def test_checking_changes_nothing():
    window = ReplayWindow()
    window.check(1000)
    take(window, 1)
    assert window.highest == 1


def test_what_falls_out_of_the_window_is_too_old():
    window = ReplayWindow(64)
    take(window, 100)
    assert [n for n in range(110) if passes(window, n)] == [*range(37, 100), *range(101, 110)]
    with pytest.raises(Replayed, match="36 is 64 behind the highest, 100"):
        window.check(36)


@pytest.mark.parametrize("jump", [62, 63, 64, 65, 0xFFFFFFFF - 10])
def test_a_jump_forgets_no_more_than_it_must(jump):
    window = ReplayWindow(64)
    take(window, 9, 10, 10 + jump)
    assert window.highest == 10 + jump
    for sequence in (9, 10, 10 + jump):
        assert not passes(window, sequence)
    assert passes(window, 10 + jump - 1)


def test_a_window_of_0_lets_everything_pass():
    window = ReplayWindow(0)
    take(window, 0, 5, 5, 0xFFFFFFFF, 1)  # and keeps nothing of what it cannot trust
    assert window.highest == 0


def test_a_window_of_0_costs_nothing_whatever_the_numbers():
    """Without authentication anybody may send any number: none may cost the memory of all below it."""
    window = ReplayWindow(0)
    for sequence in (0xFFFFFFFF, 0, 1 << 31):
        window.accept(sequence)
    assert window._seen.bit_length() <= 1


def test_it_agrees_with_a_set_of_all_numbers_in_any_order():
    for seed in range(30):
        rng = random.Random(seed)
        size = rng.choice([1, 2, 32, 64, 65])
        window, seen = ReplayWindow(size), set[int]()
        at = 1
        for _ in range(300):
            at += rng.choice([-70, -3, -1, 0, 1, 1, 2, 5, 80])
            sequence = max(at, 0)
            fresh = sequence > 0 and sequence not in seen and sequence > max(seen, default=0) - size
            assert passes(window, sequence) == fresh
            if fresh:
                window.accept(sequence)
                seen.add(sequence)
