"""A laboratory server whose remote API listens on a real socket; its phones stay simulated.

async with serving() as served:
    async with served.client() as client:          # `websockets`, not our own code
        assert (await client.ask("help"))["messages"]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch

from websockets.asyncio.client import ClientConnection, connect

from libreims.api.server import WebSocketServer
from support.lab import CONFIG, Lab

QUIET = CONFIG.replace("all.level=debug", "all.level=error")


class Client:
    """One WebSocket connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, message: object) -> None:
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(20):
            frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict)
        return frame

    async def ask(self, message: str, /, **members: Any) -> dict[str, Any]:
        """A request, and the next frame."""
        await self.say({"message": message, **members})
        return await self.hear()


class Served:
    """The server, and ways to reach it."""

    def __init__(self, lab: Lab, host: str, tls: bool) -> None:
        self.lab = lab
        server = lab.server.api.server
        assert server is not None
        self.server: WebSocketServer = server
        self.host = host
        self.port = server.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'wss' if tls else 'ws'}://{shown}:{self.port}/"

    @contextlib.asynccontextmanager
    async def client(
        self, *, origin: str | None = "http://test", ready: bool = True, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Client]:
        async with connect(self.url, origin=origin, ssl=tls, max_size=None, proxy=None) as socket:  # type: ignore[arg-type]
            client = Client(socket)
            if ready:
                assert (await client.hear())["message"] in ("ready", "authenticate")
            yield client


@contextlib.asynccontextmanager
async def serving(
    extra: str = "", *, config: str = CONFIG, host: str = "127.0.0.1", tls: bool = False
) -> AsyncIterator[Served]:
    """Run a server for the time of a test."""
    shown = f"[{host}]" if ":" in host else host
    loop: Any = asyncio.get_running_loop()
    lab = Lab(loop, f'{config} com_addr: "{shown}:0", {extra}')
    await lab.server.start()
    try:
        yield Served(lab, host, tls)
    finally:
        with patch("libreims.server.DRAIN_TIME", 0.02):  # the peers do not answer a BYE by themselves
            await lab.server.stop()
