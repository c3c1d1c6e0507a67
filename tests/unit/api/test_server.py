"""`api.server`: real sockets, with a client that is not ours."""

import asyncio
import errno
import gc
import itertools
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from libreims.api import server as server_module
from libreims.api import slices
from libreims.api.connection import Connection
from libreims.api.doorkeeper import STRANGER_OCTETS
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.log_options import LogOptions
from support.api import hmac_response
from support.api_server import QUIET, serving
from support.certificates import Authority
from support.process import has_ipv6


async def test_a_client_that_is_not_ours_talks_to_the_server() -> None:
    async with serving('com_name: "Lab"') as served:
        async with served.client(ready=False) as client:
            hello = await client.hear()
            assert (hello["message"], hello["type"], hello["name"]) == ("ready", "IMS", "Lab")
            assert (await client.ask("license", message_id=[1]))["message_id"] == [1]
            await client.say(b'{"message": "help"}')
            assert (await client.hear())["message"] == "help"
            await client.say(
                [{"message": "license", "message_id": 1}, {"message": "license", "message_id": 2}]
            )
            assert [(await client.hear())["message_id"] for _ in range(2)] == [1, 2]
            assert len(served.server) == 1
        await until(lambda: len(served.server) == 0)
        assert "disconnected" in served.lab.log_text()


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_client_without_origin_is_refused() -> None:
    async with serving() as served:
        with pytest.raises(InvalidStatus) as refused:
            async with served.client(origin=None):
                pass
        assert refused.value.response.status_code == 403
        assert "no Origin" in served.lab.log_text()


async def raw(served: Any, request: bytes, count: int = 4096) -> bytes:
    reader, writer = await asyncio.open_connection(served.host, served.port)
    writer.write(request)
    try:
        async with asyncio.timeout(10):
            return await reader.read(count)
    finally:
        writer.close()


