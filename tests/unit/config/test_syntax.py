"""`config.syntax` and `config.expression`: every message, and how reading goes on after an error."""

from __future__ import annotations

import pytest

from libreims.config.expression import NESTING
from support.config_text import errors, read


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("a 1", ["1:3: ':' expected after property name 'a'"]),
        ("a:", ["1:3: value expected"]),
        ("a: }", ["1:4: value expected, not '}'"]),
        ("a: [1, 2", ["1:4: ']' expected: the array is never closed"]),
        ("a: { b: 1", ["1:4: '}' expected: the object is never closed"]),
        ("{ a: 1", ["1:1: '}' expected: the object is never closed"]),
        ("{ a: 1 } b: 2", ["1:10: end of file expected after the closing '}'"]),
        ("a: 1 }", ["1:6: property name expected, not '}'"]),
        ("@: 1", ["1:1: property name expected, not '@'"]),
        ("\x7fELF: 1", ["1:1: property name expected, not the character U+007F"]),
        ("a: \x7f", ["1:4: value expected, not the character U+007F"]),
        (", a: 1", ["1:1: property name expected, not ','"]),
        ("5a: 1", ['1:1: a property name that starts with a digit needs quotes: "5a"']),
        ("[1]", ["1:1: property name expected: a file holds an object, not an array"]),
        ("a: on", ["1:4: undefined variable 'on'; a string needs quotes"]),
        ("a: 10.0.0.1", ["1:4: number expected; strings need quotes"]),
        ("a: 0xZ", ["1:4: number expected; strings need quotes"]),
        ("a: 12abc", ["1:4: number expected; strings need quotes"]),
        ("a: 1e999", ["1:4: the number does not fit 64-bit floating point"]),
        ('a: "abc', ['1:4: string without end: " expected on the same line']),
        ("a: 'abc\n'", ["1:4: string without end: ' expected on the same line"]),
        ("a: `abc", ["1:4: backquote string without end: ` expected"]),
        ("a: `${1`", ["1:8: '}' expected"]),
        ("a: `${{}}`", ["1:6: an object cannot be part of a string"]),
        (r'a: "\u12"', ["1:5: hexadecimal digits expected after '\\u'"]),
        (r'a: "\xg0"', ["1:5: hexadecimal digits expected after '\\x'"]),
        (r'a: "\ud800"', ["1:5: half of a surrogate pair"]),
        ("a: (1", ["1:6: ')' expected"]),
        ("a: 1 = 2", ["1:6: operator expected, not '='"]),
        ("a: 1 ! 2", ["1:6: operator expected, not '!'"]),
        ("a: 1 & 2", ["1:6: operator expected, not '&'"]),
        ("a: 1 < {}", ["1:6: '<' expects two real numbers or two strings, not a number and an object"]),
        ('a: -"x"', ["1:4: '-' expects numbers, not a string"]),
        ("a: 1 / (2 - 2)", ["1:6: division by zero"]),
        ("a: [1 2]", ["1:7: ',' or ']' expected, not '2'"]),
        ("a: [1, }", ["1:8: value or ']' expected, not '}'"]),
        ("a: {b 1}", ["1:7: ':' expected after property name 'b'"]),
        ("include", ["1:8: name of the file to include expected"]),
    ],
)
def test_messages(text: str, messages: list[str]) -> None:
    assert errors(text) == messages


def test_all_errors_of_a_file_are_reported_and_the_rest_is_read() -> None:
    tree, found, _ = read(
        """\
domain: "good",
port: 50 60,
host: 10.0.0.1,
100rel: true,
list: [ 1, oops, 3 ],
sub: { a: 1, b: , c: 3 },
text: "unfinished
last: 1
more: 2
"""
    )
    assert found == [
        "main.cfg:2:10: ',' expected, not '6'",
        "main.cfg:3:7: number expected; strings need quotes",
        'main.cfg:4:1: a property name that starts with a digit needs quotes: "100rel"',
        "main.cfg:5:12: undefined variable 'oops'; a string needs quotes",
        "main.cfg:6:17: value expected, not ','",
        'main.cfg:7:7: string without end: " expected on the same line',
        "main.cfg:8:8: ',' expected",
    ]
    assert tree == {
        "domain": "good",
        "port": 50,
        "list": [1, 3],
        "sub": {"a": 1, "c": 3},
        "last": 1,
        "more": 2,
    }


