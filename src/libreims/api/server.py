"""The WebSocket server of the remote API (RFC 6455, manual §6): messages and limits; no command.

Loaded only where `com_addr` is set: aiohttp takes a while.  There are no pings of our own: clients that read
only when they expect something could not answer them.  A peer that is gone is found by TCP keepalive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from libreims.api.connection import Connection
from libreims.api.doorkeeper import let_in
from libreims.api.listener import Listener, peer_of
from libreims.api.turns import Turns
from libreims.base.log import LayerLog
from libreims.base.metrics import CONTENT_TYPE
from libreims.net.address import text
from libreims.net.port import Address

MESSAGE_SIZE: Final = 4 << 20
"""Octets of one message to us."""
CONNECTIONS: Final = 1000
QUEUE: Final = 8 << 20
"""Characters that may wait for a client that does not read."""
TOTAL: Final = 256 << 20
"""Characters that may wait for all clients together."""
HIGH: Final = 1 << 20
"""Characters that have to be sent before the next request is read."""
CLOSING: Final = 1.0
"""Seconds for the last messages, and for the closing handshake."""
METRICS: Final = "/metrics"
_GOING_AWAY = 1001

Connect = Callable[[str, str, Callable[[str], None], Callable[[str], None]], Connection]
"""`connect(name, host, send, close)`."""


class WebSocketServer:
    """Accepts connections and carries text between them and `Connection`s."""

    def __init__(
        self, log: LayerLog, connect: Connect, metrics: Callable[[], str | None] = lambda: None
    ) -> None:
        """`metrics` makes the page `/metrics`; None where there is none."""
        self._log = log
        self._connect = connect
        self._metrics = metrics
        self._pipes: set[Pipe] = set()
        self._total = 0
        logger = logging.Logger("aiohttp.server")
        logger.addHandler(_ToLog(log))
        self._http = web.Server(self._serve, access_log=None, logger=logger)
        self._turns = Turns()
        self._listener = Listener(log, self._http, 2 * CONNECTIONS)

    def __len__(self) -> int:
        """Connections that are open."""
        return len(self._pipes)

    @property
    def addresses(self) -> list[Address]:
        """Where it listens."""
        return self._listener.addresses

    async def start(self, address: Address, tls: ssl.SSLContext | None) -> None:
        """Listen. Raises LibreImsError."""
        self._listener.open(address, tls)

    async def stop(self) -> None:
        """Send what has still to be sent, say good-bye, close."""
        await self._listener.close()
        pipes = tuple(self._pipes)
        if pipes:
            await asyncio.wait([asyncio.ensure_future(each.finish()) for each in pipes], timeout=2 * CLOSING)
        await self._http.shutdown(CLOSING)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer(request)
        if not isinstance(response, web.WebSocketResponse):
            response.force_close()  # else it could stay for an hour, in the place of a client
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == METRICS and "Upgrade" not in request.headers:
            page = self._metrics()
            if page is None:
                return web.Response(status=404, text="com_metrics is not set.\n")
            return web.Response(body=page.encode(), headers={"Content-Type": CONTENT_TYPE})
        if "Origin" not in request.headers:
            self._log.info(f"{request.remote}: no Origin in the WebSocket handshake, which is required: 403")
            return web.Response(status=403, text="The Origin header is required; any value will do.\n")
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")[0].strip()
        websocket = web.WebSocketResponse(
            timeout=CLOSING,
            compress=False,
            max_msg_size=MESSAGE_SIZE,
            protocols=(offered,) if offered else (),  # browsers insist on one of those they offer
        )
        if not websocket.can_prepare(request):
            return web.Response(
                status=426, text="This is a WebSocket server.\n", headers={"Upgrade": "websocket"}
            )
        if len(self._pipes) >= CONNECTIONS:
            self._log.warn(f"{request.remote}: there are {CONNECTIONS} connections already: 503")
            return web.Response(status=503, text="Too many connections.\n")
        try:
            await websocket.prepare(request)
        except ConnectionError:  # it has gone already
            return web.Response(status=400)
        self._listener.admit(request.protocol)
        pipe = Pipe(websocket, request, self._log, self._turns, self._waiting)
        self._pipes.add(pipe)
        try:
            await pipe.run(self._connect)
        finally:
            self._pipes.discard(pipe)
        return websocket

    def _waiting(self, change: int) -> None:
        """More or fewer characters wait for a client: of too many the one who leaves most of them goes."""
        self._total += change
        if change > 0 and self._total > TOTAL:
            worst = max(self._pipes, key=lambda pipe: pipe.waiting)
            worst.close(
                f"does not read {worst.waiting} characters that wait for it, and {self._total} wait for all"
            )


class Pipe:
    """One WebSocket: a bounded queue out, one message after the other in."""

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        request: web.BaseRequest,
        log: LayerLog,
        turns: Turns,
        changed: Callable[[int], None],
    ) -> None:
        """`changed` is told how many characters more wait, or fewer."""
        self._websocket = websocket
        self._turns = turns
        self._transport = request.transport
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        self._host, port = peer_of(peer)
        self.name = text((self._host, port))
        self._log = log
        self._queue: deque[str] = deque()
        self.waiting = 0
        """Characters in the queue."""
        self._changed = changed
        self._more = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._ending = False

    async def run(self, connect: Connect) -> None:
        """Until either side ends it."""
        connection = connect(self.name, self._host, self.send, self.close)
        writer = asyncio.get_running_loop().create_task(self._write())
        if self._transport is not None:
            connection.known = partial(let_in, self._transport)
        try:
            connection.open()
            async for frame in self._websocket:
                if frame.type is WSMsgType.ERROR:
                    self._log.info(f"{self.name}: {self._websocket.exception()}")
                    break
                for message in connection.messages(frame.data):
                    await self._turns.wait()
                    connection.process(message)
                    await connection.settled()
                    await self._drained.wait()
                    if self._ending:
                        return
        finally:
            connection.closed()
            writer.cancel()
            self._ending = True
            self._clear()

    def send(self, text: str) -> None:
        """Queue a message; a client that lets too many of them lie is cut off."""
        if self._ending:
            return
        if self.waiting > QUEUE:
            self.close(f"does not read what it asked for, {self.waiting} characters wait for it")
            return
        self._queue.append(text)
        self.waiting += len(text)
        self._more.set()
        if self.waiting > HIGH:
            self._drained.clear()
        self._changed(len(text))

    def close(self, why: str) -> None:
        """End the connection, whatever is in its queue."""
        if self._ending:
            return
        self._ending = True
        self._log.warn(f"{self.name} {why}: connection closed")
        self._clear()
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Send what is queued, then say good-bye."""
        self._ending = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                while self._queue:
                    await self._flush()
        await self._websocket.close(code=_GOING_AWAY, message=b"the server ends")

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            await self._flush()

    async def _flush(self) -> None:
        self._more.clear()
        while self._queue:
            await self._turns.wait()
            if not self._queue:
                return
            text = self._queue.popleft()
            try:
                await self._websocket.send_str(text)
            except (ConnectionError, RuntimeError):  # gone; the reader has noticed or is about to
                self._clear()
                return
            sent = min(len(text), self.waiting)  # nothing waits any more where it was closed meanwhile
            self.waiting -= sent
            self._changed(-sent)
            if self.waiting <= HIGH:
                self._drained.set()

    def _clear(self) -> None:
        self._queue.clear()
        left, self.waiting = self.waiting, 0
        self._changed(-left)
        self._drained.set()


class _ToLog(logging.Handler):
    """What aiohttp has to say about requests that are no HTTP."""

    def __init__(self, log: LayerLog) -> None:
        super().__init__()
        self._to = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        fault = record.exc_info[1] if record.exc_info else None
        if fault is None:
            self._to.info(record.getMessage())
        elif isinstance(fault, HttpProcessingError):
            self._to.info(f"{record.getMessage()}, which is no HTTP: {fault.message[:200]}")
        else:
            self._to.exception(record.getMessage(), fault)
