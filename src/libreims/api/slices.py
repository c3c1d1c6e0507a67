"""Long arrays of messages, a slice at a time: media must not wait for the last of 10,000 users."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from libreims.api.table import Members, Result
from libreims.api.wire import Prepared, encoded
from libreims.base.steps import Steps

SLICE: Final = 100
"""Elements that are made in one go: about a millisecond."""

T = TypeVar("T")


def in_slices(name: str, items: Iterable[T], view: Callable[[T], Members]) -> Result:
    """The response with one array, of what `view` makes of each item; at once where it is short.

    `items` must not mind changes of what it was made from.
    """
    left = iter(items)
    first = [view(each) for each in islice(left, SLICE)]
    return {name: first} if len(first) < SLICE else _long(name, first, left, view)


async def _long(name: str, first: list[Members], left: Iterator[T], view: Callable[[T], Members]) -> Members:
    array = Prepared(first)
    while True:
        await asyncio.sleep(0)
        before = len(array)
        for each in islice(left, SLICE):
            array.texts.append(encoded(view(each)))
        if len(array) < before + SLICE:
            return {name: array}


async def in_steps(steps: Steps[T], members: Callable[[T], Members]) -> Members:
    """The response that `members` makes of a result; between two steps others have their turn."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return members(end.value)
        await asyncio.sleep(0)
