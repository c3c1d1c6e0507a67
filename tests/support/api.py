"""The remote API of a laboratory server, without a socket.

async def scenario(lab: Lab) -> None:
    assert (await ask(lab, "config_get"))["type"] == "IMS"
"""

from __future__ import annotations

import hashlib
import hmac
import json
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


def hmac_response(frame: Frame, password: str) -> str:
    """`res` as the manual computes it (§6.2), from an `authenticate` message of the server."""
    key = f"{frame['type']}:{password}:{frame['name']}".encode()
    return hmac.new(key, frame["challenge"].encode(), hashlib.sha256).hexdigest()


class Link:
    """A connection to the remote API that carries text without a socket."""

    def __init__(self, lab: Lab, host: str = "192.0.2.1", port: int = 40000) -> None:
        self.frames: list[Frame] = []
        self.closed: list[str] = []
        api = lab.server.api
        self.connection = api.connect(f"{host}:{port}", host, self._sent, self.closed.append)
        self.connection.open()

    def _sent(self, text: str) -> None:
        self.frames.append(json.loads(text))

    def say(self, message: object) -> Frame | None:
        """Send a message; the next frame if it comes at once."""
        before = len(self.frames)
        self.connection.receive(message if isinstance(message, str) else json.dumps(message))
        return self.frames[before] if len(self.frames) > before else None

    def leave(self) -> None:
        self.connection.closed()
