"""Start-up, memory and the cost of a registration with few users and with very many."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rig.figures import Spread, table, verdict
from rig.load import Generator
from rig.servers import Running, start_libreims

FEWEST = 10
CHUNK = 5000
"""Users registered in one go: the generator is never under way for long."""
GIGABYTE = 1e9
READY = {10: 1.0, 10_000: 5.0}
"""Goals of the start-up, in seconds, by number of users."""


@dataclass
class Population:
    """A server with so many users."""

    users: int
    port: int
    running: Running
    start_cpu: float
    idle: int
    """Octets before anybody has registered."""
    registered: int = 0
    first: float = 0.0
    """CPU microseconds of everybody's first registration, on average."""
    again: list[float] = field(default_factory=list)
    """CPU microseconds of a later registration, round by round."""


def scale(generator: Generator, python: str, sizes: list[int], seconds: float, rounds: int) -> list[str]:
    """The chapter on numbers of users. All servers run beside each other, one is loaded at a time."""
    populations: list[Population] = []
    with tempfile.TemporaryDirectory() as name:
        try:
            for number, users in enumerate([FEWEST, *sizes]):
                print(f"start and register {users} users", file=sys.stderr)
                folder = Path(name) / str(users)
                folder.mkdir()
                running = start_libreims(folder, python, users, port=5060 + number)
                cpu = sum(running.cpu().values())
                populations.append(Population(users, 5060 + number, running, cpu, running.memory()))
                _register_everybody(generator, populations[-1])
            for number in range(rounds):
                print(f"round {number + 1} of {rounds}", file=sys.stderr)
                for each in populations[1:]:
                    _register_again(generator, each, seconds)
        finally:
            for each in populations:
                each.running.stop()
    return _chapter(populations)


def _register_everybody(generator: Generator, population: Population) -> None:
    before = sum(population.running.cpu().values())
    for first in range(0, population.users, CHUNK):
        count = min(CHUNK, population.users - first)
        result = generator.register_all(count, first=first, port=population.port)
        if result.ok != count:
            raise SystemExit(f"only {result.ok} of {count} users could register: {result}")
    population.first = (sum(population.running.cpu().values()) - before) / population.users * 1e6
    population.registered = population.running.memory()


def _register_again(generator: Generator, population: Population, seconds: float) -> None:
    before = sum(population.running.cpu().values())
    result = generator.register(population.users, seconds, port=population.port)
    population.again.append((sum(population.running.cpu().values()) - before) / result.ok * 1e6)


def _chapter(populations: list[Population]) -> list[str]:
    head = (
        "users",
        "start-up s",
        "of this CPU s",
        "memory MB, started",
        "MB, all registered",
        "kB per registration",
        "CPU µs, first registration",
        "CPU µs, later ones",
        "relative",
    )
    smallest = Spread(populations[1].again)
    rows = []
    for each in populations:
        again = Spread(each.again)
        rows.append(
            (
                f"{each.users:,}",
                f"{each.running.ready:.2f}",
                f"{each.start_cpu:.2f}",
                f"{each.idle / 1e6:.0f}",
                f"{each.registered / 1e6:.0f}",
                f"{(each.registered - each.idle) / each.users / 1e3:.1f}" if each.again else "",
                f"{each.first:.0f}" if each.again else "",
                again.text() if each.again else "",
                again.over(smallest).text(2) if each.again else "",
            )
        )
    return [*table(head, rows), "", *_verdicts(populations)]


def _verdicts(populations: list[Population]) -> list[str]:
    fewest, smallest, largest = populations[0], populations[1], populations[-1]
    apart = ", ".join(
        f"{(each.registered - fewest.idle) / each.users * 10_000 / 1e6:.0f} MB (of {each.users:,})"
        for each in populations[1:]
    )
    lines = [f"Memory for 10,000 users, configured and registered, the program itself taken off: {apart}."]
    for each in populations:
        if each.users in READY:
            goal = f"ready with {each.users:,} users in {READY[each.users]:g} s"
            lines.append(verdict(goal, each.running.ready, READY[each.users], " s"))
    goal = f"{largest.users:,} registered users in less than 1 GB"
    lines.append(verdict(goal, largest.registered / GIGABYTE, 1.0, " GB"))
    growth = Spread(largest.again).over(Spread(smallest.again)).median
    goal = f"cost of a registration with {largest.users:,} users to {smallest.users:,} users 1.1 at most"
    return [*lines, verdict(goal, growth, 1.1)]
