"""What a JSON value has to look like: the field tables of the manual, written down once and checked.

    check(frame, {"message": str, "message_id?": ANY, "logs": [{"data": [str], "idx": int}]})

A name with `?` may be absent; further members are allowed.
"""

from __future__ import annotations

from typing import Any


class Any_:
    """Whatever it is."""


ANY = Any_()
NUMBER = (int, float)


class OneOf:
    """One of these values."""

    def __init__(self, *values: object) -> None:
        self.values = values


class MapOf:
    """An object with any names, whose members all look like this."""

    def __init__(self, shape: object) -> None:
        self.shape = shape


def check(value: Any, shape: Any, path: str = "") -> None:
    """Raise AssertionError that names the place."""
    if shape is ANY:
        return
    if isinstance(shape, OneOf):
        assert value in shape.values, f"{path}: {value!r} is none of {shape.values}"
    elif isinstance(shape, MapOf):
        assert isinstance(value, dict), f"{path}: {value!r} is no object"
        for name, member in value.items():
            check(member, shape.shape, f"{path}.{name}")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{path}: {value!r} is no object"
        for name, member in shape.items():
            bare = name.rstrip("?")
            if bare in value:
                check(value[bare], member, f"{path}.{bare}")
            else:
                assert name.endswith("?"), f"{path}: {bare} is missing in {value}"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path}: {value!r} is no array"
        for index, element in enumerate(value):
            check(element, shape[0], f"{path}[{index}]")
    else:
        kinds = shape if isinstance(shape, tuple) else (shape,)
        boolean_too = bool in kinds or not isinstance(value, bool)
        assert isinstance(value, kinds) and boolean_too, f"{path}: {value!r} is no {kinds}"
