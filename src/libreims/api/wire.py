"""Strict JSON (RFC 8259): text to values and back, with nothing in it that only Python knows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, overload

from libreims.base.errors import LibreImsError

_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search
DEPTH = 64
"""Deepest nesting of objects and arrays in a message."""


class InvalidJson(LibreImsError):
    """The text is no JSON that is accepted here."""


def decode(text: str) -> object:
    """The value of a JSON text. Raises InvalidJson."""
    try:
        value: object = json.loads(text, parse_constant=_constant, parse_float=_float)
    except InvalidJson:
        raise
    except RecursionError:
        raise InvalidJson(f"Invalid JSON: nested deeper than {DEPTH} levels") from None
    except ValueError as error:
        raise InvalidJson(f"Invalid JSON: {error}") from None
    if text.count("[") + text.count("{") > DEPTH and depth(value) > DEPTH:
        raise InvalidJson(f"Invalid JSON: nested deeper than {DEPTH} levels")
    if _surrogate(text) and not _has_utf8(value):
        raise InvalidJson("Invalid JSON: half of a surrogate pair (RFC 8259 §8.2), which is no character")
    return value


class Prepared(Sequence[Any]):
    """A long array as the JSON text of each element; as a member of a message it costs `encode` nothing.

    Texts are nothing to the garbage collector, which would take half a second for the elements that hundreds
    of clients wait for. Who wants an element after all gets it read from its text.
    """

    __slots__ = ("texts",)

    def __init__(self, elements: Iterable[Any] = ()) -> None:
        self.texts = [encoded(each) for each in elements]

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [json.loads(each) for each in self.texts[index]]
        return json.loads(self.texts[index])

    def __eq__(self, other: object) -> bool:
        return list(self) == other if isinstance(other, list | Prepared) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


def encode(frame: Mapping[str, Any]) -> str:
    """The JSON text of a message; only ASCII, so that no client can mistake it."""
    if not any(value.__class__ is Prepared for value in frame.values()):
        return encoded(frame)
    members = []
    for name, value in frame.items():
        text = f"[{','.join(value.texts)}]" if value.__class__ is Prepared else encoded(value)
        members.append(f"{encoded(name)}:{text}")
    return f"{{{','.join(members)}}}"


def encoded(value: object) -> str:
    """The JSON text of a value."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def depth(value: object) -> int:
    """How deep objects and arrays are nested; 0 for a scalar."""
    level = 0
    values = [value]
    while True:
        inner: list[object] = []
        found = False
        for each in values:
            if isinstance(each, dict):
                inner.extend(each.values())
                found = True
            elif isinstance(each, list):
                inner.extend(each)
                found = True
        if not found:
            return level
        level += 1
        values = inner


def _has_utf8(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"Invalid JSON: {name} is no JSON value")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidJson(f"Invalid JSON: the number {text[:20]} is too large")
    return value
