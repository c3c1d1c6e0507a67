"""`config_get` and `config_set`: the settings in force, and those that may change (manual §6.5)."""

from __future__ import annotations

from typing import Any

from libreims.api.authentication import TYPE
from libreims.api.client import Client
from libreims.api.log_settings import change, shown
from libreims.api.services import ApiServices
from libreims.api.table import Command, Members, Parameter, ignored
from libreims.base.errors import LibreImsError
from libreims.config.declare import WORKS, Prop, declarations
from libreims.config.kinds import Anything
from libreims.config.schema import Settings
from libreims.config.source import ConfigErrors
from libreims.config.to_json import to_json

_LOGS = Parameter("logs", Anything(), "Log configuration, in the form of `config_get`.")


def commands(services: ApiServices) -> tuple[Command, ...]:
    """The commands of this file."""
    settings = SettingsCommands(services)
    return (
        Command("config_get", "Show the settings.", settings.get),
        Command(
            "config_set",
            "Change settings: every property that `config_get` shows is a parameter.",
            settings.set,
            (_LOGS,),
            rest="changes",
        ),
    )


def changeable() -> list[Prop]:
    """The properties that may change while the program runs."""
    return [each for name, each in declarations(Settings).items() if each.runtime and name == each.name]


class SettingsCommands:
    """Handlers of both commands."""

    def __init__(self, services: ApiServices) -> None:
        self._config = services.config
        self._log = services.log
        self._com = services.log.layer("com")

    def get(self, client: Client) -> Members:
        """The log configuration and every property that `config_set` changes."""
        settings = self._config.current
        logs = shown(self._log)
        if settings.com_log_lock:
            logs["locked"] = True
        members: Members = {"type": TYPE, "name": settings.com_name, "logs": logs}
        for each in changeable():
            value = getattr(settings, each.field)
            if value is not None:
                members[each.name] = to_json(value)
        return members

    def set(self, client: Client, changes: dict[str, Any], logs: object = None) -> Members:
        """All of the changes or, where one is wrong, none."""
        known = declarations(Settings)
        unknown = [name for name in changes if name not in known]
        problems: list[str] = []
        locked = logs is not None and self._config.current.com_log_lock
        log_change = None
        if logs is not None and not locked:
            try:
                log_change = change(self._log, logs, unknown)
            except LibreImsError as error:
                problems.append(str(error))
        for line in ignored("config_set", unknown):
            self._com.info(f"{client.name}: {line}")
        try:
            updated = self._config.changed(
                {name: value for name, value in changes.items() if name in known}, self._com.info
            )
        except ConfigErrors as errors:
            problems += [each.message for each in errors.errors]
        if problems:
            raise LibreImsError("; ".join(problems))
        if log_change is not None:
            self._log.change(log_change)
        for name in changes:
            if name in known and known[name].state is not WORKS:
                self._com.warn(f"{client.name}: config_set of {name}: {known[name].state}")
        if updated is not self._config.current:
            self._config.replace(updated)
        return {"logs": "locked"} if locked else {}
