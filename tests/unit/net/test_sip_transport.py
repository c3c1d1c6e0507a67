from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from libreims.net.port import Address, Flow, Network, Stream, TcpOptions
from libreims.net.simulated import SimulatedNetwork
from libreims.net.sip_transport import SipTransport
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.framing import FramingError
from support.virtual import run

A, B = "192.0.2.1", "192.0.2.2"


def message(text: str = "x", size: int = 0) -> bytes:
    body = b"." * size
    return (
        f"MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{text}\r\nFrom: <sip:a>;tag=1\r\n"
        f"To: <sip:b>\r\nCall-ID: {text}\r\nCSeq: 1 MESSAGE\r\nContent-Length: {size}\r\n\r\n"
    ).encode() + body


class Node:
    """A transport and what it was told."""

    def __init__(self, network: Network, **how: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.got: list[tuple[bytes, Flow]] = []
        self.failures: list[tuple[Flow, Exception]] = []
        self.told: list[str] = []
        self.transport = SipTransport(
            network,
            self.loop,
            self._receive,
            lambda flow, error: self.failures.append((flow, error)),
            TcpOptions,
            tell=self.told.append,
            **how,  # type: ignore[arg-type]
        )
        self._arrived = asyncio.Event()

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.got.append((data, flow))
        self._arrived.set()

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 10)

    @property
    def data(self) -> list[bytes]:
        return [data for data, _ in self.got]


class Raw:
    """A peer that speaks octets."""

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


def simulated() -> SimulatedNetwork:
    return SimulatedNetwork(asyncio.get_running_loop(), 1)


def raw_to(network: SimulatedNetwork, remote: Address) -> tuple[Raw, Stream]:
    raw = Raw()
    return raw, network.tcp_connect("192.0.2.9", remote, raw, TcpOptions())


