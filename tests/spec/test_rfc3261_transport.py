"""RFC 3261 §18: stack and transport together, on a simulated network."""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.tokens import Tokens
from libreims.net.port import Address, Flow, Stream, TcpOptions
from libreims.net.simulated import SimulatedNetwork
from libreims.net.sip_transport import SipTransport
from libreims.proto.sip.message import Response
from libreims.proto.sip.stack import ServerTransaction, SipStack
from support.stack_rig import RFC_TIMERS, Listener, User, own_request, peer_request, wire
from support.virtual import VirtualLoop, run

A, B, C = ("192.0.2.1", 5060), ("192.0.2.2", 5060), "192.0.2.3"


class Node(User):
    """A stack on its transport."""

    def __init__(self, network: SimulatedNetwork) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.network = network
        self.transport = SipTransport(network, loop, self._receive, self._failed, TcpOptions)
        self.stack = SipStack(loop, Tokens(1), RFC_TIMERS, self.transport, self)
        self.listener = Listener(loop)

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.stack.receive(data, flow)

    def _failed(self, flow: Flow, error: Exception) -> None:
        self.stack.transport_error(flow, error)

    def answer(self, transaction: ServerTransaction, status: int) -> None:
        transaction.respond(Response.to_request(transaction.request, status, tag=transaction.local_tag))

    def close(self) -> None:
        self.stack.stop()
        self.transport.close()


async def nodes() -> tuple[SimulatedNetwork, Node, Node]:
    network = SimulatedNetwork(asyncio.get_running_loop(), 1, latency=0.01)
    one, two = Node(network), Node(network)
    await one.transport.listen(A)
    await two.transport.listen(B)
    return network, one, two


class Peer:
    """Octets by hand."""

    def __init__(self, network: SimulatedNetwork, remote: Address) -> None:
        self.data = b""
        self.ended = False
        self.stream: Stream = network.tcp_connect(C, remote, self, TcpOptions())

    def data_received(self, data: bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.ended = True


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_request_and_response(transport: str) -> None:
    """§18.1.1, §18.2.2: the response comes back whatever the transport."""

    async def scenario() -> None:
        network, one, two = await nodes()
        one.stack.request(own_request("MESSAGE"), Flow(transport, A, B), one.listener)
        await asyncio.sleep(0.1)
        (received,) = two.requests
        assert received.request.via.transport == transport
        assert (received.request.via.host, received.request.via.port) == A
        two.answer(received, 200)
        await asyncio.sleep(0.1)
        assert [event.partition("@")[0] for event in one.listener.events] == ["200"]
        await asyncio.sleep(100)
        assert one.stack.transactions == two.stack.transactions == 0
        one.close()
        two.close()
        await asyncio.sleep(1)
        assert network.in_use == 0

    run(scenario)


def test_response_on_the_same_connection() -> None:
    """§18.2.2: "MUST be sent using the existing connection to the source of the original request"."""

    async def scenario() -> None:
        _, one, two = await nodes()
        one.stack.request(own_request("MESSAGE"), Flow("TCP", A, B), one.listener)
        await asyncio.sleep(0.1)
        two.answer(two.requests[0], 200)
        await asyncio.sleep(0.1)
        assert len(one.listener.events) == 1
        assert one.transport.connections == two.transport.connections == 1

    run(scenario)


def test_response_on_a_new_connection_when_the_old_one_is_gone() -> None:
    """§18.2.2: a closed connection is replaced by one to `received` and the port of sent-by."""

    async def scenario() -> None:
        _, one, two = await nodes()
        one.stack.request(own_request("INVITE"), Flow("TCP", A, B), one.listener)
        await asyncio.sleep(1)  # a 100 makes the client Proceeding
        received = two.requests[0]
        two.transport.close_connection(received.flow.connection)
        await asyncio.sleep(1)
        assert one.transport.connections == two.transport.connections == 0
        two.answer(received, 486)
        await asyncio.sleep(1)
        assert [event.partition("@")[0] for event in one.listener.events] == ["100", "486"]
        await asyncio.sleep(40)
        assert one.stack.transactions == two.stack.transactions == 0

    run(scenario)


def test_refused_connection_fails_the_client_transaction() -> None:
    """§18.4 and §17.1.4: the user hears of it at once, not by timer."""

    async def scenario() -> None:
        _, one, _ = await nodes()
        one.stack.request(own_request("INVITE"), Flow("TCP", A, (B[0], 5999)), one.listener)
        await asyncio.sleep(0.1)
        assert [event.partition("@")[0] for event in one.listener.events] == ["transport_failed"]
        assert one.stack.transactions == 0

    run(scenario)


def test_answer_that_cannot_be_delivered() -> None:
    """Neither on its connection nor at the port of sent-by: the user is told."""

    async def scenario() -> None:
        network, one, _ = await nodes()
        peer = Peer(network, A)
        peer.stream.send(wire(peer_request("INVITE").replace("UDP 192.0.2.99", f"TCP {C}")))
        await asyncio.sleep(0.1)
        peer.stream.close()
        await asyncio.sleep(0.1)
        (received,) = one.requests
        received.listener = one.listener
        one.answer(received, 486)
        await asyncio.sleep(0.1)
        assert [event.partition("@")[0] for event in one.listener.events] == ["transport_failed"]
        assert one.stack.transactions == 0

    run(scenario)


@pytest.mark.parametrize(
    ("damage", "status"),
    [(("Content-Length: 0\n", ""), b"400"), (("Content-Length: 0", "Content-Length: 70000"), b"513")],
)
def test_unreadable_stream_is_answered_then_closed(damage: tuple[str, str], status: bytes) -> None:
    """§18.3: Content-Length is what separates messages; without it the stream is lost."""

    async def scenario() -> None:
        network, one, _ = await nodes()
        peer = Peer(network, A)
        peer.stream.send(wire(peer_request("MESSAGE").replace("UDP", "TCP").replace(*damage)))
        await asyncio.sleep(1)
        assert peer.data.startswith(b"SIP/2.0 " + status)
        assert peer.ended
        assert one.transport.connections == 0
        assert one.requests == [] and one.bad == []

    run(scenario)


def test_datagram_longer_than_content_length() -> None:
    """§18.3: "If there are additional bytes in the transport packet ... they MUST be discarded"."""

    async def scenario() -> None:
        network, one, _ = await nodes()
        sender = network.udp((C, 5060), lambda *_: None)
        sender.send(wire(peer_request("MESSAGE")) + b"and more", A)
        await asyncio.sleep(0.1)
        assert one.requests[0].request.body == b""

    run(scenario)
