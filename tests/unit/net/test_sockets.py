"""Real sockets on loopback; what has to be waited for is awaited by future, never slept for."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from libreims.net.port import Address, Stream, TcpOptions
from libreims.net.sockets import SocketNetwork, TcpStream
from support.process import free_port

OPTIONS = TcpOptions()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LOOPBACKS = [
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")),
]


@pytest_asyncio.fixture
async def network() -> AsyncIterator[SocketNetwork]:
    network = SocketNetwork(asyncio.get_running_loop())
    yield network
    network.close()


class Box:
    """Receives datagrams; `until(n)` waits for the nth."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, Address]] = []
        self._wanted = 0
        self._done: asyncio.Future[None] | None = None
        self.hook: Callable[[], None] | None = None

    def __call__(self, data: bytes, source: Address) -> None:
        self.got.append((data, source))
        if self.hook is not None:
            self.hook()
        if self._done is not None and not self._done.done() and len(self.got) >= self._wanted:
            self._done.set_result(None)

    async def until(self, count: int) -> list[bytes]:
        if len(self.got) < count:
            self._wanted = count
            self._done = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._done, 10)
        return [data for data, _ in self.got]


class End:
    """One end of a connection."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ends: list[Exception | None] = []
        self.opened: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._wanted = 0
        self._enough: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self._enough is not None and not self._enough.done() and len(self.data) >= self._wanted:
            self._enough.set_result(None)

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)
        if not self.ended.done():
            self.ended.set_result(error)

    async def until(self, count: int) -> bytes:
        if len(self.data) < count:
            self._wanted = count
            self._enough = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._enough, 10)
        return bytes(self.data)

    async def end(self) -> Exception | None:
        return await asyncio.wait_for(self.ended, 10)


def accepting(end: End) -> Callable[[Stream], End]:
    def accept(stream: Stream) -> End:
        end.opened.set_result(stream)
        return end

    return accept


class TestUdp:
    @pytest.mark.parametrize("host", LOOPBACKS)
    async def test_there_and_back(self, network: SocketNetwork, host: str) -> None:
        one, two = Box(), Box()
        a, b = network.udp((host, 0), one), network.udp((host, 0), two)
        assert a.local[0] == host and a.local[1] > 0
        a.send(b"ping", b.local)
        await two.until(1)
        assert two.got == [(b"ping", a.local)]
        b.send(b"pong", two.got[0][1])
        await one.until(1)
        assert one.got == [(b"pong", b.local)]

    async def test_many_sockets_and_bursts(self, network: SocketNetwork) -> None:
        box = Box()
        sender = network.udp(("127.0.0.1", 0), Box())
        receivers = [network.udp(("127.0.0.1", 0), box) for _ in range(40)]
        for i in range(10):
            for receiver in receivers:
                sender.send(b"%d" % i, receiver.local)
        for _ in range(300):
            sender.send(b"burst", receivers[0].local)
        assert len(await box.until(700)) == 700

    async def test_port_in_use(self, network: SocketNetwork) -> None:
        first = network.udp(("127.0.0.1", 0), Box())
        with pytest.raises(OSError) as taken:
            network.udp(first.local, Box())
        assert taken.value.errno == errno.EADDRINUSE
        first.close()
        first.close()
        network.udp(first.local, Box())

    async def test_no_callback_after_close(self, network: SocketNetwork) -> None:
        """Not even for what waits in the socket when it closes itself in a callback."""
        box, other = Box(), Box()
        receiver, last = network.udp(("127.0.0.1", 0), box), network.udp(("127.0.0.1", 0), other)
        sender = network.udp(("127.0.0.1", 0), Box())
        box.hook = receiver.close
        for _ in range(5):
            sender.send(b"x", receiver.local)
        sender.send(b"end", last.local)
        await other.until(1)
        assert len(box.got) == 1

    async def test_what_the_kernel_refuses_is_lost_silently(self, network: SocketNetwork) -> None:
        box = Box()
        a, b = network.udp(("127.0.0.1", 0), Box()), network.udp(("127.0.0.1", 0), box)
        a.send(bytes(70000), b.local)
        a.send(b"wrong family", ("::1", 9))
        a.send(b"port 0", ("127.0.0.1", 0))
        a.send(b"nobody there", ("127.0.0.1", 9))
        a.send(b"last", b.local)
        assert await box.until(1) == [b"last"]

    async def test_an_exception_costs_its_packet_only(self, network: SocketNetwork) -> None:
        box = Box()
        a, b = network.udp(("127.0.0.1", 0), Box()), network.udp(("127.0.0.1", 0), box)
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

        def fail_once() -> None:
            box.hook = None
            raise ValueError("bad day")

        box.hook = fail_once
        for text in (b"1", b"2", b"3"):
            a.send(text, b.local)
        assert await box.until(3) == [b"1", b"2", b"3"]
        assert len(reported) == 1

    async def test_close_releases_everything(self) -> None:
        network = SocketNetwork(asyncio.get_running_loop())
        sock = network.udp(("127.0.0.1", 0), Box())
        network.close()
        network.close()
        sock.close()
        sock.send(b"x", ("127.0.0.1", 9))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(sock.local)

    async def test_source_for(self, network: SocketNetwork) -> None:
        assert network.source_for("127.0.0.1") == "127.0.0.1"
        assert network.source_for("256.1.1.1") is None


class TestTcp:
    @pytest.mark.parametrize("host", LOOPBACKS)
    async def test_there_and_back(self, network: SocketNetwork, host: str) -> None:
        server, client = End(), End()
        listener = await network.tcp_listen((host, 0), accepting(server), lambda: OPTIONS)
        stream = network.tcp_connect(host, listener.local, client, OPTIONS)
        stream.send(b"early ")  # before it is established
        stream.send(b"bird")
        assert await server.until(10) == b"early bird"
        accepted = await server.opened
        assert accepted.local == listener.local
        assert accepted.remote == stream.local
        accepted.send(b"worm")
        assert await client.until(4) == b"worm"
        accepted.send(b"x" * 300000)
        accepted.close()
        assert len(await client.until(300004)) == 300004
        assert await client.end() is None
        assert await server.end() is None
        listener.close()

    async def test_connections_to_several_peers_share_a_local_port(self, network: SocketNetwork) -> None:
        """TS 33.203 §7.1: requests to all phones leave from the protected client port."""
        port = free_port("127.0.0.1")  # one that no listener is given
        for _ in range(2):  # what is closed does not block the port
            servers, clients = [End(), End()], [End(), End()]
            listeners = [
                await network.tcp_listen(("127.0.0.1", 0), accepting(end), lambda: OPTIONS) for end in servers
            ]
            for listener, client, server in zip(listeners, clients, servers, strict=True):
                network.tcp_connect("127.0.0.1", listener.local, client, OPTIONS, local_port=port).send(b"x")
                assert await server.until(1) == b"x"
                assert (await server.opened).remote == ("127.0.0.1", port)
            for listener, client, server in zip(listeners, clients, servers, strict=True):
                (await server.opened).close()
                assert await client.end() is None
                listener.close()

    async def test_a_local_port_that_is_taken(self, network: SocketNetwork) -> None:
        client = End()
        listener = await network.tcp_listen(("127.0.0.1", 0), accepting(End()), lambda: OPTIONS)
        network.tcp_connect("127.0.0.1", listener.local, client, OPTIONS, local_port=listener.local[1])
        assert isinstance(await client.end(), OSError)
        listener.close()

    async def test_options(self, network: SocketNetwork) -> None:
        server, client = End(), End()
        options = TcpOptions(keepalive=77, keepcount=3)
        listener = await network.tcp_listen(("127.0.0.1", 0), accepting(server), lambda: options)
        outgoing = network.tcp_connect(None, listener.local, client, options)
        outgoing.send(b"x")
        await server.until(1)
        for stream in (await server.opened, outgoing):
            assert isinstance(stream, TcpStream)
            sock = stream.kernel_socket
            assert sock is not None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
            stream.close()
        listener.close()

    async def test_keepalive_off(self, network: SocketNetwork) -> None:
        server, client = End(), End()
        listener = await network.tcp_listen(
            ("127.0.0.1", 0), accepting(server), lambda: TcpOptions(keepalive=0)
        )
        outgoing = network.tcp_connect(None, listener.local, client, TcpOptions(keepalive=0))
        accepted = await server.opened
        assert isinstance(accepted, TcpStream) and accepted.kernel_socket is not None
        assert not accepted.kernel_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        outgoing.close()
        assert await server.end() is None
        listener.close()

    async def test_refused(self, network: SocketNetwork) -> None:
        client = End()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            stream = network.tcp_connect("127.0.0.1", unused.getsockname(), client, OPTIONS)
            stream.send(b"x")
            assert isinstance(await client.end(), ConnectionRefusedError)
        stream.send(b"y")
        stream.close()
        assert len(client.ends) == 1

    async def test_connect_timeout(self, network: SocketNetwork) -> None:
        """A listener with a full queue answers nothing."""
        client = End()
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = []
            for _ in range(3):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
                fillers.append(filler)
            network.tcp_connect(None, full.getsockname(), client, TcpOptions(connect_timeout=0.05))
            assert isinstance(await client.end(), TimeoutError)
            for filler in fillers:
                filler.close()

    async def test_closed_while_connecting(self, network: SocketNetwork) -> None:
        client = End()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            unused.listen()
            network.tcp_connect(None, unused.getsockname(), client, OPTIONS).close()
            assert await client.end() is None
        assert len(client.ends) == 1

    async def test_slow_reader_is_cut(self, network: SocketNetwork) -> None:
        client = End()
        with socket.socket() as lazy:
            lazy.bind(("127.0.0.1", 0))
            lazy.listen()
            options = TcpOptions(write_limit=100000)
            stream = network.tcp_connect(None, lazy.getsockname(), client, options)
            stream.send(b"x" * 99999)
            peer, _ = await asyncio.to_thread(lazy.accept)
            while not client.ended.done():
                stream.send(b"x" * 99999)
                await asyncio.sleep(0)
            assert isinstance(await client.end(), ConnectionAbortedError)
            peer.close()

    async def test_too_much_before_the_connection_stands(self, network: SocketNetwork) -> None:
        client = End()
        with socket.socket() as lazy:
            lazy.bind(("127.0.0.1", 0))
            lazy.listen()
            stream = network.tcp_connect(None, lazy.getsockname(), client, TcpOptions(write_limit=100))
            stream.send(b"x" * 101)
            assert isinstance(await client.end(), ConnectionAbortedError)
        assert len(client.ends) == 1

    async def test_port_in_use(self, network: SocketNetwork) -> None:
        listener = await network.tcp_listen(("127.0.0.1", 0), accepting(End()), lambda: OPTIONS)
        with pytest.raises(OSError) as taken:
            await network.tcp_listen(listener.local, accepting(End()), lambda: OPTIONS)
        assert taken.value.errno == errno.EADDRINUSE
        listener.close()

    async def test_reset_by_the_peer(self, network: SocketNetwork) -> None:
        server = End()
        listener = await network.tcp_listen(("127.0.0.1", 0), accepting(server), lambda: OPTIONS)
        rude = socket.create_connection(listener.local)
        await server.opened
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.close()
        assert isinstance(await server.end(), ConnectionResetError)
        listener.close()


async def test_every_socket_is_made_within() -> None:
    """`within` puts the thread into a network namespace while it makes sockets, some at once."""
    descriptors = len(os.listdir("/proc/self/fd"))
    inside, times = False, 0

    @contextlib.contextmanager
    def within() -> Iterator[None]:
        nonlocal inside, times
        inside, times = True, times + 1
        yield
        inside = False

    network = SocketNetwork(asyncio.get_running_loop(), within)
    box, server = Box(), End()
    a, b = network.udp(("127.0.0.1", 0), Box()), network.udp(("127.0.0.1", 0), box)
    assert (times, inside) == (1, False)
    a.send(b"x", b.local)
    await box.until(1)
    for _ in range(16):
        network.udp(("127.0.0.1", 0), Box()).close()
    assert (times, inside) == (2, False)
    listener = await network.tcp_listen(("127.0.0.1", 0), accepting(server), lambda: OPTIONS)
    assert (times, inside) == (3, False)
    stream = network.tcp_connect(None, listener.local, End(), OPTIONS)
    await server.opened
    assert network.source_for("127.0.0.1") == "127.0.0.1"
    assert (times, inside) == (3, False)
    stream.close()
    assert await server.end() is None
    listener.close()
    network.close()
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_the_limit_of_open_files_leaves_what_there_is() -> None:
    """Sockets that are made beyond the one that is needed are no reason to fail."""

    @contextlib.contextmanager
    def within() -> Iterator[None]:
        yield

    network = SocketNetwork(asyncio.get_running_loop(), within)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    made = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, hard))
        with pytest.raises(OSError, match="Too many open files"):
            for _ in range(highest + 100):
                made.append(network.udp(("127.0.0.1", 0), Box()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(made) >= 3
    network.close()


def test_on_uvloop() -> None:
    """The optional event loop takes the nested epoll set and the transports alike."""
    uvloop = pytest.importorskip("uvloop")

    async def scenario() -> None:
        network = SocketNetwork(asyncio.get_running_loop())
        box, server, client = Box(), End(), End()
        a, b = network.udp(("127.0.0.1", 0), Box()), network.udp(("127.0.0.1", 0), box)
        for i in range(100):
            a.send(b"%d" % i, b.local)
        assert await box.until(100) == [b"%d" % i for i in range(100)]
        listener = await network.tcp_listen(("127.0.0.1", 0), accepting(server), lambda: OPTIONS)
        stream = network.tcp_connect("127.0.0.1", listener.local, client, OPTIONS)
        stream.send(b"hello")
        assert await server.until(5) == b"hello"
        stream.close()
        assert await server.end() is None
        listener.close()
        network.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
