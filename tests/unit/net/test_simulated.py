from __future__ import annotations

import asyncio
import errno

import pytest

from libreims.net.port import Address, Stream, TcpOptions
from libreims.net.simulated import SimulatedNetwork
from support.virtual import VirtualLoop, run

A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
OPTIONS = TcpOptions()


class Box:
    """Receives datagrams."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.got: list[tuple[float, bytes, Address]] = []

    def __call__(self, data: bytes, source: Address) -> None:
        self.got.append((round(self._loop.time(), 6), data, source))

    @property
    def data(self) -> list[bytes]:
        return [data for _, data, _ in self.got]


class End:
    """One end of a connection."""

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[Exception | None] = []
        self.stream: Stream | None = None

    def data_received(self, data: bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


def pair(loop: VirtualLoop, **how: float) -> tuple[SimulatedNetwork, Box]:
    network = SimulatedNetwork(loop, 1, **how)  # type: ignore[arg-type]
    return network, Box(loop)


def test_a_datagram_arrives_after_its_latency(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop, latency=0.02)
    network.udp(B, box)
    network.udp(A, box).send(b"x", B)
    assert box.got == []
    virtual_loop.advance(1)
    assert box.got == [(0.02, b"x", A)]


def test_order_is_kept_unless_asked_otherwise(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop, jitter=0.5)
    network.udp(B, box)
    a = network.udp(A, box)
    sent = [bytes([i]) for i in range(100)]
    for data in sent:
        a.send(data, B)
    virtual_loop.advance(10)
    assert box.data == sent
    network.reorder = 0.3
    box.got.clear()
    for data in sent:
        a.send(data, B)
    virtual_loop.advance(10)
    assert sorted(box.data) == sent
    assert box.data != sent


def test_loss_and_duplication_are_about_what_was_asked(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop, loss=0.1, duplicate=0.1)
    network.udp(B, box)
    a = network.udp(A, box)
    for i in range(2000):
        a.send(b"%d" % i, B)
    virtual_loop.advance(1)
    unique = set(box.data)
    assert 1700 < len(unique) < 1900
    assert 100 < len(box.data) - len(unique) < 260


def test_same_seed_same_trace() -> None:
    def trace(seed: int) -> list[object]:
        loop = VirtualLoop()
        network = SimulatedNetwork(loop, seed, jitter=0.1, loss=0.2, duplicate=0.2, reorder=0.2, trace=True)
        box = Box(loop)
        a, _ = network.udp(A, box), network.udp(B, box)
        for i in range(50):
            a.send(bytes([i]), B)
        loop.advance(5)
        loop.close()
        assert network.trace is not None and len(network.trace) == 50
        return [*network.trace, *box.got]

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_ports(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop)
    first = network.udp(A, box)
    with pytest.raises(OSError) as taken:
        network.udp(A, box)
    assert taken.value.errno == errno.EADDRINUSE
    network.udp(("2001:db8::1", 5060), box)
    ephemeral = {network.udp((A[0], 0), box).local for _ in range(200)}
    assert len(ephemeral) == 200
    first.close()
    first.close()
    network.udp(A, box)
    assert network.in_use == 202
    with pytest.raises(OSError) as missing:
        SimulatedNetwork(virtual_loop, hosts=frozenset({"192.0.2.9"})).udp(A, box)
    assert missing.value.errno == errno.EADDRNOTAVAIL


def test_datagrams_to_nobody_or_after_close_are_dropped(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop)
    a, b = network.udp(A, box), network.udp(B, box)
    a.send(b"nobody", ("192.0.2.3", 1))
    a.send(b"other family", ("::1", 5060))
    a.send(bytes(70000), B)
    a.send(b"too late", B)
    b.close()
    virtual_loop.advance(1)
    a.close()
    a.send(b"closed", A)
    virtual_loop.advance(1)
    assert box.got == []


def test_cut_and_mended_host(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop)
    a, _ = network.udp(A, box), network.udp(B, box)
    network.cut(B[0])
    a.send(b"lost", B)
    virtual_loop.advance(1)
    network.mend(B[0])
    a.send(b"found", B)
    virtual_loop.advance(1)
    assert box.data == [b"found"]


async def connected(network: SimulatedNetwork) -> tuple[End, End]:
    server, client = End(), End()

    def accept(stream: Stream) -> End:
        server.stream = stream
        return server

    await network.tcp_listen(B, accept, lambda: OPTIONS)
    client.stream = network.tcp_connect(A[0], B, client, OPTIONS)
    return server, client


def _network(**how: float) -> SimulatedNetwork:
    return SimulatedNetwork(asyncio.get_running_loop(), 1, **how)  # type: ignore[arg-type]


def test_tcp_is_reliable_and_in_order_on_a_bad_network() -> None:
    async def scenario() -> None:
        network = _network(loss=0.3, jitter=0.3, reorder=0.5, duplicate=0.5)
        server, client = await connected(network)
        assert client.stream is not None
        text = b"".join(b"line %d\n" % i for i in range(200))
        for line in text.splitlines(keepends=True):
            client.stream.send(line)
        await asyncio.sleep(1)
        assert server.stream is not None
        assert server.stream.remote == client.stream.local
        server.stream.send(b"answer")
        await asyncio.sleep(100)
        assert server.data == text
        assert client.data == b"answer"
        client.stream.close()
        client.stream.close()
        await asyncio.sleep(10)
        assert client.ends == [None]
        assert server.ends == [None]
        assert network.in_use == 1  # the listener

    run(scenario)


def test_a_connection_from_a_given_port() -> None:
    async def scenario() -> None:
        network = _network()
        server = End()

        def accept(stream: Stream) -> End:
            server.stream = stream
            return server

        await network.tcp_listen(B, accept, lambda: OPTIONS)
        network.tcp_connect(A[0], B, End(), OPTIONS, local_port=5062)
        await asyncio.sleep(1)
        assert server.stream is not None
        assert server.stream.remote == (A[0], 5062)

    run(scenario)


def test_closing_sends_what_is_queued() -> None:
    async def scenario() -> None:
        server, client = await connected(_network(latency=0.5))
        assert client.stream is not None
        await asyncio.sleep(2)
        client.stream.send(b"last words")
        client.stream.close()
        client.stream.send(b"too late")
        await asyncio.sleep(2)
        assert server.data == b"last words"
        assert server.ends == [None]

    run(scenario)


def test_refused_and_unreachable() -> None:
    async def scenario() -> None:
        network = _network()
        refused, silent = End(), End()
        network.tcp_connect(A[0], B, refused, OPTIONS).send(b"x")
        network.cut("192.0.2.7")
        network.tcp_connect(None, ("192.0.2.7", 1), silent, OPTIONS)
        await asyncio.sleep(1)
        assert [type(error) for error in refused.ends] == [ConnectionRefusedError]
        assert silent.ends == []
        await asyncio.sleep(5)
        assert [type(error) for error in silent.ends] == [TimeoutError]
        assert network.in_use == 0

    run(scenario)


def test_abort_tells_both_ends() -> None:
    async def scenario() -> None:
        network = _network()
        server, client = await connected(network)
        await asyncio.sleep(1)
        client.stream.abort(ConnectionAbortedError("cut"))  # type: ignore[union-attr]
        await asyncio.sleep(1)
        assert [type(error) for error in client.ends] == [ConnectionAbortedError]
        assert [type(error) for error in server.ends] == [ConnectionResetError]
        assert network.in_use == 1

    run(scenario)


def test_slow_reader_meets_the_write_limit() -> None:
    async def scenario() -> None:
        network = _network()
        _, client = await connected(network)
        await asyncio.sleep(1)
        network.cut(B[0])
        assert client.stream is not None
        for _ in range(17):
            client.stream.send(bytes(1 << 16))
        await asyncio.sleep(1)
        assert [type(error) for error in client.ends] == [ConnectionAbortedError]

    run(scenario)


def test_source_for(virtual_loop: VirtualLoop) -> None:
    network, box = pair(virtual_loop)
    assert network.source_for("192.0.2.77") is None
    network.udp(A, box)
    network.udp(("2001:db8::1", 5060), box)
    network.udp(B, box)
    assert network.source_for("192.0.2.77") == A[0]
    assert network.source_for(B[0]) == B[0]
    assert network.source_for("2001:db8::7") == "2001:db8::1"
