"""The remote API of a laboratory server, without a socket.

async def scenario(lab: Lab) -> None:
    assert (await ask(lab, "config_get"))["type"] == "IMS"
"""

from __future__ import annotations

from typing import Any

from libreims.api.client import Client, Frame
from support.lab import Lab


async def ask(lab: Lab, message: str, client: Client | None = None, /, **members: Any) -> Frame:
    """The response to a request."""
    return await lab.server.api.dispatcher.ask(client or Client("test"), {"message": message, **members})


async def error(lab: Lab, message: str, client: Client | None = None, /, **members: Any) -> str:
    """The error that a request gets."""
    response = await ask(lab, message, client, **members)
    assert "error" in response, f"no error: {response}"
    return str(response["error"])
