"""`config.source`: marks and messages."""

from __future__ import annotations

import pytest

from libreims.config.source import ConfigError, ConfigErrors, ConfigWarning, Diagnosis, Place, Sources


def test_a_mark_becomes_file_line_and_column() -> None:
    sources = Sources()
    first = sources.add("a.cfg", "one\ntwo\n\nfour")
    second = sources.add("b.cfg", "x")
    assert sources.where(first) == Place("a.cfg", 1, 1)
    assert sources.where(first + 3) == Place("a.cfg", 1, 4)
    assert sources.where(first + 4) == Place("a.cfg", 2, 1)
    assert sources.where(first + 10) == Place("a.cfg", 4, 2)
    assert sources.where(second) == Place("b.cfg", 1, 1)
    assert sources.where(-1) is None


def test_messages_as_people_and_editors_read_them() -> None:
    place = Place("/etc/ims.cfg", 10, 3)
    assert str(ConfigError("wrong", place)) == "/etc/ims.cfg:10:3: wrong"
    assert str(ConfigWarning("unused property 'name'", place)) == "/etc/ims.cfg:10: unused property 'name'"
    assert str(ConfigError("wrong")) == "wrong"
    assert str(ConfigWarning("odd")) == "odd"


def test_a_thousand_errors_are_not_shown_one_by_one() -> None:
    diagnosis = Diagnosis()
    for number in range(1000):
        diagnosis.error(None, f"error {number}")
    with pytest.raises(ConfigErrors) as raised:
        diagnosis.check()
    assert len(raised.value.errors) == Diagnosis.SHOWN + 1
    assert str(raised.value).endswith("error 99\nand 900 more errors")


def test_nothing_wrong_raises_nothing() -> None:
    diagnosis = Diagnosis()
    diagnosis.warn(None, "odd")
    diagnosis.check()
