"""The remote API put together: the table with all commands, and what stands in front of it.

Made by the composition root. `submit` and `ask` of `dispatcher` are for those in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libreims.api import common, dialogs, ipsec, later, logs, messaging, settings, sim_events, users
from libreims.api.authentication import Authentication, password_of
from libreims.api.connection import Connection
from libreims.api.dispatch import Dispatcher
from libreims.api.events import NAMES, Events
from libreims.api.metrics import MetricSources
from libreims.api.services import ApiServices
from libreims.api.table import Table
from libreims.api.tls import context
from libreims.api.views import UserViews
from libreims.base.errors import LibreImsError
from libreims.config.schema import Settings
from libreims.net.port import Address

if TYPE_CHECKING:
    from libreims.api.server import WebSocketServer


class RemoteApi:
    """All commands, ready to be used."""

    def __init__(self, services: ApiServices, metrics: MetricSources) -> None:
        self.services = services
        self._metrics = metrics
        self.table = Table(events=NAMES)
        self.dispatcher = Dispatcher(self.table, services)
        views = UserViews(services.config, services.bindings, services.sms.pending, services.ipsec)
        self.events = Events(services, views, lambda: self.dispatcher.time)
        self.dispatcher.left = self.events.leave
        self.table.add(common.commands(services, self.table, self.events))
        self.table.add(settings.commands(services))
        self.table.add(logs.commands(services))
        self.table.add(users.commands(services))
        self.table.add(ipsec.commands(services))
        self.table.add(dialogs.commands(services))
        self.table.add(messaging.commands(services))
        self.table.add(later.commands())
        self._authentication = Authentication(services.config, services.clock, services.tokens)
        self.server: WebSocketServer | None = None
        """The WebSocket server, where `com_addr` is set."""

    async def start(self) -> None:
        """Listen on `com_addr`, if it is set, and make the `sim_events`. Raises LibreImsError."""
        current = self.services.config.current
        if current.com_addr is not None:
            await self._listen(current, current.com_addr)
        await sim_events.start(current, self.dispatcher, self.services.log.layer("com"))

    async def _listen(self, current: Settings, address: Address) -> None:
        tls = context(current)
        if current.com_auth is not None:
            password_of(current.com_auth)
        try:
            from libreims.api.server import WebSocketServer
        except ImportError as error:
            raise LibreImsError(
                f"com_addr is set, and the remote API needs the Python package aiohttp: {error}"
            ) from None
        server = WebSocketServer(self.services.log.layer("com"), self.connect, self._page)
        await server.start(address, tls)
        self.server = server

    def _page(self) -> str | None:
        return self._metrics.text() if self.services.config.current.com_metrics else None

    def connect(
        self, name: str, host: str, send: Callable[[str], None], close: Callable[[str], None]
    ) -> Connection:
        """A new connection, over whatever carries text."""
        return Connection(self.services, self.dispatcher, self._authentication, name, host, send, close)

    async def stop(self) -> None:
        """End all connections; nothing is answered any more."""
        server, self.server = self.server, None
        if server is not None:
            await server.stop()
        self.dispatcher.close()
        self.events.close()
