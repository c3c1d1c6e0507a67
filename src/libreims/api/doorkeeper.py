"""How much a stranger may send: between the socket and aiohttp until a client is known (`com_auth`).

aiohttp has one limit for the messages of a connection, and gathers a message of that size before anybody can
ask who sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

STRANGER_OCTETS: Final = 32 << 10
"""Octets until a client is known: the handshake of HTTP and some attempts to authenticate."""


class Doorkeeper(asyncio.Protocol):
    """Passes everything on to another protocol, and counts what comes in."""

    def __init__(self, inner: asyncio.Protocol, full: Callable[[], None]) -> None:
        """`full` is called when too much has come; the connection is ended then."""
        self.inner = inner
        self._full = full
        self._left = STRANGER_OCTETS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._left < 0:
            return
        self._left -= len(data)
        if self._left >= 0:
            self.inner.data_received(data)
        else:
            self._full()

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.inner.connection_lost(exc)


def let_in(transport: asyncio.BaseTransport) -> None:
    """The client of this connection is known: it may send what it likes."""
    keeper = transport.get_protocol()
    if isinstance(keeper, Doorkeeper):
        transport.set_protocol(keeper.inner)
