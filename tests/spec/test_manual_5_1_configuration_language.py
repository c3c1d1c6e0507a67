"""Manual §5.1 and §5.1.1, sentence by sentence: the configuration language."""
# ruff: noqa: E501  messages are compared whole

from __future__ import annotations

import json

import pytest

from libreims.config import surface
from libreims.config.source import Diagnosis
from libreims.config.syntax import Parser
from support.config_text import errors, evaluate, value

# 1. Supported types


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13.4", 13.4),
        ("0", 0),
        ("-5", -5),
        ("1e3", 1000),
        (".5", 0.5),
        ("5.", 5),
        ("0x1F", 31),
        ("0XfF", 255),
    ],
)
def test_1_numbers_are_64_bit_floating_point(text: str, number: float) -> None:
    assert value(text) == number


def test_1_numbers_beyond_what_floating_point_holds_exactly_are_rounded_as_it_rounds() -> None:
    assert value("9007199254740993") == 9007199254740992
    assert value("0x20000000000001") == 9007199254740992


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.2+3*I", 1.2 + 3j), ("I", 1j), ("2*I*I", -2 + 0j), ("(1+I)*(1-I)", 2 + 0j), ("1-0.5*I", 1 - 0.5j)],
)
def test_1_complex_numbers(text: str, number: complex) -> None:
    diagnosis = Diagnosis()
    tree = Parser(diagnosis, lambda path: f"x: {text}").parse("f")
    assert not diagnosis.errors
    assert tree["x"] == number


def test_1_complex_numbers_are_printed_as_they_are_written() -> None:
    assert value("1.2+3*I") == "1.2+3*I"
    assert value("1.2-3*I") == "1.2-3*I"


def test_1_strings() -> None:
    assert value('"string"') == "string"
    assert value(r'"a\"b\\c\/\n\t\u00e9\x41\ud83d\ude00"') == 'a"b\\c/\n\té' + "A\U0001f600"
    assert value("'^\\\\+33'") == "^\\+33"  # single quotes: the manual's example in §7.1


def test_1_booleans() -> None:
    assert value("true") is True
    assert value("false") is False


def test_1_objects() -> None:
    assert value("{ field1: 1, field2: { a: true } }") == {"field1": 1, "field2": {"a": True}}
    assert value("{}") == {}


def test_1_arrays() -> None:
    assert value('[ 1, "two", [3], {four: 4}, ]') == [1, "two", [3], {"four": 4}]
    assert value("[]") == []


# 2. Operators


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2", 3),
        ("1 - 2 - 3", -4),
        ("2 * 3 / 4", 1.5),
        ("7 / 2", 3.5),
        ("6 / 2", 3),
        ('"a" + "b"', "ab"),
        ('"n" + 1 + 2', "n12"),
        ('1 + 2 + "n"', "3n"),
        ('"x" + 0.5 + true', "x0.5true"),
        ("!true", False),
        ('!""', True),
        ("!!5", True),
        ("true || false", True),
        ("false && true", False),
        ("1 == 1.0", True),
        ('"a" == "a"', True),
        ('"1" == 1', False),
        ("1 != 2", True),
        ("1 < 2", True),
        ("2 <= 2", True),
        ("1 > 2", False),
        ("2 >= 3", False),
        ('"abc" < "abd"', True),
        ("-(1+2)", -3),
        ("- -3", 3),
        ("+3", 3),
    ],
)
def test_2_operators(text: str, result: object) -> None:
    assert value(text) == result
    assert type(value(text)) is type(result)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("8 / 4 / 2", "(8 / 4) / 2"),
        ("1 + 2 < 4", "(1 + 2) < 4"),
        ("1 < 2 == true", "(1 < 2) == true"),
        ("false && false || true", "(false && false) || true"),
        ("true || false && false", "true || (false && false)"),
        ("1 == 1 && 2 == 2", "(1 == 1) && (2 == 2)"),
        ("-2 * 3 + 10", "((-2) * 3) + 10"),
        ("!false == true", "(!false) == true"),
        ("2 - 3 + 4", "(2 - 3) + 4"),
    ],
)
def test_2_precedence_is_that_of_javascript(text: str, same: str) -> None:
    assert value(text) == value(same)


def test_2_the_right_side_of_a_logical_operator_is_not_evaluated_without_need() -> None:
    assert value("true || UNKNOWN / 0") is True
    assert value("false && UNKNOWN < {}") is False
    assert value('"" || "default"') == "default"


# 3. 0 and 1 are synonyms for false and true: typed, see test_schema; in conditions:


