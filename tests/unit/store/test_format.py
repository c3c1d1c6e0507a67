"""`store.format`: versions follow each other, and each record's check sum covers all of it."""

from __future__ import annotations

import sqlite3

import pytest

from libreims.store.format import MIGRATIONS, check_sum, damage, migrate


def test_migrations_run_from_the_version_that_is_there() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    done: list[int] = []
    steps = [lambda _connection, number=number: done.append(number) for number in range(4)]
    assert migrate(connection, steps[:2]) == 0
    assert migrate(connection, steps[:2]) == 2
    assert migrate(connection, steps) == 2
    assert done == [0, 1, 2, 3]
    assert connection.execute("PRAGMA user_version").fetchone() == (4,)


@pytest.mark.parametrize(
    "change", ["kind = 'smt'", "key = '2'", "value = '{}'", "sum = 0", "value = x'00'", "sum = NULL"]
)
def test_a_record_is_covered_by_its_check_sum(change: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    assert damage(connection) == ""
    migrate(connection)
    values = ("sms", "1", '{"text":"hello"}')
    insert = "INSERT INTO record (kind, key, value, sum) VALUES (?, ?, ?, ?)"
    connection.execute(insert, (*values, check_sum(*values)))
    assert damage(connection) == ""
    try:
        connection.execute(f"UPDATE record SET {change}")
    except sqlite3.IntegrityError:
        return  # the table does not even take it
    assert damage(connection) == "the check sum of record 1 is wrong"


def test_the_first_migration_makes_the_table() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS[:1])
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (0,)
