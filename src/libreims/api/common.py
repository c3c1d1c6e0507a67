"""`help`, `stats`, `license`, `quit`, `register`: what every server of this kind has (manual §6.5)."""

from __future__ import annotations

import time
from collections.abc import Callable

from libreims.api.client import Client
from libreims.api.events import Events
from libreims.api.services import ApiServices
from libreims.api.table import Command, Members, Parameter, Table
from libreims.base.clock import Clock
from libreims.base.counters import Counters
from libreims.config.kinds import Choice, ListOf

CpuTime = Callable[[], float]
"""Seconds of CPU that the process has used."""


def commands(services: ApiServices, table: Table, events: Events) -> tuple[Command, ...]:
    """The commands of this file."""
    names = ListOf(Choice(*table.events), single=True)

    def register(client: Client, register: tuple[str, ...] = (), unregister: tuple[str, ...] = ()) -> Members:
        events.change(client, register, unregister)
        return {}

    def quit(client: Client) -> Members:
        services.log.layer("com").info(f"{client.name} ends the program")
        services.quit()
        return {}

    return (
        Command("help", "List messages and events.", lambda client: _help(table)),
        Command("stats", "CPU load and counters since the last time.", Statistics(services).report),
        Command("license", "Under which license the program runs.", lambda client: _license()),
        Command("quit", "End the program.", quit),
        Command(
            "register",
            "Say which events this client wants.",
            register,
            (
                Parameter("register", names, "Events to be sent from now on."),
                Parameter("unregister", names, "Events not to be sent any more."),
            ),
        ),
    )


def _help(table: Table) -> Members:
    return {"messages": sorted(table.names), "events": sorted(table.events)}


def _license() -> Members:
    """The program is free: the fields say so."""
    return {"products": "IMS", "user": "anyone (Apache License 2.0)", "validity": "unlimited"}


class Statistics:
    """What `stats` reports, measured since it was asked for the last time."""

    def __init__(self, services: ApiServices, cpu_time: CpuTime = time.process_time) -> None:
        self._clock: Clock = services.clock
        self._counters: Counters = services.counters
        self._cpu_time = cpu_time
        self._instance = int(services.utc() * 1000)
        self._since = self._clock.time()
        self._used = cpu_time()

    def report(self, client: Client) -> Members:
        """CPU load in percent of one core, and the counters, which begin at 0 again."""
        now, used = self._clock.time(), self._cpu_time()
        elapsed = now - self._since
        load = 100.0 * (used - self._used) / elapsed if elapsed > 0 else 0.0
        self._since, self._used = now, used
        messages, errors = self._counters.take()
        return {
            "cpu": {"global": round(load, 3)},
            "instance_id": self._instance,
            "counters": {"messages": messages, "errors": errors},
        }
