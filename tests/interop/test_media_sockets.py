"""The relay and the echo on this machine's sockets, IPv4 on one side and IPv6 on the other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.media.echo import echo
from libreims.media.ports import OutOfPorts
from libreims.media.relay import MediaRelay, bridge
from libreims.net.port import Address
from libreims.net.sockets import SocketNetwork
from libreims.proto.rtp.rtp import RtpPacket
from support.process import loopback


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


class Mailbox:
    """A phone's socket and what came to it."""

    def __init__(self, network: SocketNetwork, host: str) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.socket = network.udp((host, 0), lambda data, source: self.heard.append((data, source)))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def relay_on(network: SocketNetwork) -> MediaRelay:
    loop = asyncio.get_running_loop()
    return MediaRelay(network, loop, Log.null().layer("media"), Tokens())


def packet(number: int) -> bytes:
    return RtpPacket(8, number, number * 160, 0x55, bytes(160)).encode()


@pytest.mark.parametrize("far", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_a_call_through_the_relay(far: str) -> None:
    network = SocketNetwork(asyncio.get_running_loop())
    relay = relay_on(network)
    try:
        a, b = Mailbox(network, "127.0.0.1"), Mailbox(network, far)
        here, there = relay.open("127.0.0.1", 20000, 30000), relay.open(far, 20000, 30000)
        here.set_remote(a.socket.local, None)
        there.set_remote(b.socket.local, None)
        bridge(here, there)
        sent = [packet(number) for number in range(50)]
        for data in sent:
            a.socket.send(data, here.local)
            b.socket.send(data, there.local)
        await until(lambda: len(a.heard) == len(b.heard) == 50)
        assert a.heard == [(data, here.local) for data in sent]
        assert b.heard == [(data, there.local) for data in sent]
        assert (here.rtp_received, here.rtp_sent, here.lost) == (50, 50, 0)
    finally:
        relay.close()
        network.close()


async def test_the_echo_answers() -> None:
    network = SocketNetwork(asyncio.get_running_loop())
    relay = relay_on(network)
    try:
        phone = Mailbox(network, "127.0.0.1")
        port = relay.open("127.0.0.1", 20000, 30000)
        port.set_remote(phone.socket.local, None)
        echo(port, Tokens())
        phone.socket.send(packet(7), port.local)
        await until(lambda: bool(phone.heard))
        back = RtpPacket.parse(phone.heard[0][0])
        assert (back.sequence, back.payload) == (7, bytes(160))
        assert back.ssrc != 0x55
    finally:
        relay.close()
        network.close()


async def test_ports_are_given_back() -> None:
    """To the next call at once, to other programs when the relay is closed: pairs rest with their sockets."""
    network = SocketNetwork(asyncio.get_running_loop())
    relay = relay_on(network)
    host = loopback()  # where no other program has one of these ports
    try:
        for _ in range(20):
            ports = [relay.open(host, 30100, 30109) for _ in range(5)]
            with pytest.raises(OutOfPorts):
                relay.open(host, 30100, 30109)
            for port in ports:
                port.close()
        relay.close()
        for number in range(30100, 30110):
            network.udp((host, number), lambda data, source: None)
    finally:
        network.close()
