"""`config.declare` and `config.kinds` on a section of their own."""
# ruff: noqa: RUF009  `prop` makes a dataclass field

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from libreims.config.declare import LATER, Checks, Invalid, Kind, Reader, declarations, from_json, prop
from libreims.config.kinds import (
    Anything,
    Boolean,
    ChoiceSet,
    Integer,
    IpAddress,
    ListOf,
    Number,
    Secret,
    Struct,
    Text,
    TextOrBoolean,
)
from libreims.config.source import Diagnosis
from libreims.config.tree import Obj


@dataclass(frozen=True, slots=True)
class Inner(Checks):
    """A section inside another."""

    size: int = prop(1, Integer(0, 9), "How large.")


@dataclass(frozen=True, slots=True)
class Outer(Checks):
    """A section to test with."""

    SILENT = frozenset({"foreign"})

    flag: bool = prop(False, Boolean(), "A flag.", aliases=("switch",))
    odd: int = prop(0, Integer(), "Named otherwise in the file.", name="1st")
    inner: Inner | None = prop(None, Struct(Inner, short="size"), "An object.")
    many: tuple[Inner, ...] = prop((), ListOf(Struct(Inner, short="size"), single=True), "Objects.")
    key: str = prop("", Secret(), "A secret.", secret=True)
    later: bool = prop(False, Boolean(), "Not yet.", state=LATER)


def read(value: object) -> tuple[Outer, list[str], list[str]]:
    tree = from_json(value)
    assert isinstance(tree, Obj)
    diagnosis = Diagnosis()
    reader = Reader(diagnosis, "")
    made = reader.section(Outer, tree, "")
    reader.flush()
    return made, [str(each) for each in diagnosis.errors], [str(each) for each in diagnosis.warnings]


def test_nothing_set() -> None:
    assert read({}) == (Outer(), [], [])


def test_names_aliases_and_other_programs() -> None:
    made, errors, warnings = read({"switch": 1, "1st": 5, "foreign": {}, "unknown": 1, "later": True})
    assert (made.flag, made.odd, made.later, errors) == (True, 5, True, [])
    assert warnings == ["property 'later': not implemented yet", "unused property 'unknown'"]


def test_sections_in_short_and_in_full() -> None:
    made, errors, _ = read({"inner": 3, "many": [1, {"size": 2}]})
    assert errors == []
    assert (made.inner, made.many) == (Inner(3), (Inner(1), Inner(2)))
    assert read({"many": 7})[0].many == (Inner(7),)


def test_paths_in_messages() -> None:
    assert read({"inner": {"size": 10}, "many": [1, {"size": "x"}, 99, []]})[1] == [
        "inner.size: 10 is out of range: 0 to 9",
        'many[1].size: integer expected, not "x"',
        "many[2]: 99 is out of range: 0 to 9",
        "many[3]: object expected, not an array",
    ]


def test_secrets_are_neither_in_representations_nor_in_messages() -> None:
    assert "geheim" not in repr(read({"key": "geheim"})[0])
    assert read({"key": 12345})[1] == ["key: string expected, not a number"]


def test_declarations_are_found_by_every_name() -> None:
    table = declarations(Outer)
    assert table["switch"] is table["flag"]
    assert table["1st"].field == "odd"


def test_what_is_no_configuration_value() -> None:
    with pytest.raises(TypeError, match="bytes is not a configuration value"):
        from_json(b"")


READER = Reader(Diagnosis(), "")


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (Integer(), 5.0, 5),
        (Number(), 5, 5.0),
        (Text(), "x", "x"),
        (TextOrBoolean(), "x", "x"),
        (TextOrBoolean(), 0, False),
        (TextOrBoolean(), True, True),
        (ChoiceSet("a", "b"), "b, a", ("b", "a")),
        (IpAddress(5060), "127.0.0.1", ("127.0.0.1", 5060)),
        (IpAddress(5060), "fe80::1%eth0", ("fe80::1%eth0", 5060)),
        (IpAddress(1), "[0:0:0:0:0:0:0:1]", ("::1", 1)),
        (IpAddress(1, host_name=True), "Trunk.Example.org:7", ("trunk.example.org", 7)),
        (Anything(), from_json({"a": [1.5]}), {"a": [1.5]}),
    ],
)
def test_values(kind: Kind, value: Any, result: object) -> None:
    got = kind.read(value, READER, "p")
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IpAddress(), ""),
        (IpAddress(), "1.2.3.4:"),
        (IpAddress(), "1.2.3.4:-1"),
        (IpAddress(), "1.2.3.4:٣"),
        (IpAddress(), "[::1"),
        (IpAddress(), "[::1]x"),
        (IpAddress(), "[1.2.3.4"),
        (IpAddress(), "example.org"),
        (IpAddress(1, host_name=True), "-x-"),
        (IpAddress(1, host_name=True), "a b"),
        (Integer(0, 5), 10**30),
        (Number(0, 5), 1j),
        (ChoiceSet("a"), "a,c"),
        (ChoiceSet("a"), 5),
        (TextOrBoolean(), 2),
    ],
)
def test_values_that_do_not_suit(kind: Kind, value: Any) -> None:
    with pytest.raises(Invalid):
        kind.read(value, READER, "p")