class TestUdp:
    def test_flows(self) -> None:
        async def scenario() -> None:
            network = simulated()
            one, two = Node(network), Node(network)
            a = await one.transport.listen((A, 5060))
            b = await two.transport.listen((B, 5070))
            one.transport.send(message(), Flow("UDP", a, b))
            await two.until(1)
            assert two.got == [(message(), Flow("UDP", b, a))]
            two.transport.send(message("back"), two.got[0][1])
            await one.until(1)
            assert one.got == [(message("back"), Flow("UDP", a, b))]

        run(scenario)

    def test_keepalives_are_swallowed(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            sender = network.udp((B, 5060), lambda *_: None)
            for data in (b"", b"\r\n\r\n", b"\0", b"\r\n", b"jaK\0"):
                sender.send(data, here)
            sender.send(message(), here)
            await node.until(2)
            assert node.data == [b"jaK\0", message()]

        run(scenario)

    def test_a_flow_of_nobody_is_reported(self) -> None:
        async def scenario() -> None:
            node = Node(simulated())
            flow = Flow("UDP", (A, 5060), (B, 5060))
            node.transport.send(message(), flow)
            assert node.failures == []  # never from inside send
            await asyncio.sleep(1)
            assert [each for each, _ in node.failures] == [flow]

        run(scenario)


class TestListen:
    def test_port_0_is_one_port_for_both(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            address = await node.transport.listen((A, 0))
            assert address[1] > 0
            assert network.bound == [address]
            with pytest.raises(OSError) as taken:
                await network.tcp_listen(address, lambda _: Raw(), TcpOptions)
            assert taken.value.errno == errno.EADDRINUSE

        run(scenario)

    def test_half_taken_port_leaves_nothing_open(self) -> None:
        async def scenario() -> None:
            network = simulated()
            await network.tcp_listen((A, 5060), lambda _: Raw(), TcpOptions)
            with pytest.raises(OSError):
                await Node(network).transport.listen((A, 5060))
            assert network.bound == []

        run(scenario)

    def test_local_for(self) -> None:
        async def scenario() -> None:
            transport = Node(simulated()).transport
            with pytest.raises(OSError, match="IPv4"):
                transport.local_for(B)
            one, two = await transport.listen((A, 5060)), await transport.listen((B, 5060))
            six = await transport.listen(("2001:db8::1", 5060))
            assert transport.addresses == [one, two, six]
            assert transport.local_for("198.51.100.1") == one
            assert transport.local_for(B) == two
            assert transport.local_for("2001:db8::9") == six

        run(scenario)

    def test_advertised_address(self) -> None:
        """`bind_addr`: peers are told another address than the socket has."""

        async def scenario() -> None:
            network = simulated()
            one, two = Node(network), Node(network)
            public = await one.transport.listen((A, 5060), advertised=("203.0.113.1", 5060))
            b = await two.transport.listen((B, 5060))
            assert public == ("203.0.113.1", 5060)
            assert one.transport.local_for(B) == public
            one.transport.send(message(), Flow("UDP", public, b))
            one.transport.send(message("tcp"), Flow("TCP", public, b))
            await two.until(2)
            assert two.got[0][1].remote == (A, 5060)
            assert two.got[1][1].remote[0] == A
            two.transport.send(message("back"), two.got[0][1])
            await one.until(1)
            assert one.got[0][1] == Flow("UDP", public, b)

        run(scenario)


class TestTcp:
    def test_connection_is_made_once_and_used_both_ways(self) -> None:
        async def scenario() -> None:
            network = simulated()
            one, two = Node(network), Node(network)
            a, b = await one.transport.listen((A, 5060)), await two.transport.listen((B, 5060))
            one.transport.send(message("1"), Flow("TCP", a, b))
            one.transport.send(message("2"), Flow("TCP", a, b))
            await two.until(2)
            assert two.data == [message("1"), message("2")]
            flow = two.got[0][1]
            assert (flow.transport, flow.local, flow.remote[0]) == ("TCP", b, A)
            assert flow.remote != a and flow.connection > 0
            two.transport.send(message("3"), flow)
            await one.until(1)
            back = one.got[0][1]
            assert (back.local, back.remote) == (a, b)
            one.transport.send(message("4"), back)
            await two.until(3)
            assert one.transport.connections == two.transport.connections == 1

        run(scenario)

    def test_closed_connection_is_replaced(self) -> None:
        """A response whose connection is gone goes to the address in its flow (RFC 3261 §18.2.2)."""

        async def scenario() -> None:
            network = simulated()
            one, two = Node(network), Node(network)
            a, b = await one.transport.listen((A, 5060)), await two.transport.listen((B, 5060))
            one.transport.send(message("1"), Flow("TCP", a, b))
            await two.until(1)
            number = two.got[0][1].connection
            assert two.transport.is_open(number)
            two.transport.close_connection(number)
            two.transport.close_connection(number)
            await asyncio.sleep(1)
            assert not two.transport.is_open(number)
            assert one.transport.connections == two.transport.connections == 0
            two.transport.send(message("2"), Flow("TCP", b, a, number))
            await one.until(1)
            assert one.failures == two.failures == []

        run(scenario)

    def test_refused_and_unreachable_are_reported_once(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            a = await node.transport.listen((A, 5060))
            flow = Flow("TCP", a, (B, 5060))
            node.transport.send(message(), flow)
            node.transport.send(message(), flow)
            network.cut("192.0.2.7")
            node.transport.send(message(), Flow("TCP", a, ("192.0.2.7", 1)))
            await asyncio.sleep(60)
            assert [(each.remote[0], type(error)) for each, error in node.failures] == [
                (B, ConnectionRefusedError),
                ("192.0.2.7", TimeoutError),
            ]
            assert [each.partition(" cannot be made: ")[0] for each in node.told] == [
                f"TCP connection to {B}:5060",
                "TCP connection to 192.0.2.7:1",
            ]
            assert node.transport.connections == 0

        run(scenario)

    def test_octets_cut_anywhere(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            _, stream = raw_to(network, here)
            wanted = [message(str(i), i * 7) for i in range(20)]
            octets = b"\r\n\r\n".join(wanted)
            for start in range(0, len(octets), 11):
                stream.send(octets[start : start + 11])
            await asyncio.sleep(1)
            assert node.data == wanted

        run(scenario)

    def test_pong(self) -> None:
        """RFC 5626 §4.4.1: a double CRLF between messages gets a single one."""

        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            raw, stream = raw_to(network, here)
            stream.send(b"\r\n\r\n")
            await asyncio.sleep(1)
            assert raw.data == b"\r\n"
            stream.send(message() + b"\r\n\r")
            stream.send(b"\n")
            await asyncio.sleep(1)
            assert raw.data == b"\r\n\r\n"
            assert node.data == [message()]

        run(scenario)

    @pytest.mark.parametrize(
        "junk",
        [b"MESSAGE sip:b SIP/2.0\r\nVia: x\r\n\r\n", b"x" * 3000, b"INVITE a SIP/2.0\r\nl: 5000\r\n\r\n"],
    )
    def test_no_sip_closes_with_one_report(self, junk: bytes) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network, limit=2000)
            here = await node.transport.listen((A, 5060))
            raw, stream = raw_to(network, here)
            stream.send(message() + junk)
            stream.send(junk)
            await asyncio.sleep(1)
            assert node.data == [message()]
            ((flow, error),) = node.failures
            assert isinstance(error, FramingError)
            assert flow == node.got[0][1]
            assert raw.ends == [None]
            assert node.transport.connections == 0

        run(scenario)

    def test_last_answer_before_the_end(self) -> None:
        """Who hears of the failure may still answer on the connection, which is closed afterwards."""

        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            node.transport._failed = lambda flow, _: node.transport.send(b"SIP/2.0 400 Bad\r\n\r\n", flow)
            raw, stream = raw_to(network, here)
            stream.send(b"MESSAGE sip:b SIP/2.0\r\nVia: x\r\n\r\n")
            await asyncio.sleep(1)
            assert raw.data == b"SIP/2.0 400 Bad\r\n\r\n"
            assert raw.ends == [None]

        run(scenario)

    def test_reset_is_reported_and_an_orderly_end_is_not(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            _, orderly = raw_to(network, here)
            _, rude = raw_to(network, here)
            await asyncio.sleep(1)
            orderly.close()
            rude.abort(ConnectionAbortedError())  # type: ignore[attr-defined]
            await asyncio.sleep(1)
            assert [(flow.remote, type(error)) for flow, error in node.failures] == [
                (rude.local, ConnectionResetError)
            ]
            assert node.transport.connections == 0

        run(scenario)

    def test_limit_of_connections(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network, max_connections=3)
            here = await node.transport.listen((A, 5060))
            peers = [raw_to(network, here) for _ in range(5)]
            await asyncio.sleep(1)
            assert [len(raw.ends) for raw, _ in peers] == [0, 0, 0, 1, 1]
            assert node.transport.connections == 3
            peers[0][1].close()
            await asyncio.sleep(1)
            raw, stream = raw_to(network, here)
            stream.send(message())
            await asyncio.sleep(1)
            assert raw.ends == [] and node.data == [message()]

        run(scenario)

    def test_silent_and_half_finished_peers_are_closed(self) -> None:
        """Nobody holds a place with a message that never ends; a registered phone may stay for ever."""

        async def scenario() -> None:
            network = simulated()
            node = Node(network)
            here = await node.transport.listen((A, 5060))
            (silent, _), (slow, slow_stream), (good, good_stream) = (raw_to(network, here) for _ in range(3))
            good_stream.send(message())
            slow_stream.send(message())
            await asyncio.sleep(100)
            assert (len(silent.ends), slow.ends, good.ends) == (1, [], [])
            for octet in message()[:80]:
                slow_stream.send(bytes([octet]))
                await asyncio.sleep(1)
            assert len(slow.ends) == 1
            await asyncio.sleep(100000)
            assert good.ends == []
            assert [type(error) for _, error in node.failures] == [TimeoutError] * 2

        run(scenario)

    def test_idle_timeout(self) -> None:
        async def scenario() -> None:
            network = simulated()
            node = Node(network, idle_timeout=600)
            here = await node.transport.listen((A, 5060))
            raw, stream = raw_to(network, here)
            stream.send(message())
            await asyncio.sleep(599)
            assert raw.ends == []
            await asyncio.sleep(20)
            assert raw.ends == [None]
            assert node.failures == []

        run(scenario)

    def test_close(self) -> None:
        async def scenario() -> None:
            network = simulated()
            one, two = Node(network), Node(network)
            a, b = await one.transport.listen((A, 5060)), await two.transport.listen((B, 5060))
            one.transport.send(message(), Flow("TCP", a, b))
            await two.until(1)
            one.transport.close()
            two.transport.close()
            await asyncio.sleep(1)
            assert network.in_use == 0
            assert one.failures == two.failures == []
            assert asyncio.get_running_loop().pending_timers() == 0  # type: ignore[attr-defined]

        run(scenario)


def _ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class TestRealSockets:
    """The same on loopback."""

    @pytest.mark.parametrize("transport", ["UDP", "TCP"])
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not _ipv6(), reason="no IPv6 here"))],
    )
    async def test_there_and_back(self, transport: str, host: str) -> None:
        network = SocketNetwork(asyncio.get_running_loop())
        one, two = Node(network), Node(network)
        a, b = await one.transport.listen((host, 0)), await two.transport.listen((host, 0))
        assert one.transport.local_for(host) == a
        size = 30000 if transport == "TCP" else 1000
        one.transport.send(message("there", size), Flow(transport, a, b))
        await two.until(1)
        assert two.data == [message("there", size)]
        two.transport.send(message("back"), two.got[0][1])
        await one.until(1)
        assert one.data == [message("back")]
        assert one.got[0][1][:3] == (transport, a, b)
        one.transport.close()
        two.transport.close()
        network.close()

    async def test_socket_on_all_addresses_tells_one(self) -> None:
        """Nobody can answer to 0.0.0.0: Via and Contact name the address of the default route."""
        network = SocketNetwork(asyncio.get_running_loop())
        node = Node(network)
        host, port = await node.transport.listen(("0.0.0.0", 0))
        assert host not in ("0.0.0.0", "") and port > 0
        sender = network.udp(("127.0.0.1", 0), lambda *_: None)
        sender.send(message(), ("127.0.0.1", port))
        await node.until(1)
        assert node.got[0][1] == Flow("UDP", (host, port), sender.local)
        node.transport.close()
        network.close()

    async def test_refused(self) -> None:
        network = SocketNetwork(asyncio.get_running_loop())
        node = Node(network)
        failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        node.transport._failed = lambda _, error: failed.set_result(error)
        a = await node.transport.listen(("127.0.0.1", 0))
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            node.transport.send(message(), Flow("TCP", a, unused.getsockname()))
            assert isinstance(await asyncio.wait_for(failed, 10), ConnectionRefusedError)
        (told,) = node.told
        assert told.startswith("TCP connection to 127.0.0.1:") and " cannot be made: " in told
        assert node.transport.connections == 0
        node.transport.close()
        network.close()
