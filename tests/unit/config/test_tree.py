"""`config.tree`: merging in both directions, copies, JSON."""

from __future__ import annotations

from libreims.config.declare import from_json
from libreims.config.tree import Arr, Obj, Value, copy, extent, merge, plain


def merged(destination: object, source: object, *, override: bool = True) -> object:
    return plain(merge(from_json(destination), from_json(source), override=override))


FIRST = {"foo": {"value": "bar"}, "same": "one", "one": 1}
SECOND = {"foo": {"value": "none", "second": True}, "same": "two", "two": 1}


def test_the_example_of_the_manual_with_the_destination_winning() -> None:
    assert merged(FIRST, SECOND, override=False) == {
        "foo": {"value": "bar", "second": True},
        "same": "one",
        "one": 1,
        "two": 1,
    }


def test_the_same_with_the_source_winning() -> None:
    assert merged(FIRST, SECOND) == {
        "foo": {"value": "none", "second": True},
        "same": "two",
        "one": 1,
        "two": 1,
    }


def test_arrays_merge_element_by_element() -> None:
    assert merged([0, {"a": 1}, 2], [5, {"b": 2}]) == [5, {"a": 1, "b": 2}, 2]
    assert merged([0], [5, 6], override=False) == [0, 6]


def test_different_types_do_not_merge() -> None:
    assert merged({"a": [1]}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merged({"a": [1]}, {"a": 2}, override=False) == {"a": [1]}


def test_a_merged_value_keeps_the_mark_of_where_it_came_from() -> None:
    tree, other = Obj(), Obj()
    tree.put("kept", 1, 10)
    tree.put("changed", 1, 11)
    other.put("changed", 2, 20)
    other.put("new", 3, 21)
    merge(tree, other)
    assert tree.marks == {"kept": 10, "changed": 20, "new": 21}
    array, longer = Arr(), Arr()
    array.put(1, 1)
    longer.put(2, 5)
    longer.put(3, 6)
    merge(array, longer)
    assert array.marks == [5, 6]


def test_a_copy_shares_nothing() -> None:
    tree = from_json({"a": [{"b": 1}]})
    other = copy(tree)
    assert isinstance(other, Obj)
    inner = other["a"]
    assert isinstance(inner, Arr)
    inner.put(9, 0)
    assert plain(tree) == {"a": [{"b": 1}]}
    assert plain(other) == {"a": [{"b": 1}, 9]}


def test_extent_counts_values_and_depth() -> None:
    assert extent(5) == (1, 0)
    assert extent(from_json([])) == (1, 1)
    assert extent(from_json({"a": [1, [2]], "b": 3})) == (6, 3)


def test_numbers_in_json_are_whole_where_they_can_be() -> None:
    values: list[Value] = [2.0, 2.5, 1e300, 1.5 + 2j, True]
    assert [plain(value) for value in values] == [2, 2.5, 1e300, "1.5+2*I", True]
