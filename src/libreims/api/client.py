"""Whoever sends requests to the remote API: a WebSocket connection, the monitor, `sim_events`, a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Frame = dict[str, Any]
"""One message in either direction, as JSON has it."""


def drop(text: str) -> None:
    """For clients that take no events."""


class Client:
    """What the server remembers about one of them."""

    __slots__ = ("connected", "events", "log_position", "log_waiting", "name", "procedures", "send")

    def __init__(self, name: str, send: Callable[[str], None] = drop) -> None:
        self.name = name
        """For the log: an address, `monitor`, `sim_events`."""
        self.send = send
        """Takes the events that the client has registered for, as JSON text."""
        self.events: set[str] = set()
        """Names of these events."""
        self.connected = True
        self.log_position = -1
        """Index of the first log entry that `log_get` has not looked at for this client; -1 at first."""
        self.log_waiting: Callable[[], None] | None = None
        """Answers the `log_get` that still waits."""
        self.procedures: set[asyncio.Task[None]] = set()
        """What takes several turns of the event loop; later requests of a connection wait for it."""

    async def settled(self) -> None:
        """Until what takes several turns has been answered: answers keep the order of their requests."""
        while self.procedures:
            await asyncio.wait(self.procedures)
