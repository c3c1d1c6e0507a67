"""`api.listener`: where it listens, what becomes no WebSocket; why there is no TLS is in `test_server`."""

import asyncio
import contextlib
import errno
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from libreims.api import listener as module
from libreims.api.listener import Listener, peer_of
from libreims.base.errors import LibreImsError
from support.api_server import serving
from support.certificates import Authority

BEGUN = (
    b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
"""A handshake of which the empty line never comes."""


def made(served: Any) -> Listener:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response()

    return Listener(served.lab.log.layer("com"), web.Server(answer), 10)


async def test_a_port_in_use_and_a_foreign_address_are_explained() -> None:
    async with serving() as served:
        other = made(served)
        with pytest.raises(LibreImsError, match=r"com_addr .*: Address already in use; another program"):
            other.open((served.host, served.port), None)
        with pytest.raises(LibreImsError, match="no address of this machine"):
            other.open(("192.0.2.77", 9003), None)
        assert other.addresses == []
        await other.close()


async def gone(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            return await reader.read() == b""
    return True


async def test_a_connection_that_never_becomes_a_websocket_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE", 0.2)
    async with serving() as served, served.client() as client:
        silent, _ = await asyncio.open_connection(served.host, served.port)
        slow, writer = await asyncio.open_connection(served.host, served.port)
        writer.write(BEGUN)
        assert await gone(silent)
        assert await gone(slow)
        assert served.lab.log_text().count("no WebSocket handshake within 0.2 s") == 2
        assert "products" in await client.ask("license")  # a WebSocket stays
        assert not served.server._listener._strangers


async def test_a_handshake_of_tls_that_never_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "HANDSHAKE", 0.2)
    Authority(tmp_path).issue("server", "127.0.0.1")
    files = f'com_ssl_certificate: "{tmp_path}/server.pem", com_ssl_key: "{tmp_path}/server.key",'
    async with serving(files, tls=True) as served:
        silent, _ = await asyncio.open_connection(served.host, served.port)
        other, writer = await asyncio.open_connection(served.host, served.port)
        writer.close()
        assert await gone(silent)
        assert await gone(other)
        log = served.lab.log_text()
        assert "no TLS: its handshake took too long" in log
        assert "no TLS: it went away in the handshake" in log
        assert not served.server._listener._strangers
        assert not served.server._listener._greetings


async def test_it_goes_on_when_the_system_has_no_room_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FULL", 0.01)
    async with serving() as served:
        loop = asyncio.get_running_loop()
        accept, faults = (
            loop.sock_accept,
            [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError()],
        )

        async def failing(listener: socket.socket) -> Any:
            if faults:
                raise faults.pop()
            return await accept(listener)

        monkeypatch.setattr(loop, "sock_accept", failing)
        async with served.client():
            pass  # this one was waited for before
        async with served.client() as client:
            assert "products" in await client.ask("license")
        assert "no more clients of the remote API can be taken: Too many open files" in served.lab.log_text()


def test_an_ipv4_address_is_shown_as_such() -> None:
    assert peer_of(("::ffff:192.0.2.1", 5)) == ("192.0.2.1", 5)
    assert peer_of(None) == ("?", 0)
