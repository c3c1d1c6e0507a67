from __future__ import annotations

import pytest

from libreims.monitor.arguments import Arguments, WrongUsage, assignments


def test_words() -> None:
    assert Arguments("  ").name == ""
    arguments = Arguments('mt_call sip:bob "" "Test Lab"')
    assert arguments.name == "mt_call" and arguments.words == ["sip:bob", "", "Test Lab"]
    assert arguments.exactly(2, 3) == arguments.words
    with pytest.raises(WrongUsage):
        arguments.exactly(1)


def test_quotes_that_do_not_pair_are_letters() -> None:
    assert Arguments("sms bob don't").words == ["bob", "don't"]


def test_options_stand_anywhere() -> None:
    for line in ("x -d 5 a b", "x a -d 5 b", "x a b -d 5"):
        arguments = Arguments(line)
        assert arguments.option("-d") == "5" and arguments.words == ["a", "b"]
    assert Arguments("x a").option("-d") is None
    with pytest.raises(WrongUsage):
        Arguments("x a -d").option("-d")
    arguments = Arguments("users -a")
    assert arguments.flag("-a") and not arguments.flag("-a")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("sms bob hello", "hello"),
        ("sms bob hello  big world", "hello  big world"),
        ('sms bob "hello  world"', "hello  world"),
        ("sms bob don't  do it", "don't  do it"),
        ('sms bob say "no"', 'say "no"'),
    ],
)
def test_text_to_the_end_of_the_line(line: str, text: str) -> None:
    assert Arguments(line).after(1) == text


def test_text_that_is_missing() -> None:
    for line in ("sms", "sms bob"):
        with pytest.raises(WrongUsage):
            Arguments(line).after(1)


def test_assignments() -> None:
    assert assignments(["code=16", "reason=a=b", "x="]) == {"code": "16", "reason": "a=b", "x": ""}
    for wrong in ("code", "=1"):
        with pytest.raises(WrongUsage):
            assignments([wrong])
