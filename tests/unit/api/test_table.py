"""`api.table`: parameters are checked in one place, against their declaration."""

from typing import Any

import pytest

from libreims.api.client import Client
from libreims.api.table import Command, Deferred, Members, Parameter, Table, UnknownMessage, bind, ignored
from libreims.base.errors import LibreImsError
from libreims.config.kinds import Anything, Boolean, Integer, ListOf, Text


def give(client: Client, **arguments: Any) -> Members:
    return arguments


SEND = Command(
    "send",
    "Send something.",
    give,
    (
        Parameter("text", Text(), "What.", required=True),
        Parameter("from", Text(), "Who.", field="sender"),
        Parameter("count", Integer(1, 5), "How often."),
        Parameter("flags", ListOf(Boolean()), "Flags."),
        Parameter("what", Anything(), "Anything."),
    ),
)
CLIENT = Client("test")


def test_a_handler_gets_what_was_given_and_nothing_else() -> None:
    message = {"message": "send", "text": "hello", "from": "me", "count": 2.0, "flags": [1, False]}
    called = bind(SEND, message)
    assert called(CLIENT) == {"text": "hello", "sender": "me", "count": 2, "flags": (True, False)}
    assert called.ignored == ()
    assert bind(SEND, {"message": "send", "text": ""})(CLIENT) == {"text": ""}


def test_null_is_the_same_as_not_given() -> None:
    assert bind(SEND, {"text": "", "count": None, "what": None})(CLIENT) == {"text": ""}


def test_what_may_be_anything_comes_as_it_is() -> None:
    value = {"a": [1, {"b": None}]}
    assert bind(SEND, {"text": "", "what": value})(CLIENT)["what"] is value  # type: ignore[index]


def test_unknown_members_are_told_and_do_no_harm() -> None:
    message = {
        "message": "send",
        "message_id": 1,
        "loop_count": 0,
        "start_time": 0,
        "text": "",
        "colour": "red",
    }
    assert bind(SEND, message).ignored == ("colour",)


def test_every_mistake_is_named_with_value_and_expectation() -> None:
    with pytest.raises(LibreImsError) as refused:
        bind(SEND, {"count": 9, "flags": [True, "yes"], "from": 7})
    assert str(refused.value) == (
        "text: string expected, the parameter is missing; from: string expected, not a number; "
        'count: 9 is out of range: 1 to 5; flags[1]: true or false expected, not "yes"'
    )


def test_members_that_are_no_parameter_go_together_where_that_is_declared() -> None:
    command = Command("set", "", give, (Parameter("a", Integer(), ""),), rest="changes")
    called = bind(command, {"message": "set", "a": 1, "b": None, "message_id": 3, "c": [2]})
    assert called(CLIENT) == {"a": 1, "changes": {"c": [2]}}  # null is the same as not given
    assert called.ignored == ()


def test_a_table_finds_commands_and_lists_those_that_are_not_legacy() -> None:
    table = Table([SEND, Command("old", "", give, legacy=True)], ["sms"])
    assert table.find("send") is SEND
    assert table.find("old").legacy
    assert table.names == ["send"]
    assert table.events == ("sms",)
    with pytest.raises(UnknownMessage, match=r"^Unknown message: bar$"):
        table.find("bar")
    with pytest.raises(ValueError, match="two commands send"):
        table.add([SEND])


def test_a_name_of_any_length_makes_a_short_error() -> None:
    with pytest.raises(UnknownMessage) as refused:
        Table().find("x" * 1_000_000)
    assert len(str(refused.value)) < 300


def test_a_deferred_answer_may_be_given_before_anyone_waits_for_it() -> None:
    got: list[Members] = []
    early = Deferred(lambda: None)
    early.complete({"a": 1})
    early.then(got.append)
    later = Deferred(lambda: None)
    later.then(got.append)
    later.complete({"a": 2})
    assert got == [{"a": 1}, {"a": 2}]


def test_parameters_that_nobody_knows_take_a_few_lines_however_many_there_are() -> None:
    assert list(ignored("help", ["colour"])) == ["help has no parameter 'colour', it is ignored"]
    lines = list(ignored("help", [f"{number}" * 100 for number in range(50_000)]))
    assert len(lines) == 11
    assert lines[-1] == "help does not have 49990 more parameters either, they are ignored"
    assert max(map(len, lines)) < 150
