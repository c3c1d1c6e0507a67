"""The client's connection, against a small server written from the manual."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from libreims.base.errors import LibreImsError
from libreims.ws import connection as connection_module
from libreims.ws.address import parse_address
from libreims.ws.connection import Connection, Tls, Unreachable, response_to
from support.certificates import Authority
from support.ws_server import READY, WsServer, ws_server


def nobody() -> str | None:
    return None


def connect(address: str, password: Callable[[], str | None] = nobody, tls: Tls | None = None) -> Connection:
    return Connection(parse_address(address, tls=tls is not None), tls or Tls(), password)


async def fails(address: str, password: Callable[[], str | None] = nobody, tls: Tls | None = None) -> str:
    with pytest.raises(LibreImsError) as error:
        async with connect(address, password, tls):
            pass
    return str(error.value)


async def test_ready_then_messages() -> None:
    async with ws_server() as server, connect(server.address) as connection:
        assert connection.greeting == READY
        await connection.send({"message": "x", "message_id": 1})
        assert await connection.receive() == {"message": "x", "message_id": 1, "time": 1.5}
        await connection.send({"message": "hangup"})
        assert await connection.receive() is None


async def test_ipv6() -> None:
    async with ws_server(host="::1") as server, connect(server.address) as connection:
        assert connection.greeting == READY


async def test_authentication() -> None:
    async with ws_server(WsServer("secret")) as server:
        async with connect(server.address, lambda: "secret") as connection:
            assert connection.greeting["message"] == "authenticate"
        wrong = await fails(server.address, lambda: "guess")
        assert wrong == f"{server.address} does not accept the password: Authentication failed"
        assert "wants a password: give --password" in await fails(server.address)


def test_the_response_to_a_challenge() -> None:
    """HMAC-SHA256 with key `type:password:name` (RFC 4231 has the primitive, the manual the text)."""
    challenge = {"type": "IMS", "name": "LAB", "challenge": "abc"}
    # printf abc | openssl dgst -sha256 -hmac IMS:pw:LAB
    assert response_to(challenge, "pw") == "cfde0a2515d45297cc51675bde1598a06e6fb33cfb2b414bb0bd90aa8ccacef0"


async def test_nobody_is_there() -> None:
    async with ws_server() as server:
        address = server.address
    assert f"no connection to {address}: Connect call failed" in await fails(address)
    assert "no connection to no.such.host.invalid:9003" in await fails("no.such.host.invalid")


async def test_something_else_is_there() -> None:
    async def serve(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        writer.close()

    for answer, said in (
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refuses the connection (403)"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "(503): it has too many"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "web server, with status 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "web server, with status 200"),
        (b"SIP/2.0 400 Bad Request\r\n\r\n", "is no remote API"),
        (b"", "hangs up at once; does it want TLS (--ssl)?"),
    ):
        server = await asyncio.start_server(
            lambda reader, writer, answer=answer: serve(answer, reader, writer), "127.0.0.1", 0
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert said in await fails(f"127.0.0.1:{port}"), answer


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.1)
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        assert "does not answer within 0.1 s" in await fails(f"127.0.0.1:{port}")


@pytest.mark.parametrize(("message", "said"), [("garbage", "no JSON"), ("array", "no object")])
async def test_answers_that_are_no_messages(message: str, said: str) -> None:
    async with ws_server() as server, connect(server.address) as connection:
        await connection.send({"message": message})
        with pytest.raises(Unreachable, match=said):
            await connection.receive()


async def test_tls(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    files = authority.issue("server", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    async with ws_server(tls=context) as server:
        async with connect(server.address, tls=Tls(ca=str(authority.ca))) as connection:
            assert connection.greeting == READY
        async with connect(server.address, tls=Tls(insecure=True)) as connection:
            assert connection.greeting == READY
        unknown = await fails(server.address, tls=Tls(ca=str(stranger.ca)))
        assert "cannot be verified" in unknown and "--ca" in unknown and "--insecure" in unknown
        other = server.address.replace("127.0.0.1", "localhost")
        assert "cannot be verified: Hostname mismatch" in await fails(other, tls=Tls(ca=str(authority.ca)))
        assert "does it want TLS" in await fails(server.address)
    async with ws_server() as server:
        assert "no TLS with" in await fails(server.address, tls=Tls(insecure=True))


async def test_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server_files, own = authority.issue("server", "127.0.0.1"), authority.issue("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_files.certificate, server_files.key)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    ca = str(authority.ca)
    async with ws_server(tls=context) as server:
        tls = Tls(ca=ca, certificate=str(own.certificate), key=str(own.key))
        async with connect(server.address, tls=tls) as connection:
            assert connection.greeting == READY
        assert "does it want a certificate (--cert)?" in await fails(server.address, tls=Tls(ca=ca))


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (Tls(ca="/no/such/file"), "--ca /no/such/file cannot be used: No such file"),
        (Tls(certificate="/no/such/file"), "--cert /no/such/file with --key in the same file cannot be used"),
    ],
)
async def test_files_that_cannot_be_used(tls: Tls, said: str) -> None:
    assert said in await fails("127.0.0.1:1", tls=tls)


async def test_a_server_of_another_library() -> None:
    """python-websockets: fragments, pings and compression of somebody else."""

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None and "Origin" in socket.request.headers
        await socket.send(json.dumps(READY))
        async for text in socket:
            message = json.loads(text)
            await socket.ping()
            answer = json.dumps({**message, "text": "x" * 100_000})
            await socket.send([answer[:10], answer[10:50_000], answer[50_000:]])

    async with serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"127.0.0.1:{port}") as connection:
            for number in range(3):
                await connection.send({"message": "a", "message_id": number})
                answer = await connection.receive()
                assert (
                    answer is not None and answer["message_id"] == number and len(answer["text"]) == 100_000
                )