async def test_what_is_no_websocket_gets_an_http_answer_and_no_traceback() -> None:
    async with serving() as served:
        assert b" 426 " in await raw(served, b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n")
        assert b" 403 " in await raw(served, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b" 400 " in await raw(served, b"REGISTER sip:a SIP/2.0\r\nVia: x\r\n\r\n")
        assert b" 400 " in await raw(served, bytes(range(256)) + b"\r\n\r\n")
        assert "Traceback" not in served.lab.log_text()


HANDSHAKE = (
    b"GET /any/path HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


async def test_any_path_and_any_protocol_will_do() -> None:
    async with serving() as served:
        answer = await raw(served, HANDSHAKE + b"Sec-WebSocket-Protocol: lte, other\r\n\r\n")
        assert b" 101 " in answer
        assert b"Sec-WebSocket-Protocol: lte\r\n" in answer
        assert b'{"message":"ready"' in answer  # at once, with no other message before it


async def test_a_message_that_is_too_long_ends_its_connection_only() -> None:
    async with serving(config=QUIET) as served, served.client() as client, served.client() as other:
        with pytest.raises(ConnectionClosed) as closed:
            await client.say(" " * (server_module.MESSAGE_SIZE + 1))
            await client.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert "products" in await other.ask("license")


async def test_a_reader_that_does_not_read_is_cut_off_and_others_do_not_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "QUEUE", 200_000)
    async with serving("log_options: 'all.level=none,com.level=info'") as served, served.client() as other:
        silent = socket.create_connection((served.host, served.port))
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        silent.setblocking(False)
        await loop.sock_sendall(silent, HANDSHAKE + b"\r\n")
        await until(lambda: len(served.server) == 2)
        pipe = next(each for each in served.server._pipes if each.name.endswith(str(silent.getsockname()[1])))
        sent = 0
        while not pipe._ending:
            pipe.send("x" * 10_000)
            sent += 1
            await asyncio.sleep(0)
            assert sent < 20_000
        assert pipe.waiting == 0
        await until(lambda: len(served.server) == 1)
        assert "does not read what it asked for" in served.lab.log_text()
        assert "products" in await other.ask("license")
        silent.close()


async def test_of_many_slow_readers_the_worst_goes_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "TOTAL", 100_000)
    async with (
        serving("log_options: 'all.level=none,com.level=info'") as served,
        served.client() as first,
        served.client() as second,
        served.client() as third,
    ):
        pipes = {each.name: each for each in served.server._pipes}
        host = served.host
        slow, worse, good = (
            pipes[f"{host}:{each.socket.local_address[1]}"] for each in (first, second, third)
        )
        slow.send("x" * 40_000)
        worse.send("x" * 50_000)
        good.send('{"message":"small"}')
        assert not any(each._ending for each in pipes.values()), "together they may have as much"
        good.send("x" * 20_000)
        assert worse._ending and not slow._ending and not good._ending
        assert served.server._total == slow.waiting + good.waiting == 60_019
        assert (
            "does not read 50000 characters that wait for it, and 110019 wait for all"
            in served.lab.log_text()
        )
        assert await third.hear() == {"message": "small"}
        assert len(await first.socket.recv()) == 40_000
        await until(lambda: served.server._total == 0)
    await until(lambda: len(served.server) == 0)
    assert served.server._total == 0


async def test_what_waited_for_a_client_that_has_gone_counts_no_more() -> None:
    async with serving(config=QUIET) as served:
        async with served.client():
            (pipe,) = served.server._pipes
        pipe.send("x" * 1000)
        await until(lambda: len(served.server) == 0)
        assert served.server._total == 0


async def test_requests_are_not_read_while_their_answers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks faster than it reads is slowed down, not cut off."""
    monkeypatch.setattr(server_module, "HIGH", 10_000)
    async with serving(config=QUIET) as served, served.client() as client:
        for number in range(3000):
            await client.say({"message": "config_get", "message_id": number})
        for number in range(3000):
            assert (await client.hear())["message_id"] == number


async def test_an_array_waits_for_its_reader_message_by_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HIGH", 10_000)
    monkeypatch.setattr(server_module, "QUEUE", 100_000)
    async with serving(config=QUIET) as served, served.client() as client:
        await client.say([{"message": "config_get", "message_id": number} for number in range(1000)])
        await asyncio.sleep(0.2)  # 2 MB: more than the sockets take, far more than may wait
        for number in range(1000):
            assert (await client.hear())["message_id"] == number
        assert "does not read" not in served.lab.log_text()


async def test_there_is_a_limit_to_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS", 3)
    async with serving() as served, served.client(), served.client(), served.client() as client:
        with pytest.raises(InvalidStatus) as refused:
            async with served.client():
                pass
        assert refused.value.response.status_code == 503
        idle = [await asyncio.open_connection(served.host, served.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection(served.host, served.port)
        with pytest.raises(ConnectionError):
            assert not await reader.read(1)
            raise ConnectionResetError
        assert "products" in await client.ask("license")
        for _, each in idle:
            each.close()
        writer.close()


async def test_connections_that_come_and_go_leave_nothing_behind() -> None:
    async with serving(config=QUIET) as served:
        api = served.lab.server.api
        for number in range(60):
            async with served.client() as client:
                await client.ask("register", register=["dialog", "users_update", "sms", "invite"])
                await client.say({"message": "log_get", "min": 1000, "timeout": 1000})
                await client.say({"message": "license", "start_time": 1000})
                await client.say({"message": "license", "loop_count": 1000, "loop_delay": 1000})
                assert (await client.hear())["loop_index"] == 0
                if number % 2:
                    client.socket.transport.abort()
        await until(lambda: len(served.server) == 0)
        await asyncio.sleep(0.05)
        assert len(api.dispatcher.schedule) == 0
        assert not api.events._clients
        assert not api.events._listening
        assert served.lab.log.ring.wake is None
        gc.collect()
        assert not [each for each in gc.get_objects() if isinstance(each, Connection | server_module.Pipe)]


async def test_the_answer_to_quit_still_arrives() -> None:
    async with serving() as served, served.client() as client:
        answer = await client.ask("quit")
        assert answer["message"] == "quit"
        assert served.lab.quits == 1
        stopping = asyncio.ensure_future(served.lab.server.stop())
        await client.say({"message": "license"})
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await client.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await stopping


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_all_addresses_are_ipv4_and_ipv6() -> None:
    async with serving(host="::") as served:
        for host in ("127.0.0.1", "[::1]"):
            served.url = f"ws://{host}:{served.port}/"
            async with served.client() as client:
                assert "products" in await client.ask("license")
        assert "127.0.0.1:" in served.lab.log_text()
        assert "::ffff" not in served.lab.log_text()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        authority = Authority(directory, name)
        for role in ("server", "client"):
            authority.issue(f"{name}-{role}", "127.0.0.1")
    return directory


def options(directory: Path) -> str:
    return f'com_ssl_certificate: "{directory}/ours-server.pem", com_ssl_key: "{directory}/ours-server.key",'


def trusting(directory: Path, name: str, client: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(directory / f"{name}.pem"))
    if client:
        context.load_cert_chain(directory / f"{client}-client.pem", directory / f"{client}-client.key")
    return context


async def test_tls(certificates: Path) -> None:
    async with serving(options(certificates), tls=True) as served:
        async with served.client(tls=trusting(certificates, "ours")) as client:
            assert "products" in await client.ask("license")
        with pytest.raises(ssl.SSLError):
            async with served.client(tls=trusting(certificates, "theirs")):
                pass
        assert await raw(served, HANDSHAKE + b"\r\n") == b""  # not without TLS
        log = served.lab.log_text()
        assert "Traceback" not in log
        assert "no TLS: it went away in the handshake, perhaps it does not trust com_ssl_certificate" in log
        assert "no TLS: the client speaks plain ws://" in log


async def test_client_certificates(certificates: Path) -> None:
    more = f'com_ssl_peer_verify: true, com_ssl_ca: "{certificates}/ours.pem",'
    async with serving(options(certificates) + more, tls=True) as served:
        async with served.client(tls=trusting(certificates, "ours", "ours")) as client:
            assert "products" in await client.ask("license")
        for own in ("", "theirs"):
            with pytest.raises((ssl.SSLError, ConnectionError, ConnectionClosed, InvalidMessage)):
                async with served.client(tls=trusting(certificates, "ours", own)) as client:
                    await client.ask("license")
        log = served.lab.log_text()
        assert "no TLS: the client has no certificate, and com_ssl_peer_verify is set" in log
        assert "no TLS: its certificate is not trusted, " in log


async def test_a_fault_of_ours_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as served, served.client() as client:

        def fault(*arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(served.lab.server.api.dispatcher, "submit", fault)
        await client.say({"message": "license"})
        with pytest.raises(ConnectionClosed):
            await client.hear()
        assert "ZeroDivisionError" in served.lab.log_text()


async def test_clients_that_do_not_react_do_not_hold_up_the_end() -> None:
    async with serving(config=QUIET) as served:
        silent = [socket.create_connection((served.host, served.port)) for _ in range(20)]
        loop = asyncio.get_running_loop()
        for number, each in enumerate(silent):
            each.setblocking(False)
            if number % 2:
                await loop.sock_sendall(each, HANDSHAKE + b"\r\n")
        await until(lambda: len(served.server) == 10)
        for pipe in served.server._pipes:
            pipe.send("x" * (3 << 20))
        begin = loop.time()
        await served.lab.server.api.stop()
        assert loop.time() - begin < 4
        for each in silent:
            each.close()


async def test_a_port_that_needs_rights_and_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(LogOptions(), utc=lambda: 0.0)
    log.configure("com.level=info")
    real = socket.socket

    class NoIpv6(real):  # type: ignore[misc, valid-type]
        def __init__(self, family: int = -1, *arguments: Any, **more: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *arguments, **more)

        def bind(self, address: Any) -> None:
            if address[1] == 81:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            super().bind(address)

    monkeypatch.setattr(socket, "socket", NoIpv6)
    server = server_module.WebSocketServer(log.layer("com"), lambda *arguments: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(LibreImsError, match="below 1024"):
        await server.start(("127.0.0.1", 81), None)
    with pytest.raises(LibreImsError, match="correct it"):
        await server.start(("::1", 9003), None)
    await server.start(("::", 0), None)
    assert server.addresses[0][0] == "0.0.0.0"
    assert "this machine has no IPv6" in log.ring.since(0)[1][-1].message
    await server.stop()


async def test_an_answer_that_is_no_websocket_ends_its_connection() -> None:
    """A page that is fetched once must not keep a place for an hour."""
    async with serving("com_metrics: true") as served:
        reader, writer = await asyncio.open_connection(served.host, served.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"\r\nConnection: close\r\n" in await reader.read()
        writer.close()


async def test_a_client_with_many_requests_at_once_leaves_turns_for_others() -> None:
    """Thousands of small messages can come in one packet; media packets must not wait for all of them."""
    async with serving(config=QUIET) as served, served.client() as client:
        begun = served.lab.server.api.dispatcher.table
        found, handled = begun.find, [0]

        def counting(name: str) -> object:
            handled[0] += 1
            return found(name)

        begun.find = counting  # type: ignore[method-assign,assignment]
        loop = asyncio.get_running_loop()
        between: list[int] = []

        def turn() -> None:
            between.append(handled[0])
            if handled[0] < 2000:
                loop.call_soon(turn)

        await client.say([{"message": "config_get"}] * 1000)
        await client.say([{"message": "config_get"}] * 1000)
        turn()
        for _ in range(2000):
            await client.hear()
        steps = [later - earlier for earlier, later in itertools.pairwise(between)]
        assert max(steps) < 500


async def test_long_answers_keep_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """`users_get` of many users is made over several turns; what comes behind it waits."""
    monkeypatch.setattr(slices, "SLICE", 1)
    async with serving(config=QUIET) as served, served.client() as client:
        await client.say([{"message": name} for name in ("users_get", "license", "users_get", "help")])
        await client.say({"message": "stats"})
        answers = [await client.hear() for _ in range(5)]
        names = ["users_get", "license", "users_get", "help", "stats"]
        assert [each["message"] for each in answers] == names
        assert answers[0]["users"] == answers[2]["users"]
        assert len(answers[0]["users"]) > 1
        await client.say([{"message": "users_get"}] * 100)
        assert (await client.hear())["message"] == "users_get"
        client.socket.transport.abort()
        await until(lambda: len(served.server) == 0)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_strangers_cannot_send_much_and_those_who_are_known_can(tls: bool, certificates: Path) -> None:
    trusted = trusting(certificates, "ours") if tls else None
    extra = 'com_auth: {password: "secret"},' + (options(certificates) if tls else "")
    async with serving(extra, tls=tls) as served:
        with pytest.raises(ConnectionClosed):
            async with served.client(tls=trusted) as client:
                await client.say(" " * (STRANGER_OCTETS + 1000))
                await client.hear()
        assert f"sent more than {STRANGER_OCTETS} octets and is not authenticated" in served.lab.log_text()
        async with served.client(tls=trusted, ready=False) as client:
            hello = await client.hear()
            right = hmac_response(hello, "secret")
            assert (await client.ask("authenticate", res=right))["ready"]
            for _ in range(3):
                assert "products" in await client.ask("license", padding="x" * STRANGER_OCTETS)
        await until(lambda: not served.server._http.connections)


async def test_who_is_not_asked_for_a_password_is_no_stranger() -> None:
    async with serving() as served, served.client() as client:
        assert "products" in await client.ask("license", padding="x" * 2 * STRANGER_OCTETS)
    assert "sent more than" not in served.lab.log_text()
