"""Work in steps: a generator that yields where others may have their turn, and returns its result.

`api.slices` lets others have it; whoever wants the result now calls `finish`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]


def finish(steps: Steps[T]) -> T:
    """The result, with all steps taken at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
