"""Registrations and calls: several servers one after the other under the same load, round after round."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import servers
from rig.figures import Spread, table, verdict
from rig.load import CALLEE, Generator, Result
from rig.servers import DEFAULT_ALLOCATOR, FAST_ALLOCATOR, SHIPPED, Running, Server

OURS = "LibreIMS"
LOGGING = "LibreIMS, logging every message (as shipped)"
CHAIN = "Kamailio IMS chain and HSS"
PLAIN = "Kamailio"
FAST, DEBIAN = "fast allocator", "Debian's default allocator"


@dataclass(frozen=True)
class Sample:
    """One server in one round."""

    cost: dict[str, float]
    """CPU microseconds for each registration or call, by process."""
    result: Result

    @property
    def total(self) -> float:
        return sum(self.cost.values())


Samples = dict[str, list[Sample]]


def measure(
    candidates: Sequence[Server],
    prepare: Callable[[], object],
    load: Callable[[], Result],
    rounds: int,
) -> Samples:
    """Alternate: start, prepare, load, stop, the next one."""
    samples: Samples = {server.name: [] for server in candidates}
    for number in range(rounds):
        for server in candidates:
            print(f"round {number + 1} of {rounds}: {server.name}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                running = server.start(Path(folder))
                try:
                    prepare()
                    samples[server.name].append(_sample(running, load))
                finally:
                    running.stop()
    return samples


def _sample(running: Running, load: Callable[[], Result]) -> Sample:
    before = running.cpu()
    result = load()
    after = running.cpu()
    if not result.ok:
        raise SystemExit(f"nothing got through: {result}")
    return Sample({name: (after[name] - before[name]) / result.ok * 1e6 for name in after}, result)


def registrations(generator: Generator, python: str, users: int, seconds: float, rounds: int) -> list[str]:
    """The chapter on registrations."""
    candidates = [servers.libreims(python, users), servers.libreims(python, users, log=SHIPPED, name=LOGGING)]
    notes = []
    if servers.kamailio_version() is None:
        notes = ["Kamailio is not installed: nothing to compare with."]
    else:
        why = servers.missing_for_chain()
        for note, allocator in _allocators():
            candidates.append(servers.plain_kamailio(f"{PLAIN}, registrar only, {note}", allocator))
            if why is None:
                candidates.append(servers.kamailio_chain(f"{CHAIN}, {note}", allocator, python))
        notes = [f"Left out: the Kamailio IMS chain, because {why}."] if why else []
    samples = measure(
        candidates,
        lambda: generator.register_all(users),
        lambda: generator.register(users, seconds),
        rounds,
    )
    lines = _table(samples, "registration")
    for name, each in samples.items():
        if name.startswith(CHAIN):
            parts = {part: Spread(sample.cost[part] for sample in each).median for part in each[0].cost}
            shares = ", ".join(f"{part} {cost:.0f}" for part, cost in parts.items())
            notes.append(f"{name}, by process in µs: {shares}.")
    notes += _verdicts(samples, CHAIN, "ratio of 0.33 at most", 1 / 3)
    return [*lines, "", *notes]


def calls(generator: Generator, python: str, users: int, seconds: float, rounds: int) -> list[str]:
    """The chapter on calls."""
    pairs = users // 2
    candidates = [servers.libreims(python, users), servers.libreims(python, users, log=SHIPPED, name=LOGGING)]
    if servers.kamailio_version() is not None:
        for note, allocator in _allocators():
            candidates.append(servers.plain_kamailio(f"{PLAIN}, stateful proxy, {note}", allocator))

    def prepare() -> None:
        generator.register_all(pairs)
        generator.register_all(pairs, first=pairs, source=CALLEE)
        generator.call(pairs, 1.0)

    samples = measure(candidates, prepare, lambda: generator.call(pairs, seconds), rounds)
    notes = _verdicts(samples, f"{PLAIN}, stateful proxy, {DEBIAN}", "ratio of 1 at most", 1.0)
    return [*_table(samples, "call"), "", *notes]


def _allocators() -> list[tuple[str, tuple[str, ...]]]:
    return [(FAST, FAST_ALLOCATOR), (DEBIAN, DEFAULT_ALLOCATOR)]


def _table(samples: Samples, what: str) -> list[str]:
    ours = Spread(sample.total for sample in samples[OURS])
    head = (
        "server",
        f"CPU µs per {what}",
        f"{what}s/s",
        "set-up ms, median / 99 %",
        "LibreIMS / this",
        "lost",
        "sent again",
    )
    rows = []
    for name, each in samples.items():
        cost = Spread(sample.total for sample in each)
        rate = Spread(sample.result.ok / sample.result.seconds for sample in each)
        set_up = [sample.result.set_up for sample in each if sample.result.set_up is not None]
        rows.append(
            (
                name,
                cost.text(),
                rate.text(),
                _times(set_up),
                "" if name == OURS else ours.over(cost).text(2),
                str(sum(sample.result.failed for sample in each)),
                str(sum(sample.result.retransmitted for sample in each)),
            )
        )
    return table(head, rows)


def _times(set_up: list[tuple[float, float]]) -> str:
    return " / ".join(f"{Spread(each).median:.3g}" for each in zip(*set_up, strict=True))


def _verdicts(samples: Samples, opponent: str, goal: str, most: float) -> list[str]:
    """The goal against this opponent, once for each of its allocators."""
    ours = Spread(sample.total for sample in samples[OURS])
    return [
        f"{verdict(f'{goal} beside {name}', ours.over(Spread(sample.total for sample in each)).median, most)}"
        for name, each in samples.items()
        if name.startswith(opponent)
    ]
