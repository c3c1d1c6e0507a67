"""The ladder: every row in its place, nothing lost."""

from __future__ import annotations

from libreims.ue.ladder import Arrow, Remark, render

COLUMNS = ("A", "server", "B")


def test_rows_stand_in_the_order_of_their_times() -> None:
    lines = render(COLUMNS, [Arrow(5.5, "server", "A", "200 OK"), Arrow(5.0, "A", "server", "INVITE")])
    assert "INVITE" in lines[1] and lines[1].startswith("   0.000 ")
    assert "200 OK" in lines[2] and lines[2].startswith("   0.500 ")


def test_an_arrow_points_from_source_to_target() -> None:
    right, left = render(COLUMNS, [Arrow(0, "A", "server", "BYE"), Arrow(1, "server", "A", "OK")])[1:]
    assert right.index("BYE") < right.index(">")
    assert left.index("<") < left.index("OK")


def test_what_is_protected_has_a_double_line() -> None:
    line, other = render(
        COLUMNS, [Arrow(0, "A", "server", "BYE", protected=True), Arrow(1, "server", "A", "200 OK")]
    )[1:]
    assert "=== BYE ===" in line and "-" not in line
    assert "--- 200 OK ---" in other and "=" not in other


def test_an_arrow_stays_between_its_columns() -> None:
    line = render(COLUMNS, [Arrow(0, "server", "B", "x" * 200)])[1]
    assert line.count("|") == 3
    assert "…" in line
    assert len(line) == len(render(COLUMNS, [Arrow(0, "A", "server", "x")])[1])


def test_an_arrow_over_two_columns_covers_the_middle() -> None:
    line = render(COLUMNS, [Arrow(0, "A", "B", "direct")])[1]
    assert line.count("|") == 2


def test_a_remark_stands_beside_its_column() -> None:
    first, last = render(COLUMNS, [Remark(0, "A", "said 50"), Remark(1, "B", "heard 50")])[1:]
    assert first.index("said 50") < first.index("|", 12)
    assert last.rstrip().endswith("heard 50 |")


def test_the_head_names_every_column_once() -> None:
    head = render(COLUMNS, [])[0]
    assert [head.count(name) for name in ("A", "server", "B")] == [1, 1, 1]
