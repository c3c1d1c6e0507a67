"""`sim_events`: requests that the server makes to itself when it starts (manual §5.2).

Each element is a request of the remote API whose name stands in `event` instead of `message`.
"""

from __future__ import annotations

from typing import Any, Final

from libreims.api.client import Client, Frame
from libreims.api.dispatch import Dispatcher
from libreims.base.log import LayerLog
from libreims.config.schema import Settings

CLIENT: Final = "sim_events"


async def start(settings: Settings, dispatcher: Dispatcher, log: LayerLog) -> None:
    """Submit all of them, one after the other; what goes wrong is a line in the log."""
    client = Client(CLIENT)
    for index, event in enumerate(settings.sim_events):
        name = f"sim_events[{index}]"
        if not isinstance(event, dict):
            log.warn(f"{name}: an object is expected, the element is left out")
            continue

        def answered(response: Frame, name: str = name) -> None:
            if "error" in response:
                log.warn(f"{name}: {response['error']}")

        dispatcher.submit(client, request(event, settings), answered)
        await client.settled()


def request(event: dict[str, Any], settings: Settings) -> Frame:
    """The request of an element, with the repetitions that are set for all of them."""
    message = dict(event)
    if "message" not in message:
        message["message"] = message.pop("event", None)
    for name, value in (
        ("loop_count", settings.sim_events_loop_count),
        ("loop_delay", settings.sim_events_loop_delay),
    ):
        if value is not None:
            message.setdefault(name, value)
    return message
