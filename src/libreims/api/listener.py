"""The door of the remote API: accepts TCP connections, does TLS, gives each its time to become a WebSocket.

It accepts by itself, because `create_server` tells nobody why a handshake of TLS has failed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Final

from aiohttp import web

from libreims.api import tls
from libreims.api.doorkeeper import STRANGER_OCTETS, Doorkeeper
from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.net.address import text
from libreims.net.port import Address

HANDSHAKE: Final = 10.0
"""Seconds until a connection has to be a WebSocket, the handshake of TLS included."""
FULL: Final = 1.0
"""Seconds to wait where the system has no room for one more connection."""
BACKLOG: Final = 256


class Listener:
    """A listening socket, and the connections that are no WebSocket yet."""

    def __init__(self, log: LayerLog, http: web.Server, most: int) -> None:
        """`most` TCP connections, whatever they are, may be open."""
        self._log = log
        self._http = http
        self._most = most
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._greetings: set[asyncio.Task[None]] = set()
        """TLS handshakes that are on."""
        self._strangers: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}
        """Who may still become a WebSocket, and when it is too late for that."""

    @property
    def addresses(self) -> list[Address]:
        """Where it listens."""
        return [self._socket.getsockname()[:2]] if self._socket is not None else []

    def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Listen. Raises LibreImsError."""
        try:
            self._socket = _bound(address, self._log)
        except OSError as error:
            raise LibreImsError(
                f"com_addr {text(address)}: {error.strerror or error}; {_remedy(error)}"
            ) from None
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._socket, context))

    async def close(self) -> None:
        """Take no more; those that are no WebSocket yet are left to `web.Server`."""
        tasks = [each for each in (self._accepting, *self._greetings) if each is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)  # the loop must not watch a descriptor that is closed
        for deadline in self._strangers.values():
            deadline.cancel()
        self._strangers.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def admit(self, protocol: asyncio.BaseProtocol) -> None:
        """It is a WebSocket now and may stay."""
        deadline = self._strangers.pop(protocol, None)
        if deadline is not None:
            deadline.cancel()

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except ConnectionError:  # it has gone already
                continue
            except OSError as error:
                self._log.error(
                    f"no more clients of the remote API can be taken: {error.strerror or error}; "
                    "allow the program more open files (ulimit -n)"
                )
                await asyncio.sleep(FULL)
                continue
            if len(self._http.connections) + len(self._greetings) >= self._most:
                connection.close()
                continue
            task = loop.create_task(self._greet(connection, peer_of(peer), context))
            self._greetings.add(task)
            task.add_done_callback(self._greetings.discard)

    async def _greet(self, connection: socket.socket, peer: Address, context: ssl.SSLContext | None) -> None:
        """One TCP connection, until it can carry HTTP."""
        loop = asyncio.get_running_loop()
        protocol = self._http()
        keeper = Doorkeeper(protocol, lambda: self._too_much(protocol))
        self._strangers[protocol] = loop.call_later(HANDSHAKE, self._overdue, protocol)
        try:
            await loop.connect_accepted_socket(
                lambda: keeper,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE if context is not None else None,
            )
        except OSError as error:
            self.admit(protocol)
            self._log.info(f"{text(peer)}: no TLS: {tls.refusal(error)}")

    def _too_much(self, protocol: web.RequestHandler) -> None:
        """Somebody sends and sends without saying who it is."""
        transport = protocol.transport
        if transport is not None:
            peer = text(peer_of(transport.get_extra_info("peername")))
            self._log.warn(
                f"{peer} sent more than {STRANGER_OCTETS} octets and is not authenticated: connection closed"
            )
            transport.abort()

    def _overdue(self, protocol: web.RequestHandler) -> None:
        """A connection that is no WebSocket by now will not become one."""
        del self._strangers[protocol]
        transport = protocol.transport
        if transport is not None:  # it has not gone by itself
            peer = text(peer_of(transport.get_extra_info("peername")))
            self._log.info(f"{peer}: no WebSocket handshake within {HANDSHAKE:g} s, connection closed")
            transport.abort()


def peer_of(name: tuple[str, int] | None) -> Address:
    """Who is at the other end of a socket; an IPv4 address as such, also on a socket for both."""
    host, port = name[:2] if name else ("?", 0)
    return host.removeprefix("::ffff:"), port


def _bound(address: Address, log: LayerLog) -> socket.socket:
    """A listening socket; `[::]` is IPv4 and IPv6, or IPv4 alone where the machine has no IPv6."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if host != "::" or error.errno != errno.EAFNOSUPPORT:
            raise
        log.info("com_addr [::]: this machine has no IPv6, IPv4 alone is listened on")
        return _bound(("0.0.0.0", port), log)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for option, value in (
            (socket.TCP_KEEPIDLE, 60),
            (socket.TCP_KEEPINTVL, 10),
            (socket.TCP_KEEPCNT, 6),
        ):
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _remedy(error: OSError) -> str:
    """What to do about it."""
    if error.errno == errno.EADDRINUSE:
        return "another program uses this port: end it or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "it is no address of this machine (`ip addr`): correct it, or use [::] for all addresses"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 need the right to use them: choose a higher one"
    return "correct it"
