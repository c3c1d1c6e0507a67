"""`base.counters.Counters`."""

from __future__ import annotations

from libreims.base.counters import Counters


def test_messages_and_errors_are_apart() -> None:
    counters = Counters()
    counters.count("REGISTER")
    counters.count("REGISTER")
    counters.error("REGISTER")
    assert counters.messages == {"REGISTER": 2}
    assert counters.errors == {"REGISTER": 1}


def test_taking_begins_at_zero_and_leaves_what_was_taken_alone() -> None:
    counters = Counters()
    counters.count("INVITE")
    messages, errors = counters.take()
    counters.count("INVITE")
    counters.error("timeout")
    assert messages == {"INVITE": 1}
    assert errors == {}
    assert counters.take() == ({"INVITE": 1}, {"timeout": 1})


def test_totals_are_kept_whoever_takes_what_was_counted_meanwhile() -> None:
    counters = Counters()
    counters.count("a")
    counters.error("x")
    counters.take()
    counters.count("a")
    counters.count("b")
    assert counters.totals() == ({"a": 2, "b": 1}, {"x": 1})
    counters.take()
    assert counters.take() == ({}, {})
    assert counters.totals() == ({"a": 2, "b": 1}, {"x": 1})
