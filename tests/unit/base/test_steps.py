"""`base.steps`: work that can be interrupted, and done at once."""

from __future__ import annotations

import pytest

from libreims.base.steps import Steps, finish


def steps(count: int) -> Steps[int]:
    total = 0
    for number in range(count):
        total += number
        yield
    if total > 10:
        raise ValueError("too much")
    return total


def test_all_steps_are_taken_and_the_result_comes_back() -> None:
    assert finish(steps(0)) == 0
    assert finish(steps(4)) == 6
    with pytest.raises(ValueError, match="too much"):
        finish(steps(9))
