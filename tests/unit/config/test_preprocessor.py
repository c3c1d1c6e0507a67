"""`config.preprocessor`: what goes wrong with directives and files."""

from __future__ import annotations

import pytest

from libreims.config.preprocessor import ERROR_LIMIT, INCLUDE_COUNT, INCLUDE_DEPTH
from support.config_text import errors, evaluate, read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#if 1\na: 1\n", "1:1: #if without #endif"),
        ("#if 0\na: 1\n", "1:1: #if without #endif"),
        ("#endif\na: 1", "1:1: #endif without #if"),
        ("#else\na: 1", "1:1: #else without #if"),
        ("#elif 1\na: 1", "1:1: #elif without #if"),
        ("#if 1\n#else\n#else\n#endif\na: 1", "3:1: #else after #else"),
        ("#if 1\n#else\n#elif 1\n#endif\na: 1", "3:1: #elif after #else"),
        ("#if\n#endif\na: 1", "1:4: condition expected"),
        ("#if {}\n#endif\na: 1", "1:7: #if expects a number, a string or a boolean"),
        ("#if UNKNOWN\n#endif\na: 1", "1:5: undefined variable 'UNKNOWN'; a string needs quotes"),
        ("#define\na: 1", "1:8: name of a variable expected after #define"),
        ("#define 5 1\na: 1", "1:9: name of a variable expected after #define"),
        ("#define A 1 2\na: 1", "1:13: end of line expected"),
        ("#define A 1 +\na: 1", "1:14: value expected"),
        ("#undef\na: 1", "1:7: name of a variable expected after #undef"),
        ("#ifdef\n#endif\na: 1", "1:7: name of a variable expected after #ifdef"),
        ("#pragma once\na: 1", "1:1: unknown directive '#pragma'"),
        ("# 5\na: 1", "1:1: unknown directive '#'"),
        ("a: 1, #define A 2\n", "1:7: '#define' must be the first thing on its line"),
        ("#include 5\na: 1", "1:1: #include expects a string, not a number"),
        ("#include\na: 1", "1:9: name of a file expected"),
        ('#include "no.cfg"\na: 1', "1:1: cannot read 'no.cfg': No such file or directory"),
        ('include "no.cfg",\na: 1', "1:1: cannot read 'no.cfg': No such file or directory"),
        ("include 5,\na: 1", "1:1: include expects a string, not a number"),
        ("a: 1, /* no end", "1:7: comment without end: '*/' expected"),
        ("#if defined A\n#endif\na: 1", "1:13: '(' expected after 'defined'"),
        ("#if defined(5)\n#endif\na: 1", "1:13: name of a variable expected"),
        ("#if defined(A\n#endif\na: 1", "1:14: ')' expected"),
    ],
)
def test_one_error_and_the_rest_is_read(text: str, message: str) -> None:
    tree, found, _ = read(text)
    assert found == [f"main.cfg:{message}"]
    if "a: 1" in text and "#if 0" not in text:
        assert tree["a"] == 1


def test_a_directive_inside_a_directive() -> None:
    found = errors("#define A [1,\n#define B 2\n]\na: 1")
    assert found[0] == "2:1: a directive cannot stand inside another one"


def test_a_file_that_includes_itself() -> None:
    assert errors('include "f1.cfg"', f1='a: 1,\n#include "f1.cfg"\n') == [
        "f1.cfg:2:1: 'f1.cfg' includes itself"
    ]
    assert errors('include "f1.cfg"', f1='include "main.cfg"') == ["f1.cfg:1:1: 'main.cfg' includes itself"]


def test_the_depth_of_includes_is_bounded() -> None:
    files = {f"f{number}": f'include "f{number + 1}.cfg"' for number in range(INCLUDE_DEPTH + 5)}
    assert errors('include "f0.cfg"', **files) == [
        f"f{INCLUDE_DEPTH - 2}.cfg:1:1: more than {INCLUDE_DEPTH} files include one another"
    ]


def test_the_number_of_includes_is_bounded() -> None:
    files = {f"f{level}": f'include "f{level + 1}.cfg",\n' * 10 for level in range(6)} | {"f6": "a: 1"}
    found = errors('include "f0.cfg"', **files)
    assert found
    assert all(f"more than {INCLUDE_COUNT} files are included" in error for error in found[:ERROR_LIMIT])


def test_there_is_an_end_to_reporting_errors() -> None:
    found = errors("#nonsense\n" * 1000)
    assert len(found) == ERROR_LIMIT + 1
    assert found[-1] == f"more than {ERROR_LIMIT} errors, the rest is not shown"


def test_an_unfinished_condition_of_an_included_file_does_not_reach_its_includer() -> None:
    tree, found, _ = read('include "f1.cfg",\nb: 2', f1="a: 1,\n#if 0\n")
    assert found == ["f1.cfg:2:1: #if without #endif"]
    assert tree == {"a": 1, "b": 2}


def test_define_without_a_value_is_true() -> None:
    assert evaluate("#define A\n#if A\na: A\n#endif") == {"a": True}


def test_a_file_may_be_included_twice_one_after_the_other() -> None:
    assert evaluate('a: {\n#include "f1.cfg"\n}, b: {\n#include "f1.cfg"\n}', f1="x: 1") == {
        "a": {"x": 1},
        "b": {"x": 1},
    }


def test_an_included_file_with_braces_between_properties() -> None:
    assert evaluate('a: 1,\n#include "f1.cfg"\nc: 3', f1="{ b: 2 }\n") == {"a": 1, "b": 2, "c": 3}


def test_comments_after_directives() -> None:
    assert evaluate("#define A 1 // one\n#if A /* yes */\na: A\n#else // no\n#endif // A\n") == {"a": 1}


def test_directives_may_be_indented_and_spaced() -> None:
    assert evaluate("{\n  #if 1\n  a: 1,\n  # if 0\n  b: 1,\n  # endif\n  #endif\n}") == {"a": 1}
