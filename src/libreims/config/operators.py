"""What the operators of the configuration language do (manual §5.1), with JavaScript's rules.

Numbers are 64-bit floating point; integers stay integers while they are exact in one.  `0` and `1`
stand for `false` and `true`, so booleans count as numbers.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable

from libreims.config.tree import Arr, Obj, Value, number_text

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
}
"""Binary operators; a higher number binds tighter, all of them to the left."""

TEXT_LIMIT = 1 << 20
"""Characters that one computed string may have."""

Number = int | float | complex


class OperandError(ValueError):
    """The operator does not take such operands."""


def kind(value: Value) -> str:
    """What a value is, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, complex):
        return "a complex number"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, Obj) else "an array"


def truth(value: Value) -> bool:
    """Whether a condition holds: false, 0, null and the empty string do not."""
    return True if isinstance(value, Obj | Arr) else bool(value)


def text(value: Value) -> str:
    """A value inside a string: the right side of `"a" + 1`, or `${...}`."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Obj | Arr):
        raise OperandError(f"{kind(value)} cannot be part of a string")
    return number_text(value)


def exact(number: Number) -> Number:
    """The number as a 64-bit floating point number could hold it; raises when it is out of reach."""
    if isinstance(number, int):
        if -(1 << 53) <= number <= 1 << 53:
            return number
        number = float(number)
    if isinstance(number, complex):
        if not cmath.isfinite(number):
            raise OperandError("the result is too large for a 64-bit floating point number")
        return number
    if not math.isfinite(number):
        raise OperandError("the result is too large for a 64-bit floating point number")
    return number


def negate(value: Value) -> Value:
    """Unary minus."""
    return exact(-_number(value, "-"))


def _number(value: Value, operator: str) -> Number:
    if isinstance(value, int | float | complex):
        return int(value) if isinstance(value, bool) else value
    raise OperandError(f"'{operator}' expects numbers, not {kind(value)}")


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        joined = text(left) + text(right)
        if len(joined) > TEXT_LIMIT:
            raise OperandError(f"the string is longer than {TEXT_LIMIT} characters")
        return joined
    if isinstance(left, Obj | Arr) or isinstance(right, Obj | Arr) or left is None or right is None:
        raise OperandError(f"'+' expects numbers or strings, not {kind(left)} and {kind(right)}")
    return exact(_number(left, "+") + _number(right, "+"))


def _divide(left: Value, right: Value) -> Value:
    dividend, divisor = _number(left, "/"), _number(right, "/")
    if divisor == 0:
        raise OperandError("division by zero")
    if isinstance(dividend, int) and isinstance(divisor, int) and dividend % divisor == 0:
        return dividend // divisor
    return exact(dividend / divisor)


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, Obj | Arr) or isinstance(right, Obj | Arr):
        raise OperandError("objects and arrays cannot be compared")
    return left == right


def _ordered(operator: str, compare: Callable[[float, float], bool]) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        if isinstance(left, str) and isinstance(right, str):
            return compare((left > right) - (left < right), 0)
        if isinstance(left, int | float) and isinstance(right, int | float):
            return compare(left, right)
        raise OperandError(
            f"'{operator}' expects two real numbers or two strings, not {kind(left)} and {kind(right)}"
        )

    return apply


_OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "+": _add,
    "-": lambda left, right: exact(_number(left, "-") - _number(right, "-")),
    "*": lambda left, right: exact(_number(left, "*") * _number(right, "*")),
    "/": _divide,
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered("<", lambda a, b: a < b),
    "<=": _ordered("<=", lambda a, b: a <= b),
    ">": _ordered(">", lambda a, b: a > b),
    ">=": _ordered(">=", lambda a, b: a >= b),
}


def apply(operator: str, left: Value, right: Value) -> Value:
    """The value of `left operator right`, except `&&` and `||`; raises OperandError."""
    try:
        return _OPERATORS[operator](left, right)
    except OverflowError:
        raise OperandError("the result is too large for a 64-bit floating point number") from None
