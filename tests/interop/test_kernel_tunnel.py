"""The whole tunnel (`net.esp_tunnel`) with Linux's own IPsec at the other end of an Ethernet cable.

Two real network stacks talk through ESP, of this process on one side and of the guest's kernel on the
other: datagrams that have to be cut into fragments inside and outside, TCP from both sides.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
import pytest_asyncio

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.netns import NetworkNamespace
from libreims.net.port import Address, Stream, TcpOptions
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.keys import expand
from libreims.proto.esp.primitives import missing
from support import xfrm_echo
from support.kernel_peer import SECONDS, KernelPeer, address, kernel_missing, program, tap
from support.xfrm import prepare

pytestmark = pytest.mark.skipif(bool(kernel_missing()), reason=f"no kernel to talk to: {kernel_missing()}")
PAIRS = [
    pair
    for pair in (
        ("hmac-sha-1-96", "aes-cbc"),
        ("hmac-md5-96", "null"),
        ("hmac-md5-96", "des-ede3-cbc"),
        ("null", "aes-gcm"),
    )
    if not missing().keys() & set(pair)
]
HERE = {4: "10.9.2.1", 6: "2001:db8:92::1"}
THERE = {4: "10.9.2.2", 6: "2001:db8:92::2"}


class Ends(NamedTuple):
    """Where an association pair is between, and its SPIs: of what we receive, of what the guest does."""

    here: Address
    there: Address
    spi_here: int
    spi_there: int
    pair: tuple[str, str]

    def associations(self) -> list[SecurityAssociation]:
        """As this side sees them."""
        keys = expand(*self.pair, b"i" * 16, b"c" * 8 + b"d" * 8)
        what = *self.pair, keys.authentication, keys.encryption
        inward = SecurityAssociation("in", self.spi_here, self.here, self.there, *what)
        return [inward, replace(inward, direction="out", spi=self.spi_there)]

    def mirrored(self) -> list[SecurityAssociation]:
        """As the guest sees them."""
        return Ends(self.there, self.here, self.spi_there, self.spi_here, self.pair).associations()


def ends(version: int, pair: tuple[str, str], port: int) -> Ends:
    """Of one pair of associations; the guest listens where its port is even."""
    number = 10 * PAIRS.index(pair) + port
    spi = 0x1000 * version + number
    return Ends(
        (HERE[version], 7000 + number), (THERE[version], 6000 + number), 0x9000 + spi, 0x1000 + spi, pair
    )


# A test has associations of its own: the guest's go on from one test to the next, ours begin again.
ALL = [ends(version, pair, port) for version in (4, 6) for pair in PAIRS for port in (0, 1, 2)]


@pytest.fixture(scope="module")
def peer(network: NetworkNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelPeer]:
    folder = tmp_path_factory.mktemp("guest")
    try:
        with network.entered():
            cable = tap("phone", *HERE.values())
    except OSError as error:
        pytest.skip(f"no TAP interface: {error}")
    xfrm_echo.write(folder / "associations", [a for one in ALL for a in one.mirrored()])
    try:
        with KernelPeer(folder, [cable]) as peer:
            peer.run(
                f"""set -e
                {prepare()}
                ip link set vec0 up
                ip {address(THERE[4], "vec0")}
                ip {address(THERE[6], "vec0")}"""
            )
            name = peer.start(program(xfrm_echo.__file__, "associations"))
            end = time.monotonic() + SECONDS
            while not (folder / xfrm_echo.READY).exists():
                assert time.monotonic() < end, peer.run(f"sync; cat {name}.out")
                time.sleep(0.02)
            yield peer
    finally:
        os.close(cable)


class Side:
    """Our end, and what comes out of it."""

    def __init__(self, network: NetworkNamespace) -> None:
        self.log = Log(utc=time.time)
        with network.entered():
            self.tunnel: EspTunnel = open_tunnel(
                [HERE[4], HERE[6]],
                loop=asyncio.get_running_loop(),
                log=self.log.layer("ipsec"),
                tokens=Tokens(),
                utc=time.time,
            )
        self.got: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._data = b""
        self.stream: Stream | None = None

    def receive(self, data: bytes, source: Address) -> None:
        self.got.put_nowait((data, source))

    def accept(self, stream: Stream) -> Side:
        self.stream = stream
        return self

    def data_received(self, data: bytes) -> None:
        *lines, self._data = (self._data + data).split(b"\n")
        for line in lines:
            self.lines.put_nowait(line)

    def closed(self, error: Exception | None) -> None:
        """The test ends it."""

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.lines.get(), SECONDS)

    @property
    def drops(self) -> dict[str, int]:
        counts = dict(self.tunnel.engine.drops.counts)
        del counts["no_sa"]  # the end of a connection of the test before
        return {reason: count for reason, count in counts.items() if count}


@pytest_asyncio.fixture
async def side(network: NetworkNamespace, peer: KernelPeer) -> AsyncIterator[Side]:
    try:
        side = Side(network)
    except LibreImsError as error:
        pytest.skip(f"no tunnel: {error}")
    yield side
    side.tunnel.close()


versions = pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
each_pair = pytest.mark.parametrize("pair", PAIRS, ids="+".join)


@versions
@each_pair
async def test_datagrams_of_any_size(side: Side, version: int, pair: tuple[str, str]) -> None:
    way = ends(version, pair, 0)
    side.tunnel.install(way.associations())
    udp = side.tunnel.network.udp(way.here, side.receive)
    for size in (1, 1200, 1390, 1480, 4000, 20_000):
        data = os.urandom(size)
        udp.send(data, way.there)
        assert await asyncio.wait_for(side.got.get(), SECONDS) == (data[::-1], way.there)
    assert side.drops == {}


LINE = bytes(range(32, 127)) * 20
"""Some 2,000 octets: more than a segment."""


@versions
@each_pair
async def test_tcp_from_here(side: Side, version: int, pair: tuple[str, str]) -> None:
    way = ends(version, pair, 2)
    side.tunnel.install(way.associations())
    stream = side.tunnel.network.tcp_connect(
        way.here[0], way.there, side, TcpOptions(), local_port=way.here[1]
    )
    for _ in range(100):
        stream.send(LINE + b"\n")
    for _ in range(100):
        assert await side.line() == LINE[::-1]
    stream.close()
    assert side.drops == {}


@versions
@each_pair
async def test_tcp_from_there(side: Side, version: int, pair: tuple[str, str]) -> None:
    way = ends(version, pair, 1)
    side.tunnel.install(way.associations())
    listener = await side.tunnel.network.tcp_listen(way.here, side.accept, TcpOptions)
    side.tunnel.network.udp(way.here, side.receive).send(b"call us", way.there)
    assert await side.line() == b"su llac"
    assert side.stream is not None and side.stream.remote == way.there
    side.stream.send(LINE + b"\n")
    assert await side.line() == LINE[::-1]
    side.stream.close()
    listener.close()
    assert side.drops == {}
