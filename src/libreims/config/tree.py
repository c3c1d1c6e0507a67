"""The evaluated configuration: plain values, objects and arrays that know where they came from.

Manual §5.1.1: objects merge member by member, arrays element by element, everything else is replaced.
"""

from __future__ import annotations

from typing import TypeAlias, Union

Value: TypeAlias = Union[bool, int, float, complex, str, "Obj", "Arr", None]


class Obj(dict[str, Value]):
    """An object; `marks` holds the position of each property name."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: dict[str, int] = {}

    def put(self, key: str, value: Value, mark: int) -> None:
        """Set a property; one that is there already is merged with, the new one overriding."""
        old = self.get(key)
        if isinstance(old, Obj | Arr):
            value = merge(old, value)
        self[key] = value
        self.marks[key] = mark


class Arr(list[Value]):
    """An array; `marks` holds the position of each element."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: list[int] = []

    def put(self, value: Value, mark: int) -> None:
        """Add an element."""
        self.append(value)
        self.marks.append(mark)


def merge(destination: Value, source: Value, *, override: bool = True) -> Value:
    """Merge `source` into `destination`, which is changed where both are objects or both arrays.

    With `override` the source wins where both define a value, else the destination does.
    """
    if isinstance(destination, Obj) and isinstance(source, Obj):
        for key, value in source.items():
            if key in destination:
                old = destination[key]
                destination[key] = merged = merge(old, value, override=override)
                if merged is value and merged is not old:
                    destination.marks[key] = source.marks[key]
            else:
                destination[key] = value
                destination.marks[key] = source.marks[key]
        return destination
    if isinstance(destination, Arr) and isinstance(source, Arr):
        common = min(len(destination), len(source))
        for index in range(common):
            old = destination[index]
            destination[index] = merged = merge(old, source[index], override=override)
            if merged is not old:
                destination.marks[index] = source.marks[index]
        destination.extend(source[common:])
        destination.marks.extend(source.marks[common:])
        return destination
    return source if override else destination


def copy(value: Value) -> Value:
    """A copy that shares no object or array with `value`."""
    if isinstance(value, Obj):
        made = Obj()
        made.marks.update(value.marks)
        for key, member in value.items():
            made[key] = copy(member)
        return made
    if isinstance(value, Arr):
        array = Arr()
        array.marks.extend(value.marks)
        array.extend(map(copy, value))
        return array
    return value


def extent(value: Value) -> tuple[int, int]:
    """How many values a tree holds, itself included, and how deep its objects and arrays go."""
    if isinstance(value, Obj | Arr):
        count = depth = 0
        for member in value.values() if isinstance(value, Obj) else value:
            if isinstance(member, Obj | Arr):
                inner, below = extent(member)
                count += inner
                depth = max(depth, below)
            else:
                count += 1
        return count + 1, depth + 1
    return 1, 0


def number_text(number: int | float | complex) -> str:
    """A number as the configuration language writes it: `3`, `0.5`, `1.2+3*I`."""
    if isinstance(number, complex):
        real, imaginary = number_text(number.real), number_text(number.imag)
        return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}*I"
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e21:
        return str(int(number))
    return repr(number)


def plain(value: Value) -> object:
    """The tree as JSON can say it; a complex number becomes the string that the language reads."""
    if isinstance(value, Obj):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, Arr):
        return [plain(member) for member in value]
    if isinstance(value, complex):
        return number_text(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
