"""Numbers for Prometheus: histograms, families of samples, and their text form (exposition format 0.0.4).

What is counted is counted anyway, as plain integers where it happens; `api.metrics` gathers it when it is
asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: from a procedure inside the server to a phone that rings."""

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One line."""

    value: float
    labels: Labels = ()
    suffix: str = ""
    """What follows the name of the family: `_bucket`, `_sum`, `_count`."""


class Family(NamedTuple):
    """All lines of one name."""

    name: str
    kind: str
    """`counter`, `gauge` or `histogram`."""
    help: str
    samples: tuple[Sample, ...]


class Histogram:
    """How often values up to each bound were observed."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def family(self, name: str, help: str) -> Family:
        """The lines of this histogram; buckets count what is below them too."""
        samples = []
        below = 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            samples.append(Sample(below, (("le", bound),), "_bucket"))
        samples += [Sample(self._sum, suffix="_sum"), Sample(below, suffix="_count")]
        return Family(name, "histogram", help, tuple(samples))


def gauge(name: str, help: str, value: float) -> Family:
    """A single number that goes up and down."""
    return Family(name, "gauge", help, (Sample(value),))


def counter(name: str, help: str, value: float) -> Family:
    """A single number that only grows."""
    return Family(name, "counter", help, (Sample(value),))


def labelled(name: str, kind: str, help: str, label: str, values: Mapping[str, float]) -> Family:
    """A number for each value of one label."""
    samples = tuple(Sample(value, ((label, key),)) for key, value in values.items())
    return Family(name, kind, help, samples)


def exposition(families: Iterable[Family]) -> str:
    """The text that Prometheus reads."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escape(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for sample in family.samples:
            labels = ",".join(f'{name}="{_escape(value, quotes=True)}"' for name, value in sample.labels)
            shown = f"{{{labels}}}" if labels else ""
            lines.append(f"{family.name}{sample.suffix}{shown} {_number(sample.value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escape(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text