def test_errors_name_the_included_file() -> None:
    assert errors('include "f1.cfg",\na: b', f1="x: 1\ny: 2") == [
        "f1.cfg:1:5: ',' expected",
        "2:4: undefined variable 'b'; a string needs quotes",
    ]


def test_a_comma_forgotten_after_a_closed_object_is_a_warning() -> None:
    tree, found, warnings = read("users: [\n  { a: 1 }\n  { a: 2 },\n]\nsub: {}\nlast: 1")
    assert found == []
    assert warnings == [
        "main.cfg:2: missing ',' added",
        "main.cfg:4: missing ',' added",
        "main.cfg:5: missing ',' added",
    ]
    assert tree == {"users": [{"a": 1}, {"a": 2}], "sub": {}, "last": 1}


def test_a_comma_forgotten_after_an_include_is_a_warning() -> None:
    tree, found, warnings = read('include "f1.cfg"\nb: 2', f1="a: 1")
    assert (tree, found, warnings) == ({"a": 1, "b": 2}, [], ["main.cfg:1: missing ',' added"])


def test_a_mistyped_bracket_ends_the_array_and_what_follows_is_read() -> None:
    tree, found, _ = read("a: [1, 2 },\nb: { c: [3, 4 }, d: 5,\n")
    assert found == [
        "main.cfg:1:10: ',' or ']' expected, not '}'",
        "main.cfg:2:15: ',' or ']' expected, not '}'",
    ]
    assert tree == {"a": [1, 2], "b": {"c": [3, 4]}, "d": 5}


def test_directives_count_while_the_parser_recovers() -> None:
    tree, found, _ = read("#if 1\na: ] \n#else\nb: 1,\n#endif\nc: 1")
    assert len(found) == 1
    assert tree == {"c": 1}


@pytest.mark.parametrize("bracket", ["[", "(", "{a:", "`${"])
def test_nesting_is_bounded(bracket: str) -> None:
    found = errors("a: " + bracket * (NESTING + 1))
    assert f"more than {NESTING} brackets inside one another" in found[0]


def test_nesting_through_variables_is_bounded() -> None:
    found = errors("#define A 1\n" + "#define A [A]\n" * (NESTING + 1) + "a: A")
    assert f"{NESTING + 2}:12: more than {NESTING} brackets inside one another" in found


def test_variables_cannot_be_used_to_fill_the_memory() -> None:
    found = errors("#define A [1,2,3,4,5,6,7,8]\n" + "#define A [A,A,A,A,A,A,A,A]\n" * 8)
    assert any("variables stand for more than" in error for error in found)


def test_a_property_name_may_come_from_a_variable_that_is_a_string() -> None:
    assert read('#define N "x"\n#define M 5\nN: 1, M: 2')[0] == {"x": 1, "M": 2}


def test_an_object_that_is_not_closed_ends_with_what_surrounds_it() -> None:
    tree, found, _ = read("a: [ { b: 1 ], c: 2")
    assert found == ["main.cfg:1:13: ',' or '}' expected, not ']'"]
    assert tree == {"a": [{"b": 1}], "c": 2}


def test_an_included_file_counts_for_the_nesting() -> None:
    deep = "a: {" * NESTING + 'include "f1.cfg",' + "}" * NESTING + ", b: 1"
    tree, found, _ = read(deep, f1="{ x: 1 }")
    assert found == [f"f1.cfg:1:1: more than {NESTING} brackets inside one another"]
    assert tree["b"] == 1


def test_an_included_file_may_leave_a_bracket_open_only_by_mistake() -> None:
    tree, found, _ = read('include "f1.cfg",\nb: 1', f1='#include "f2.cfg"\n', f2="x: {\n#if 1\ny: 1")
    assert found == ["f2.cfg:2:1: #if without #endif", "f2.cfg:1:4: '}' expected: the object is never closed"]
    assert tree == {"x": {"y": 1}, "b": 1}


def test_a_comma_after_the_last_brace_of_a_file() -> None:
    assert read("{ a: 1 },\n")[:2] == ({"a": 1}, [])


def test_backquote_strings_do_not_grow_without_end() -> None:
    (found,) = errors(
        '#define A "0123456789"\n' + "#define A A+A+A+A+A+A+A+A\n" * 5 + "a: `${A}${A}${A}${A}`"
    )
    assert found == "7:4: the string is longer than 1048576 characters"


def test_nothing_is_computed_where_it_does_not_count() -> None:
    assert read('a: true || -"x" || `${[]}` || !UNKNOWN')[:2] == ({"a": True}, [])
