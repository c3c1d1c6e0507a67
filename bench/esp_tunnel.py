"""Round trips through the IPsec tunnel against plain UDP, and packets through its engine alone.

    PYTHONPATH=src python3 bench/esp_tunnel.py [--seconds 2] [--size 600]

Moves into a network of its own first: root, or an ordinary user where user namespaces and /dev/net/tun allow.
Server and phone are in this process and share one event loop and one CPU: a round trip has two packets, so
two protected and two unprotected, four passes of a TUN interface and two of loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net import private
from libreims.net.esp_engine import EspEngine
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.port import Address, Network
from libreims.net.sockets import SocketNetwork
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.keys import expand
from libreims.proto.ip.packet import Packet
from libreims.proto.ip.transport import udp

SERVER: Address = ("10.45.0.1", 5064)
PHONE: Address = ("10.45.0.2", 40002)
PAIRS = (
    ("hmac-sha-1-96", "aes-cbc"),
    ("hmac-md5-96", "aes-cbc"),
    ("hmac-sha-1-96", "null"),
    ("aes-cmac-96", "aes-ctr"),
    ("null", "aes-gcm"),
    ("aes-gmac", "null"),
)
FLIGHT = 20
"""Datagrams under way at once."""


def associations(pair: tuple[str, str]) -> tuple[list[SecurityAssociation], list[SecurityAssociation]]:
    """For the server and for the phone."""
    keys = expand(*pair, b"integrity key 16", b"cipher key of 16")
    what = *pair, keys.authentication, keys.encryption
    server = [
        SecurityAssociation("in", 1000, SERVER, PHONE, *what),
        SecurityAssociation("out", 1001, SERVER, PHONE, *what),
    ]
    turned = {"in": "out", "out": "in"}
    phone = [
        replace(each, direction=turned[each.direction], local=PHONE, remote=SERVER)  # type: ignore[arg-type]
        for each in server
    ]
    return server, phone


async def round_trips(server: Network, phone: Network, size: int, seconds: float) -> tuple[float, float]:
    """Round trips a second, and microseconds of CPU for each."""
    echo = server.udp(SERVER, lambda data, source: echo.send(data, source))
    count = 0

    def back(data: bytes, _source: Address) -> None:
        nonlocal count
        count += 1
        client.send(data, SERVER)

    client = phone.udp(PHONE, back)
    for _ in range(FLIGHT):
        client.send(bytes(size), SERVER)
    await asyncio.sleep(0.2)
    count, began, used = 0, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    passed, used = time.perf_counter() - began, time.process_time() - used
    client.close()
    echo.close()
    return count / passed, used / max(1, count) * 1e6


def tunnel(host: str) -> EspTunnel:
    loop = asyncio.get_running_loop()
    log = Log.null().layer("ipsec")
    return open_tunnel([host], loop=loop, log=log, tokens=Tokens(), utc=time.time)


def engine(host: str, **how: Callable[..., object]) -> EspEngine:
    clock = asyncio.get_running_loop()
    log = Log.null().layer("ipsec")
    return EspEngine([host], clock=clock, tokens=Tokens(), log=log, **how)  # type: ignore[arg-type]


def engine_alone(pair: tuple[str, str], size: int) -> tuple[float, float]:
    """Packets a second out and in, without the kernel."""
    sent: list[bytes] = []
    phone = engine(PHONE[0], send=lambda esp, *_: sent.append(esp), deliver=lambda _: None)
    server = engine(SERVER[0], send=lambda *_: None, deliver=lambda _: None)
    ours, theirs = associations(pair)
    server.install(ours)
    phone.install(theirs)
    addresses = bytes([10, 45, 0, 2]), bytes([10, 45, 0, 1])
    packet = Packet(*addresses, 17, udp(*addresses, PHONE[1], SERVER[1], bytes(size))).encode()
    number = 20_000
    began = time.perf_counter()
    for _ in range(number):
        phone.outbound(packet)
    out = time.perf_counter() - began
    began = time.perf_counter()
    for esp in sent:
        server.inbound(esp, PHONE[0], SERVER[0])
    back = time.perf_counter() - began
    assert server.received == number
    return number / out, number / back


async def measure(size: int, seconds: float) -> None:
    print(f"datagrams of {size} octets, {FLIGHT} under way at once\n")
    print(f"{'':26} {'round trips/s':>14} {'CPU us each':>12} {'engine out/s':>13} {'engine in/s':>12}")
    plain = SocketNetwork(asyncio.get_running_loop())
    show("plain UDP", *await round_trips(plain, plain, size, seconds))
    plain.close()
    for pair in PAIRS:
        server, phone = tunnel(SERVER[0]), tunnel(PHONE[0])
        ours, theirs = associations(pair)
        server.install(ours)
        phone.install(theirs)
        measured = await round_trips(server.network, phone.network, size, seconds)
        server.close()
        phone.close()
        show(" + ".join(pair), *measured, *engine_alone(pair, size))


def show(name: str, *numbers: float) -> None:
    widths = (14, 12, 13, 12)
    print(f"{name:26}", *(f"{each:>{width},.0f}" for each, width in zip(numbers, widths, strict=False)))


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each line")
    parser.add_argument("--size", type=int, default=600, help="octets of a datagram")
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        private.enter([SERVER[0], PHONE[0]])
        asyncio.run(measure(options.size, options.seconds))
    except LibreImsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