def test_3_0_and_1_are_booleans_in_conditions() -> None:
    assert evaluate("#if 0\na: 1,\n#endif\n#if 1\nb: 1,\n#endif\n") == {"b": 1}
    assert value("true == 1 && false == 0") is True
    assert value("true + true") == 2


# 4. {} at top level are optional


def test_4_braces_at_top_level_are_optional() -> None:
    assert evaluate("a: 1, b: 2") == evaluate("{ a: 1, b: 2 }") == {"a": 1, "b": 2}
    assert evaluate("") == evaluate("{}") == evaluate("// nothing") == {}


# 5. Names without quotes


def test_5_quotes_of_names_are_optional() -> None:
    assert evaluate('plain: 1, "quoted": 2, _x9: 3, "100rel": true') == {
        "plain": 1,
        "quoted": 2,
        "_x9": 3,
        "100rel": True,
    }


def test_5_a_name_that_starts_with_a_number_needs_quotes() -> None:
    assert errors("100rel: true") == ['1:1: a property name that starts with a digit needs quotes: "100rel"']


# 6. Properties can be duplicated


def test_6_duplicates_are_merged_and_the_last_overrides() -> None:
    assert evaluate(
        """
        {
          value: "foo",
          value: "bar",
          sub: {
            value: "foo"
          },
          sub: {
            value: "bar"
          }
        }
        """
    ) == {"value": "bar", "sub": {"value": "bar"}}


def test_6_duplicates_of_different_types_override() -> None:
    assert evaluate("a: 1, a: {b: 2}, a: [3]") == {"a": [3]}


# 7. include


def test_7_include_merges_in_reading_direction() -> None:
    assert evaluate(
        'value: "foo",\ninclude "file2.cfg",\nfoo: "foo"\n', file2='value: "bar",\nfoo: "bar"\n'
    ) == {"value": "bar", "foo": "foo"}


def test_7_an_included_file_may_have_braces_and_includes_of_its_own() -> None:
    assert evaluate(
        'sub: { include "file2.cfg", a: 1 }',
        file2='{ b: { c: 1 }, include "file3.cfg" }',
        file3="b: { d: 2 },",
    ) == {"sub": {"b": {"c": 1, "d": 2}, "a": 1}}


def test_7_the_path_is_relative_to_the_file_that_includes() -> None:
    files = {"etc/main.cfg": 'include "users/all.cfg",', "etc/users/all.cfg": 'include "one.cfg",'}
    files["etc/users/one.cfg"] = "one: 1"
    diagnosis = Diagnosis()
    assert Parser(diagnosis, files.__getitem__).parse("etc/main.cfg") == {"one": 1}
    assert not diagnosis.errors


def test_7_include_as_a_property_is_a_property() -> None:
    assert evaluate('include: 1, "include": 2') == {"include": 2}


def test_7_arrays_cannot_be_included() -> None:
    assert errors('include "list.cfg",\na: 1', list="[1, 2]") == [
        "list.cfg:1:1: property name expected: a file holds an object, not an array"
    ]


# 8. The preprocessor


def test_8_define_is_evaluated_at_once() -> None:
    assert evaluate("#define A 1+2\n#define B A*2\n#define A 100\na: A, b: B") == {"a": 100, "b": 6}


def test_8_define_takes_any_expression() -> None:
    assert evaluate(
        '#define S "x" + "y"\n#define O { a: [1,\n 2] }\n#define C 1 + \\\n 1\ns: S, o: O, p: O, p: {a: [5]}, c: C'
    ) == {"s": "xy", "o": {"a": [1, 2]}, "p": {"a": [5, 2]}, "c": 2}


def test_8_every_occurrence_of_a_variable_is_replaced_but_not_inside_strings() -> None:
    assert evaluate(
        '#define N "name"\n#define V 5\nN: V, other: [V, V + 1, "V N"], { }'.removesuffix(", { }")
    ) == {
        "name": 5,
        "other": [5, 6, "V N"],
    }


def test_8_undef() -> None:
    assert evaluate("#define A 1\n#undef A\n#undef NEVER\n#ifdef A\na: 1\n#else\na: 2\n#endif") == {"a": 2}


def test_8_include_evaluates_a_string_expression() -> None:
    assert evaluate('#define WHICH "two"\n#include "f" + WHICH + ".cfg"\nlast: 1', ftwo="first: 1,\n") == {
        "first": 1,
        "last": 1,
    }


def test_8_include_stands_between_any_two_words() -> None:
    assert evaluate('list: [ 0,\n#include "f1.cfg"\n, 3 ]', f1="1, 2") == {"list": [0, 1, 2, 3]}
    assert evaluate('ue_db:\n#include "f1.cfg"\n', f1="[{a: 1}]") == {"ue_db": [{"a": 1}]}


