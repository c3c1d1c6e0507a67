"""Two stacks on a network that loses, doubles and reorders: each transaction ends once, nothing is left.

RFC 3261 §17 promises the user of a client transaction exactly one outcome: a final response, a timeout or a
transport failure.  After the longest timer both tables are empty, whatever the network did.
"""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest

from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.net.port import DatagramSocket
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction, SipStack, SipTimers, State
from support.virtual import VirtualLoop

TIMERS = SipTimers(t1=0.5, t2=4.0, t4=5.0)
HOSTS = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


class Call:
    """Listener of one client transaction and the judge of what it is told."""

    def __init__(self, node: Node, number: int) -> None:
        self.node = node
        self.number = number
        self.outcomes: list[str] = []
        self.transaction: ClientTransaction | None = None

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        invite = transaction.request.method == "INVITE"
        if response.status < 200:
            assert not self.outcomes, "provisional response after the end"
            return
        if invite and response.status < 300:
            self.node.acknowledge(transaction, response)
            if self.outcomes and self.outcomes[-1] == str(response.status):
                return  # a retransmission of the 2xx (RFC 6026)
        self.outcomes.append(str(response.status))

    def timed_out(self, transaction: ClientTransaction) -> None:
        self.outcomes.append("timeout")

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        self.outcomes.append("transport")


class Node:
    """One side: sends calls, answers those of the other side."""

    def __init__(
        self, loop: VirtualLoop, network: SimulatedNetwork, here: Address, there: Address, seed: int
    ):
        self.loop = loop
        self.tokens = Tokens(seed)
        self.flow = Flow("UDP", here, there)
        self.here = here
        self.stack = SipStack(TimerWheel(loop), self.tokens, TIMERS, self, self)
        self.socket: DatagramSocket = network.udp(here, self._datagram)
        self.calls: list[Call] = []
        self.requests: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.bad: list[SipParseError] = []
        self.watched: list[weakref.ref[_Lines]] | None = None

    def watch(self, request: Request) -> None:
        """See how long this request lives."""
        assert self.watched is not None
        lines = _Lines(["1"])
        request.fields["X"] = lines
        self.watched.append(weakref.ref(lines))

    def _datagram(self, data: bytes, source: Address) -> None:
        self.stack.receive(data, Flow("UDP", self.here, source))

    def send(self, data: bytes, flow: Flow) -> None:
        self.socket.send(data, flow.remote)

    # -- client

    def start(self, number: int) -> None:
        method = (self.tokens.integer(0, 2) and "INVITE") or "MESSAGE"
        call = Call(self, number)
        request = Request.build(
            method,
            "sip:x@192.0.2.9",
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:a@example.com>;tag={self.tokens.tag()}"),
                ("To", "<sip:b@example.com>"),
                ("Call-ID", f"{self.here[0]}-{number}"),
                ("CSeq", f"1 {method}"),
                ("Contact", "<sip:a@192.0.2.1>"),
            ],
        )
        self.calls.append(call)
        call.transaction = self.stack.request(request, self.flow, call)
        if method == "INVITE" and self.tokens.integer(0, 3) == 0:
            self.loop.call_later(self.tokens.uniform(0, 6), call.transaction.cancel)

    def acknowledge(self, transaction: ClientTransaction, response: Response) -> None:
        ack = Request.build(
            "ACK",
            transaction.request.uri,
            [
                ("Max-Forwards", "70"),
                ("From", transaction.request.get_all("From")[0]),
                ("To", response.get_all("To")[0]),
                ("Call-ID", transaction.request.call_id),
                ("CSeq", "1 ACK"),
            ],
        )
        self.stack.send(ack, self.flow)

    # -- server

    def request_received(self, transaction: ServerTransaction) -> None:
        self.requests[transaction.request.call_id] += 1
        if self.watched is not None:
            self.watch(transaction.request)
        transaction.listener = self
        if transaction.request.method == "INVITE":
            if self.tokens.integer(0, 1):
                self._answer(transaction, 180)
            delay = self.tokens.uniform(0, 8)
        else:
            delay = self.tokens.uniform(0, 1)
        self.loop.call_later(delay, self._answer, transaction, (self.tokens.integer(0, 2) and 200) or 486)

    def _answer(self, transaction: ServerTransaction, status: int) -> None:
        if transaction.state is State.TERMINATED or transaction.answered:
            return
        response = Response.to_request(
            transaction.request, status, tag=transaction.local_tag, headers=[("Contact", "<sip:b@b>")]
        )
        transaction.respond(response)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self._answer(transaction, 487)

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        if transaction is not None:
            transaction.acknowledged()
            self.ends["acknowledged"] += 1

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        self.bad.append(error)

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        self.ends["ack_timeout"] += 1

    def transport_failed(self, transaction: ServerTransaction) -> None:
        self.ends["transport"] += 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("loss", "calls"), [(0.0, 40), (0.1, 80), (0.5, 40)], ids=["no loss", "10 %", "50 %"]
)
def test_every_transaction_ends_once(virtual_loop: VirtualLoop, seed: int, loss: float, calls: int) -> None:
    network = SimulatedNetwork(
        virtual_loop, seed, latency=0.05, jitter=0.1, loss=loss, duplicate=0.1, reorder=0.2
    )
    nodes = [
        Node(virtual_loop, network, HOSTS[0], HOSTS[1], 2 * seed),
        Node(virtual_loop, network, HOSTS[1], HOSTS[0], 2 * seed + 1),
    ]
    for number in range(calls):
        virtual_loop.call_later(number * 0.3, nodes[number % 2].start, number)
    virtual_loop.advance(calls * 0.3 + 300)
    for node in nodes:
        outcomes = Counter(
            call.outcomes[0] if len(call.outcomes) == 1 else str(call.outcomes) for call in node.calls
        )
        assert sum(outcomes.values()) == calls // 2
        assert set(outcomes) <= {"200", "486", "487", "timeout"}, outcomes
        if loss <= 0.1:
            assert outcomes["timeout"] <= (0 if loss == 0 else 2), outcomes
        assert node.requests and max(node.requests.values()) == 1, "a request was delivered twice"
        assert node.ends["transport"] == 0
        assert node.bad == []
        assert node.stack.transactions == 0
        assert node.stack.active == 0
    assert virtual_loop.pending_timers() == 0


