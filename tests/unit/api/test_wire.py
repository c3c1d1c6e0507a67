"""`api.wire`: strict JSON."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.api.wire import DEPTH, InvalidJson, Prepared, decode, depth, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_is_written_is_read_back(frame: dict[str, object]) -> None:
    text = encode(frame)
    assert text.isascii()
    assert decode(text) == frame == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "property name"),
        ("{'message': 'help'}", "property name"),
        ('{"a": NaN}', "NaN is no JSON value"),
        ("[Infinity]", "Infinity is no JSON value"),
        ("[-Infinity]", "-Infinity is no JSON value"),
        ("[1e999]", "1e999 is too large"),
        ("1" * 5000, "integer string"),
        ("[" * 65 + "]" * 65, "nested deeper than 64 levels"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ('{"a":' * 100_000, "nested deeper than 64 levels"),
        ("[1],", "Extra data"),
        ("[1,]", "Expecting value"),
        ('"\n"', "control character"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidJson) as refused:
        decode(text)
    assert str(refused.value).startswith("Invalid JSON: ")
    assert why in str(refused.value)


def test_the_deepest_message_that_is_allowed_comes_through_both_ways() -> None:
    text = '{"a":' + "[" * (DEPTH - 1) + "]" * (DEPTH - 1) + "}"
    value = decode(text)
    assert isinstance(value, dict)
    assert depth(value) == DEPTH
    assert encode(value) == text


def test_wide_is_not_deep() -> None:
    assert decode("[" + "[],{}," * 1000 + "1]") == [[], {}] * 1000 + [1]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidJson):
        decode(text)


def test_a_prepared_array_is_written_as_any_other() -> None:
    elements = [{"a": [1, "ä"]}, None, 2]
    array = Prepared(elements[:2])
    array.texts.append("2")
    assert array == elements
    assert array != elements[:2]
    assert (len(array), array[0], array[1:]) == (3, elements[0], elements[1:])
    frame = {"message": 'x"y', "logs": array, "none": Prepared(), "utc": 1.5}
    assert decode(encode(frame)) == {"message": 'x"y', "logs": elements, "none": [], "utc": 1.5}
    assert encode(frame) == encode({**frame, "logs": elements, "none": []})


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"a": ["\uDFFFx"]}', r'{"\udc00\ud800": 1}'])
def test_half_a_surrogate_pair_is_no_character(text: str) -> None:
    """RFC 8259 §8.2: nothing sensible can be made of it, in SIP least of all."""
    with pytest.raises(InvalidJson, match="half of a surrogate pair"):
        decode(text)


def test_a_whole_pair_is_one() -> None:
    assert decode(r'"\ud83d\ude00 \\ud800"') == "\U0001f600 \\ud800"
