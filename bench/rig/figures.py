"""Medians, spreads, ratios, and the Markdown that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


class Spread:
    """Several measurements of the same thing: the median counts, the extremes show the noise."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = list(values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def over(self, other: Spread) -> Spread:
        """Ratio round by round, so that noise that both had in a round cancels out."""
        return Spread(a / b for a, b in zip(self.values, other.values, strict=True))

    def text(self, digits: int = 0) -> str:
        """`median (least to most)`."""
        if len(self.values) == 1:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({min(self.values):,.{digits}f} to {max(self.values):,.{digits}f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; all columns but the first are figures."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def verdict(goal: str, value: float, most: float, unit: str = "") -> str:
    """A sentence on a goal that is a ceiling."""
    met = "met" if value <= most else "**missed**"
    return f"Goal: {goal}. Measured: {value:.2f}{unit}, {met}."
