"""A recording as text: one column for each party, one row for each message.

Pure: rows in, lines out.  The phone prints its own messages with it, the demo those of both phones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message from one column to another."""

    time: float
    """Seconds; only the differences count."""
    source: str
    target: str
    label: str
    protected: bool = False
    """Drawn with a double line: it went through IPsec."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that happened at one column without a message."""

    time: float
    column: str
    text: str


Row = Arrow | Remark

_TIME = 9
"""Characters of the time column."""


def render(
    columns: Sequence[str], rows: Iterable[Row], *, width: int = 38, start: float | None = None
) -> list[str]:
    """The ladder's lines; rows are put in the order of their times.

    `width` is the number of characters between two columns; longer labels are cut with an ellipsis.
    `start` is the time that counts as zero, by default the first row's.
    """
    ordered = sorted(rows, key=lambda row: row.time)
    if start is None:
        start = ordered[0].time if ordered else 0.0
    drawing = _Drawing(list(columns), width)
    lines = [drawing.head()]
    for row in ordered:
        when = f"{row.time - start:{_TIME - 1}.3f} "
        body = drawing.arrow(row) if isinstance(row, Arrow) else drawing.remark(row)
        lines.append((when + body).rstrip())
    return lines


class _Drawing:
    """Where the columns stand."""

    def __init__(self, columns: list[str], width: int) -> None:
        self._columns = columns
        self._width = width
        self._margin = max(len(columns[0]) // 2 + 1, 2)

    def _place(self, column: str) -> int:
        return self._margin + self._columns.index(column) * (self._width + 1)

    def head(self) -> str:
        line = [" "] * (self._place(self._columns[-1]) + len(self._columns[-1]) + 1)
        for column in self._columns:
            at = max(0, self._place(column) - len(column) // 2)
            line[at : at + len(column)] = column
        return " " * _TIME + "".join(line).rstrip()

    def _bars(self) -> list[str]:
        line = [" "] * (self._place(self._columns[-1]) + 1)
        for column in self._columns:
            line[self._place(column)] = "|"
        return line

    def arrow(self, arrow: Arrow) -> str:
        line = self._bars()
        source, target = self._place(arrow.source), self._place(arrow.target)
        left, right = min(source, target), max(source, target)
        room = right - left - 1
        label = f" {_cut(arrow.label, room - 6)} "
        shaft = label.center(room - 1, "=" if arrow.protected else "-")
        drawn = f"{shaft}>" if target > source else f"<{shaft}"
        line[left + 1 : right] = drawn
        return "".join(line)

    def remark(self, remark: Remark) -> str:
        line = self._bars()
        at = self._place(remark.column)
        text = f"* {remark.text}"
        if remark.column == self._columns[-1] and len(self._columns) > 1:
            text = _cut(text, self._width - 2)
            start = at - len(text) - 1
        else:
            text = _cut(text, self._width - 2 if len(self._columns) > 1 else 200)
            start = at + 2
        line[at] = "|"
        line[start : start + len(text)] = text
        return "".join(line)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"
