"""The remote API put together: the table with all commands, and what stands in front of it.

Made by the composition root. `submit` and `ask` of `dispatcher` are for those in the same process.
"""

from __future__ import annotations

from libreims.api import common, settings
from libreims.api.dispatch import Dispatcher
from libreims.api.services import ApiServices
from libreims.api.table import Table

EVENTS = ("sms", "users_update", "dialog", "invite")
"""What clients can register for (manual §6.7)."""


class RemoteApi:
    """All commands, ready to be used."""

    def __init__(self, services: ApiServices) -> None:
        self.services = services
        self.table = Table(events=EVENTS)
        self.table.add(common.commands(services, self.table))
        self.table.add(settings.commands(services))
        self.dispatcher = Dispatcher(self.table, services)
