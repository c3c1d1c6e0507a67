"""Protected ports of the SIP transport: which socket something leaves from, and what an end closes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libreims.net.port import Flow, TcpOptions
from libreims.net.protected_ports import ProtectedPorts, Way
from libreims.net.simulated import SimulatedNetwork
from libreims.net.sip_transport import SipTransport
from support.virtual import run

SERVER, PHONE = "192.0.2.1", "192.0.2.2"
LOCAL = (SERVER, 7000)
MESSAGE = (
    b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Node:
    """A transport on a network that is all inside: no association is asked for here."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self.network = network
        self.got: list[Flow] = []
        self.failures: list[tuple[Flow, Exception]] = []
        self.told: list[str] = []
        self.transport = SipTransport(
            network,
            asyncio.get_running_loop(),
            lambda data, flow: self.got.append(flow),
            lambda flow, error: self.failures.append((flow, error)),
            TcpOptions,
            tell=self.told.append,
        )


class Both:
    """Server and phone with their protected ports; ways by number."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.inside = SimulatedNetwork(loop, 1, trace=True)
        self.server, self.phone = Node(self.inside), Node(self.inside)
        self.ours: list[Way] = []
        self.theirs: list[Way] = []
        self.ports: ProtectedPorts
        self.far: ProtectedPorts

    async def open(self) -> Both:
        self.ports = await self.server.transport.protect(self.inside, LOCAL)
        self.far = await self.phone.transport.protect(self.inside, (PHONE, 6000))
        self.add()
        return self

    def add(self) -> None:
        number = len(self.ours)
        ours, theirs = 7100 + number, 6100 + number
        self.ours.append(self.ports.add(ours, (PHONE, theirs), (PHONE, 6000)))
        self.theirs.append(self.far.add(theirs, (SERVER, ours), LOCAL))

    def to_phone(self, transport: str = "UDP", port: int = 6000) -> Flow:
        return Flow(transport, LOCAL, (PHONE, port))

    @property
    def paths(self) -> list[tuple[int, int]]:
        trace = self.inside.trace or []
        paths = [(packet.source[1], packet.destination[1]) for packet in trace]
        trace.clear()
        return paths


def play(scenario: Any) -> None:
    async def whole() -> None:
        both = await Both().open()
        await scenario(both)
        both.server.transport.close()
        both.phone.transport.close()
        await asyncio.sleep(1)
        assert both.inside.in_use == 0

    run(whole)


@pytest.mark.parametrize("port", [6000, 6100, 5060, 9])
def test_datagrams_leave_from_our_client_port_to_the_phones_server_port(port: int) -> None:
    """Whatever Via, rport or Contact said."""

    async def scenario(both: Both) -> None:
        both.server.transport.send(MESSAGE, both.to_phone(port=port))
        await asyncio.sleep(1)
        assert both.paths == [(7100, 6000)]
        assert both.phone.got == [Flow("UDP", (PHONE, 6000), (SERVER, 7100))]

    play(scenario)


def test_both_ports_of_ours_are_heard() -> None:
    async def scenario(both: Both) -> None:
        both.phone.transport.send(MESSAGE, Flow("UDP", (PHONE, 6000), LOCAL))
        socket = both.inside.udp((PHONE, 6001), lambda data, remote: None)
        socket.close()
        both.far._udp.send(MESSAGE, (SERVER, 7100))  # type: ignore[union-attr]
        both.theirs[0].socket.send(b"\r\n\r\n", LOCAL)
        await asyncio.sleep(1)
        assert both.server.got == [Flow("UDP", LOCAL, (PHONE, 6100))] * 2

    play(scenario)


def test_strangers_are_dropped() -> None:
    async def scenario(both: Both) -> None:
        stranger = both.inside.udp((PHONE, 6999), lambda data, remote: None)
        stranger.send(MESSAGE, LOCAL)

        ends: list[object] = []

        class Raw:
            def data_received(self, data: bytes) -> None:
                raise AssertionError(data)

            def closed(self, error: Exception | None) -> None:
                ends.append(error)

        both.inside.tcp_connect(PHONE, LOCAL, Raw(), TcpOptions(), local_port=6999).send(MESSAGE)
        await asyncio.sleep(1)
        assert both.server.got == [] and ends == [None]
        assert [text.partition(" from")[0] for text in both.server.told] == ["datagram", "TCP connection"]
        assert both.server.transport.connections == 0
        stranger.close()

    play(scenario)


def test_our_tcp_connection_goes_from_client_port_to_server_port_and_stays() -> None:
    async def scenario(both: Both) -> None:
        for _ in range(3):
            both.server.transport.send(MESSAGE, both.to_phone("TCP", 6100))
        await asyncio.sleep(1)
        assert set(both.paths) == {(7100, 6000)}
        assert [flow.remote for flow in both.phone.got] == [(SERVER, 7100)] * 3
        answer = both.phone.got[0]
        both.phone.transport.send(MESSAGE, answer)
        await asyncio.sleep(1)
        assert both.server.got[-1].remote == (PHONE, 6000)
        assert both.server.transport.connections == 1
        both.phone.transport.close_connection(answer.connection)
        await asyncio.sleep(1)
        both.server.transport.send(MESSAGE, both.to_phone("TCP"))
        await asyncio.sleep(1)
        assert len(both.phone.got) == 4

    play(scenario)


def test_responses_over_tcp_take_the_connection_of_the_phone() -> None:
    async def scenario(both: Both) -> None:
        both.phone.transport.send(MESSAGE, Flow("TCP", (PHONE, 6000), LOCAL))
        await asyncio.sleep(1)
        (flow,) = both.server.got
        assert flow.remote == (PHONE, 6100)
        both.inside.trace.clear()  # type: ignore[union-attr]
        both.server.transport.send(MESSAGE, flow)
        await asyncio.sleep(1)
        assert both.paths == [(7000, 6100)]

    play(scenario)


def test_two_ways_to_one_phone() -> None:
    """Answers go back where the request came from, requests the way in use, over TCP too."""

    async def scenario(both: Both) -> None:
        transport = both.server.transport
        transport.send(MESSAGE, both.to_phone("TCP"))
        await asyncio.sleep(1)
        both.add()
        new_request = transport.current(both.to_phone(port=6100))
        assert new_request == both.to_phone()
        transport.send(MESSAGE, new_request)
        transport.send(MESSAGE, both.to_phone(port=6101))
        await asyncio.sleep(1)
        assert both.paths == [(7100, 6000), (7100, 6000), (7101, 6000)]
        both.ports.use(both.ours[1])
        transport.send(MESSAGE, both.to_phone())
        transport.send(MESSAGE, both.to_phone(port=6100))
        transport.send(MESSAGE, both.to_phone("TCP"))
        await asyncio.sleep(1)
        assert both.paths == [(7101, 6000), (7100, 6000), (7101, 6000)]
        assert transport.connections == 2
        both.ports.remove(both.ours[0])
        await asyncio.sleep(1)
        assert transport.connections == 1, "the connection of the way that is gone"
        transport.send(MESSAGE, both.to_phone(port=6100))
        await asyncio.sleep(1)
        assert both.paths == [(7101, 6000)]
        assert both.server.failures == []

    play(scenario)


def test_who_hears_of_a_way() -> None:
    async def scenario(both: Both) -> None:
        calls: list[bytes] = []
        both.ours[0].heard = calls.append
        both.phone.transport.send(MESSAGE, Flow("UDP", (PHONE, 6000), LOCAL))
        await asyncio.sleep(1)
        assert calls == [MESSAGE]

    play(scenario)


def test_after_the_end_nothing_leaves() -> None:
    async def scenario(both: Both) -> None:
        transport = both.server.transport
        transport.end_protection(both.ports)
        assert transport.protected == {} and transport.current(both.to_phone()) == both.to_phone()
        for kind in ("UDP", "TCP"):
            transport.send(MESSAGE, both.to_phone(kind))
        await asyncio.sleep(1)
        assert both.paths == []
        assert [str(error).partition("]")[2] for _, error in both.server.failures] == [
            " we do not listen on 192.0.2.1:7000"
        ] * 2

    play(scenario)


def test_a_port_that_is_taken() -> None:
    async def scenario(both: Both) -> None:
        in_use = both.inside.in_use
        with pytest.raises(OSError):
            await both.server.transport.protect(both.inside, LOCAL)
        with pytest.raises(OSError):
            both.ports.add(7100, (PHONE, 6200), (PHONE, 6000))
        assert (both.inside.in_use, len(both.ports)) == (in_use, 1)
        blocked = await both.inside.tcp_listen((SERVER, 7200), lambda stream: None, TcpOptions())  # type: ignore[arg-type,return-value]
        with pytest.raises(OSError):
            await both.server.transport.protect(both.inside, (SERVER, 7200))
        assert (SERVER, 7200) not in both.inside.bound
        blocked.close()

    play(scenario)


def test_requests_are_led_from_an_old_port_to_a_new_one() -> None:
    async def scenario(both: Both) -> None:
        transport = both.server.transport
        new = await transport.protect(both.inside, (SERVER, 7300))
        new.add(7301, (PHONE, 6301), (PHONE, 6300))
        newer = await transport.protect(both.inside, (SERVER, 7400))
        newer.add(7401, (PHONE, 6401), (PHONE, 6400))
        transport.lead(LOCAL, new.local)
        assert transport.current(both.to_phone()) == Flow("UDP", new.local, (PHONE, 6300))
        transport.lead(new.local, newer.local)
        assert transport.current(both.to_phone()).local == newer.local
        outside = Flow("UDP", (SERVER, 5060), (PHONE, 5060))
        assert transport.fits(Flow("UDP", newer.local, (PHONE, 6401)), both.to_phone())
        assert not transport.fits(outside, both.to_phone())
        assert not transport.fits(Flow("UDP", newer.local, ("192.0.2.9", 1)), both.to_phone())
        assert transport.fits(both.to_phone(), outside) and transport.fits(outside, outside)
        transport.end_protection(newer)
        assert transport.current(both.to_phone()).local == LOCAL
        assert transport.fits(outside, Flow("UDP", newer.local, (PHONE, 1))), "nothing protects that any more"

    play(scenario)


def test_answers_take_the_way_of_the_request_whatever_its_via_says() -> None:
    """The Via of a phone has its server port, which all of its associations share."""

    async def scenario(both: Both) -> None:
        transport = both.server.transport
        asked, via = both.to_phone(port=6100), both.to_phone(port=6000)
        assert transport.answers(asked, via) is asked
        outside = Flow("UDP", (SERVER, 5060), (PHONE, 5060))
        assert transport.answers(outside, via) is via

    play(scenario)
