"""The settings in force: an immutable snapshot that is replaced as a whole when something changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from libreims.config.declare import Invalid, Reader, Skip, declarations, from_json
from libreims.config.schema import Settings
from libreims.config.source import ConfigError, ConfigErrors, Diagnosis

Listener = Callable[[Settings, Settings], None]
"""Called with the settings before and after a change."""


class ConfigStore:
    """Holds `current`; code reads `store.current.x` at the moment of use."""

    def __init__(self, settings: Settings, directory: str = "") -> None:
        self.current = settings
        self.directory = directory
        """What file names in a change are relative to."""
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Be told of every change."""
        self._listeners.append(listener)

    def update(self, changes: Mapping[str, object]) -> Settings:
        """Change properties, by their manual names: all of them or, where `changed` raises, none."""
        return self.replace(self.changed(changes))

    def changed(
        self, changes: Mapping[str, object], warn: Callable[[str], object] = lambda text: None
    ) -> Settings:
        """The settings with these changes, which are not in force yet.

        Raises ConfigErrors for a name that is unknown or may not change while the program runs, and for a
        value that does not suit. `warn` gets what is passed over, a name that an object does not have.
        """
        if not changes:
            return self.current
        table = declarations(Settings)
        diagnosis = Diagnosis()
        reader = Reader(diagnosis, self.directory)
        values: dict[str, Any] = {}
        for name, value in changes.items():
            declared = table.get(name)
            if declared is None:
                diagnosis.error(None, f"{name}: there is no such property")
                continue
            if not declared.runtime:
                diagnosis.error(None, f"{name}: cannot be changed while the program runs")
                continue
            if value is None and declared.default is None:
                values[declared.field] = None
                continue
            try:
                values[declared.field] = declared.kind.read(from_json(value), reader, name)
            except (Invalid, Skip, TypeError) as error:
                diagnosis.errors.append(ConfigError(f"{name}: {error}"))
        if diagnosis.errors:
            raise ConfigErrors(diagnosis.errors)
        reader.flush()
        for warning in diagnosis.warnings:
            warn(str(warning))
        return dataclasses.replace(self.current, **values)

    def replace(self, settings: Settings) -> Settings:
        """Put a new snapshot in force and tell the listeners."""
        before, self.current = self.current, settings
        for listener in self._listeners:
            listener(before, settings)
        return settings
