"""Two IPsec tunnels, a server's and a phone's, on hosts of their own with a real wire between them."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import time
from collections.abc import Callable

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_engine import Send
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.port import Address, Stream
from support.esp_rig import PAIR, associations
from support.hosts import Host, Link

PATIENCE = 10.0
PHONE_PORT, SERVER_PORT = 40002, 5064


class End:
    """A tunnel on a host, and what came to its UDP sockets."""

    def __init__(self, host: Host, seed: int, **how: object) -> None:
        self.host = host
        self.log = Log(utc=time.time)
        self.log.configure("ipsec.level=info")
        with host.entered():
            self.tunnel: EspTunnel = open_tunnel(
                [host.v4, host.v6],
                loop=asyncio.get_running_loop(),
                log=self.log.layer("ipsec"),
                tokens=Tokens(seed),
                utc=time.time,
                **how,  # type: ignore[arg-type]
            )
        self.got: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def receive(self, data: bytes, source: Address) -> None:
        self.got.put_nowait((data, source))

    async def next(self) -> tuple[bytes, Address]:
        return await asyncio.wait_for(self.got.get(), PATIENCE)

    @property
    def drops(self) -> dict[str, int]:
        return {reason: count for reason, count in self.tunnel.engine.drops.counts.items() if count}


def lossy(send: Send, lost: Callable[[], bool]) -> Send:
    """A `send` that forgets some packets."""

    def maybe(esp: bytes, local: str, remote: str) -> None:
        if not lost():
            send(esp, local, remote)

    return maybe


class Rig:
    """Server and phone with one pair of associations for each address family."""

    def __init__(self, pair: tuple[str, str, bytes, bytes] = PAIR, **how: object) -> None:
        self.link = Link()
        self.server, self.phone = End(self.link.a, 1, **how), End(self.link.b, 2)
        for spi, (family, number) in enumerate(itertools.product(("v4", "v6"), (0, 1))):
            here, there = self.ends(family, number)
            self.server.tunnel.install(associations(here, there, 1000 + spi, 2000 + spi, pair))
            self.phone.tunnel.install(associations(there, here, 2000 + spi, 1000 + spi, pair))

    def ends(self, family: str, number: int = 0) -> tuple[Address, Address]:
        """Of the server and of the phone; there are two pairs of associations, as in an agreement."""
        here, there = getattr(self.link.a, family), getattr(self.link.b, family)
        return (here, SERVER_PORT + number), (there, PHONE_PORT + number)

    def lose(self, percent: int) -> None:
        """From now on lose packets, between the tunnels where this kernel cannot do it on the wire."""
        try:
            self.link.lose(percent)
        except OSError:
            dice = random.Random(8)
            for end in (self.server, self.phone):
                engine = end.tunnel.engine
                engine._send = lossy(engine._send, lambda: dice.randrange(100) < percent)

    def close(self) -> None:
        self.server.tunnel.close()
        self.phone.tunnel.close()
        self.link.close()


class Collector:
    """Listens to a TCP connection."""

    def __init__(self) -> None:
        self.stream: Stream | None = None
        self.data = bytearray()
        self.wanted = 0
        self.enough = asyncio.Event()
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def accept(self, stream: Stream) -> Collector:
        self.stream = stream
        return self

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) >= self.wanted:
            self.enough.set()

    def closed(self, error: Exception | None) -> None:
        self.ended.set_result(error)

    async def until(self, size: int) -> bytes:
        self.wanted = size
        if len(self.data) < size:
            self.enough.clear()
            await asyncio.wait_for(self.enough.wait(), PATIENCE)
        return bytes(self.data)


def tap(host: Host) -> socket.socket:
    """Sees every frame of the wire."""
    with host.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind((host.interface, 0))
    wire.setblocking(False)
    return wire


def everything(wire: socket.socket) -> list[bytes]:
    seen = []
    while True:
        try:
            seen.append(wire.recv(65535))
        except BlockingIOError:
            wire.close()
            return seen
