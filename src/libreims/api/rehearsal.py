"""`--check` of `sim_events`: which of the requests would be refused when the server starts (manual §5.2).

The table of commands is made with nothing behind it: it knows names and parameters, no handler is called.
"""

from __future__ import annotations

from typing import Any

from libreims.api.client import Client, Frame
from libreims.api.schedule import Job
from libreims.api.sim_events import CLIENT, request
from libreims.api.table import REQUEST, Table, bind, ignored, read
from libreims.base.errors import LibreImsError
from libreims.config.schema import Settings
from libreims.config.source import Diagnosis
from libreims.config.tree import Arr, Obj


class _Absent:
    """Stands for every part of a server that there is not."""

    def __getattr__(self, name: str) -> _Absent:
        return self

    def __call__(self, *_: object, **__: object) -> _Absent:
        return self

    def utc(self) -> float:
        """The one thing that is looked at before a handler is called."""
        return 0.0


def doubt(settings: Settings, tree: Obj, diagnosis: Diagnosis) -> None:
    """Warn of each element that would be refused, with its file and line."""
    events = tree.get("sim_events")
    if not settings.sim_events or not isinstance(events, Arr):
        return
    table = declared()
    for index, (event, mark) in enumerate(zip(settings.sim_events, events.marks, strict=True)):
        for problem in problems(table, event, settings):
            diagnosis.warn(mark, f"sim_events[{index}]: {problem}")


def declared() -> Table:
    """All commands, to look at and not to call."""
    from libreims.api.remote_api import RemoteApi

    absent: Any = _Absent()
    return RemoteApi(absent, absent).table


def problems(table: Table, event: object, settings: Settings) -> list[str]:
    """What the server would say of an element."""
    if not isinstance(event, dict):
        return ["an object is expected, the element is left out"]
    message = request(event, settings)
    name = message["message"]
    if not isinstance(name, str):
        return ["event: string expected, the name of a message"]
    try:
        invocation = bind(table.find(name), message)
        Job(Client(CLIENT), message, invocation, _nobody, **read(REQUEST, message))
    except LibreImsError as error:
        return [str(error)]
    return list(ignored(name, invocation.ignored))


def _nobody(frame: Frame) -> None:
    """Takes no answer."""