def test_dead_peer(virtual_loop: VirtualLoop) -> None:
    """All is lost: every transaction times out, once."""
    network = SimulatedNetwork(virtual_loop, 3)
    node = Node(virtual_loop, network, HOSTS[0], HOSTS[1], 3)
    for number in range(30):
        node.start(number)
    virtual_loop.advance(40)
    assert [call.outcomes for call in node.calls] == [["timeout"]] * 30
    assert node.stack.transactions == 0


def test_no_object_survives_its_transaction(virtual_loop: VirtualLoop) -> None:
    """Without the help of the garbage collector: reference counts alone free everything (no cycles)."""
    network = SimulatedNetwork(virtual_loop, 4)
    client = Node(virtual_loop, network, HOSTS[0], HOSTS[1], 4)
    server = Node(virtual_loop, network, HOSTS[1], HOSTS[0], 5)
    gc.collect()
    gc.disable()
    try:
        client.watched, server.watched = [], []
        for number in range(30):
            client.start(number)
            transaction = client.calls[-1].transaction
            assert transaction is not None
            client.watch(transaction.request)
        virtual_loop.advance(200)
        assert client.stack.transactions == server.stack.transactions == 0
        del transaction
        client.calls.clear()
        assert len(client.watched) == len(server.watched) == 30
        assert [ref for ref in client.watched + server.watched if ref() is not None] == []
    finally:
        gc.enable()


class _Lines(list[str]):
    """A header's lines that can be watched: they live as long as their request."""
