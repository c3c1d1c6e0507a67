"""A remote API as the manual describes it (§6.1, §6.2), with nothing behind it, for tests of its client."""

from __future__ import annotations

import asyncio
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

Message = dict[str, Any]
READY = {"message": "ready", "type": "IMS", "name": "LAB", "version": "1"}


class WsServer:
    """Answers each message; some names do something else."""

    def __init__(self, password: str | None = None) -> None:
        self.password = password
        self.received: list[Message] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "Origin" not in request.headers:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.password is None:
            await socket.send_json(READY)
        elif not await self._authenticated(socket, self.password):
            return socket
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            value = json.loads(frame.data)
            for message in value if isinstance(value, list) else [value]:
                self.received.append(message)
                await self._answer(socket, message)
        return socket

    async def _authenticated(self, socket: web.WebSocketResponse, password: str) -> bool:
        challenge = {"message": "authenticate", "type": "IMS", "name": "LAB", "challenge": "c0ffee"}
        await socket.send_json(challenge)
        answer = await socket.receive_json()
        wanted = hmac.new(f"IMS:{password}:LAB".encode(), b"c0ffee", "sha256").hexdigest()
        if answer.get("message") == "authenticate" and answer.get("res") == wanted:
            await socket.send_json({"message": "authenticate", "ready": True})
            return True
        await socket.send_json({**challenge, "error": "Authentication failed"})
        return False

    async def _answer(self, socket: web.WebSocketResponse, message: Message) -> None:
        name = message.get("message")
        answer = {"message": name, "message_id": message.get("message_id"), "time": 1.5}
        match name:
            case "bad":
                await socket.send_json({**answer, "error": "it is bad"})
            case "events":
                for number in range(3):
                    await socket.send_json({"message": "dialog", "number": number})
                await socket.send_json(answer)
            case "silence":
                pass
            case "garbage":
                await socket.send_str("{")
            case "array":
                await socket.send_str("[1]")
            case "hangup":
                await socket.close()
            case "repeated":
                for index in range(message["loop_count"] + 1):
                    await socket.send_json({**answer, "loop_index": index})
            case _:
                await socket.send_json(answer)


@asynccontextmanager
async def ws_server(
    server: WsServer | None = None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[WsServer]:
    """The server on a port of its own."""
    server = server or WsServer()
    application = web.Application()
    application.router.add_get("/", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    server.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        yield server
    finally:
        await asyncio.wait_for(runner.cleanup(), 10)
