"""`config.operators`: what they refuse; what they give is in the suite of manual §5.1."""

from __future__ import annotations

import pytest

from libreims.config.operators import TEXT_LIMIT, OperandError, apply, kind, negate, text, truth
from libreims.config.tree import Arr, Obj, Value


@pytest.mark.parametrize(
    ("operator", "left", "right", "message"),
    [
        ("+", 1, None, "'+' expects numbers or strings, not a number and null"),
        ("+", Obj(), 1, "'+' expects numbers or strings, not an object and a number"),
        ("+", Arr(), "a", "an array cannot be part of a string"),
        ("-", "a", 1, "'-' expects numbers, not a string"),
        ("*", 2, Arr(), "'*' expects numbers, not an array"),
        ("/", 1, 0, "division by zero"),
        ("/", 1, 0j, "division by zero"),
        ("==", Obj(), Obj(), "objects and arrays cannot be compared"),
        ("<", "a", 1, "'<' expects two real numbers or two strings, not a string and a number"),
        (">=", 1j, 1, "'>=' expects two real numbers or two strings, not a complex number and a number"),
        ("*", 1e308, 10, "the result is too large for a 64-bit floating point number"),
        ("*", 1e308 + 1e308j, 1e10j, "the result is too large for a 64-bit floating point number"),
    ],
)
def test_operands_that_do_not_suit(operator: str, left: Value, right: Value, message: str) -> None:
    with pytest.raises(OperandError) as raised:
        apply(operator, left, right)
    assert str(raised.value) == message


def test_strings_do_not_grow_without_end() -> None:
    with pytest.raises(OperandError):
        apply("+", "x" * TEXT_LIMIT, "x")


def test_integers_become_floating_point_where_it_is_no_longer_exact() -> None:
    product = apply("*", 2**40, 2**40)
    assert product == 2.0**80
    assert isinstance(product, float)
    assert isinstance(apply("*", 2**20, 2**20), int)


def test_minus_takes_numbers_only() -> None:
    assert negate(True) == -1
    with pytest.raises(OperandError):
        negate("a")


def test_truth() -> None:
    assert [truth(each) for each in (0, "", None, False, 0.0)] == [False] * 5
    assert [truth(each) for each in (1, "0", True, Obj(), Arr(), 1j)] == [True] * 6


def test_values_inside_strings() -> None:
    assert [text(each) for each in (None, True, 1.0, 0.25, 1 - 2j, "s")] == [
        "null",
        "true",
        "1",
        "0.25",
        "1-2*I",
        "s",
    ]


def test_names_of_kinds() -> None:
    assert kind(None) == "null"
    assert kind(True) == "a boolean"