@pytest.mark.parametrize(("number", "chosen"), [(1, {"a": 1}), (2, {"b": 2}), (3, {"c": 3}), (4, {"d": 4})])
def test_8_if_elif_else_endif(number: int, chosen: object) -> None:
    text = f"#define N {number}\n" + (
        "#if N == 1\na: 1,\n#elif N == 2\nb: 2,\n#elif N == 3\nc: 3,\n#else\nd: 4,\n#endif\n"
    )
    assert evaluate(text) == chosen


def test_8_conditions_nest_and_what_is_left_out_need_not_be_right() -> None:
    assert evaluate(
        "#if 0\n{ don't read this /* #endif */ \n#if 1\n#else\n#endif\n\"#endif\n#elif 0\n}\n#else\na: 1\n#endif"
    ) == {"a": 1}
    assert evaluate("#if 1\n#if 0\na: 1,\n#else\nb: 2,\n#endif\n#else\nc: 3\n#endif\n") == {"b": 2}


def test_8_ifdef_is_if_defined_and_ifndef_is_if_not_defined() -> None:
    for first, second in (("#ifdef A", "#if defined(A)"), ("#ifndef A", "#if !defined(A)")):
        for define in ("#define A 0\n", ""):
            rest = "\nx: 1\n#endif\n"
            assert evaluate(define + first + rest) == evaluate(define + second + rest)
    assert evaluate("#define A 0\n#ifdef A\nx: 1\n#endif") == {"x": 1}


def test_8_variables_reach_included_files_and_come_back() -> None:
    assert evaluate('#define A 1\ninclude "f1.cfg",\nb: B', f1="a: A,\n#define B 2\n") == {"a": 1, "b": 2}


# 9. Backquote strings


def test_9_expressions_in_backquote_strings() -> None:
    assert value("`abc${1+2}d`") == "abc3d"


def test_9_variables_in_backquote_strings() -> None:
    assert (
        value('`sip:${NUMBER}@${"ims." + DOMAIN}`', '#define NUMBER 1\n#define DOMAIN "org"')
        == "sip:1@ims.org"
    )


def test_9_backquote_strings_span_lines_and_nest() -> None:
    assert value("`one\n  ${`two${1\n}`} $ {} \\` \\${x}`") == "one\n  two1 $ {} ` ${x}"


# 5.1.1 Merge rules


def test_511_objects_merge_recursively() -> None:
    assert evaluate(
        """
        x: { foo: { value: "none", second: true }, same: "two", two: 1 },
        x: { foo: { value: "bar" }, same: "one", one: 1 },
        """
    ) == {"x": {"foo": {"value": "bar", "second": True}, "same": "one", "one": 1, "two": 1}}


def test_511_arrays_merge_element_by_element_to_the_greatest_length() -> None:
    assert evaluate(
        """
        {
          array: [0, 1, 2, { foo: "bar" }],
          array: [3, 4],
          array: [5, 6, 7, { bar: "foo" }, 8 ]
        }
        """
    ) == {"array": [5, 6, 7, {"foo": "bar", "bar": "foo"}, 8]}


# Comments, line ends and commas, as in the files that people have


def test_comments_and_trailing_commas() -> None:
    assert evaluate(
        'a: 1, // one\n/* two\n b: 2 */ c: /* in between */ 3, d: [1, /**/ 2, ], e: "http://x/*", // end\n'
    ) == {"a": 1, "c": 3, "d": [1, 2], "e": "http://x/*"}


PROOFS = {
    "numbers": "0x10 + 0.5",
    "complex numbers": "1.2+3*I",
    "strings": '"s"',
    "booleans": "true",
    "objects": "{a: 1}",
    "arrays": "[1]",
    "arithmetic": "1+2*3",
    "string concatenation": '"a"+"b"',
    "logical and comparison operators": "!0 && 1 < 2",
    "unquoted keys": "{a: 1}",
    "comments": "/* c */ 1 // c",
    "backquote strings": "`${1}`",
    "defined()": "defined(X)",
    "0/1 as booleans": "1 == true",
}


def test_every_feature_that_is_said_to_work_is_proved_here() -> None:
    named = set(surface.OTHERS["config_language"])
    elsewhere = {
        "optional top-level braces",
        "duplicate keys merge",
        "include keyword",
        "#define",
        "#undef",
        "#include",
        "#if",
        "#else",
        "#elif",
        "#endif",
        "#ifdef",
        "#ifndef",
        "variable substitution",
        "recursive object merge",
        "array merge",
    }
    assert named == set(PROOFS) | elsewhere
    for expression in PROOFS.values():
        json.dumps(value(expression))
