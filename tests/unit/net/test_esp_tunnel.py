"""The tunnel over socket pairs instead of TUN and raw sockets, without any right; the real ones are in
tests/interop/test_esp_tunnel.py.
"""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.tun import Tun
from support.esp_rig import PHONE, SERVER, Side, associations, datagram


class Inside:
    """What `tun_setup` would have made."""

    def __init__(self) -> None:
        ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.tun = Tun(ours.detach(), "x0")
        self.namespace = self
        self.entered = contextlib.nullcontext
        self.closed = 0

    def close(self) -> None:
        self.closed += 1
        self.tun.close()


class Raw:
    """A raw socket for IPv4: the other end gets and sends what would be on the wire."""

    def __init__(self) -> None:
        self.ours, self.wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self.fileno = self.ours.fileno
        self.close = self.ours.close

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        return self.ours.recv(size), (PHONE[0], 0)

    def sendto(self, data: bytes, _remote: tuple[str, int]) -> None:
        self.ours.send(data)


class Rig:
    def __init__(self) -> None:
        self.inside, self.raw = Inside(), Raw()
        self.log = Log(utc=lambda: 0.0)
        self.log.configure("ipsec.level=info")
        inside: Any = self.inside
        raw: Any = self.raw
        self.tunnel = EspTunnel(
            inside,
            {SERVER[0]: raw},
            loop=asyncio.get_running_loop(),
            log=self.log.layer("ipsec"),
            tokens=Tokens(1),
        )
        self.tunnel.install(associations(SERVER, PHONE, 1000, 2000))
        self.phone = Side(PHONE[0])
        self.phone.engine.install(associations(PHONE, SERVER, 2000, 1000))

    @property
    def drops(self) -> dict[str, int]:
        return {reason: count for reason, count in self.tunnel.engine.drops.counts.items() if count}

    def close(self) -> None:
        self.tunnel.close()
        self.inside.kernel.close()
        self.raw.wire.close()


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


async def until(what: Any) -> None:
    for _ in range(1000):
        if what():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not happen")


def from_wire(esp: bytes) -> bytes:
    """As a raw socket of IPv4 gives it: with its header, here one with options."""
    return bytes([0x46]) + bytes(23) + esp


async def test_there_and_back(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    rig.inside.kernel.setblocking(False)
    rig.raw.wire.setblocking(False)
    packet = datagram(SERVER, PHONE, b"401")
    rig.inside.kernel.send(packet)
    rig.phone.engine.inbound(await loop.sock_recv(rig.raw.wire, 2000), SERVER[0], PHONE[0])
    assert rig.phone.inside == [packet]
    rig.phone.engine.outbound(datagram(PHONE, SERVER, b"REGISTER"))
    rig.raw.wire.send(from_wire(rig.phone.outside[0][0]))
    assert await loop.sock_recv(rig.inside.kernel, 2000) == datagram(PHONE, SERVER, b"REGISTER")
    assert rig.drops == {}


async def test_full_buffers_lose_packets_and_raise_nothing(rig: Rig) -> None:
    rig.inside.kernel.setblocking(False)
    rig.raw.wire.setblocking(False)
    number = 5000
    for _ in range(number):
        rig.phone.engine.outbound(datagram(PHONE, SERVER, bytes(500)))
    waiting = [from_wire(esp) for esp, _, _ in reversed(rig.phone.outside)]
    while waiting:
        with contextlib.suppress(BlockingIOError):
            while waiting:
                rig.raw.wire.send(waiting[-1])
                waiting.pop()
        await asyncio.sleep(0)
    await until(lambda: "not_delivered" in rig.drops)
    sent = 0
    while "not_sent" not in rig.drops:
        with contextlib.suppress(BlockingIOError):
            for _ in range(10):
                rig.inside.kernel.send(datagram(SERVER, PHONE, bytes(500)))
                sent += 1
        await asyncio.sleep(0)
    assert len(rig.log.ring) <= 2 + 3  # associations, and one line for each reason


async def test_the_event_loop_has_its_turn(rig: Rig) -> None:
    """A flood is read in bursts."""
    for _ in range(100):
        rig.raw.wire.send(from_wire(bytes(40)))
    before = sum(rig.drops.values())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < sum(rig.drops.values()) - before < 100
    await until(lambda: rig.drops == {"no_sa": 100})


async def test_an_interface_that_is_gone_is_told_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> bytes:
        raise OSError(77, "File descriptor in bad state")

    monkeypatch.setattr(os, "read", gone)
    rig.inside.kernel.send(b"x")
    for _ in range(10):
        await asyncio.sleep(0)
    said = [entry.message for entry in rig.log.ring.since(0)[1] if "gone" in entry.message]
    assert said == [
        "The TUN interface x0 is gone (File descriptor in bad state): no IPsec until the next start"
    ]


async def test_after_the_end(rig: Rig) -> None:
    rig.tunnel.close()
    rig.tunnel.close()
    assert rig.inside.closed == 1
    rig.tunnel.engine.outbound(datagram(SERVER, PHONE, b"late"))
    rig.phone.engine.outbound(datagram(PHONE, SERVER, b"late"))
    rig.tunnel.engine.inbound(*rig.phone.outside[0])
    assert rig.drops == {"not_sent": 1, "not_delivered": 1}
    rig.tunnel.remove(list(rig.tunnel))
    assert list(rig.tunnel) == []


async def test_nothing_to_protect() -> None:
    with pytest.raises(LibreImsError, match="IPsec cannot have ::1 as its address"):
        open_tunnel(
            ["::1"],
            loop=asyncio.get_running_loop(),
            log=Log.null().layer("ipsec"),
            tokens=Tokens(),
            utc=lambda: 0.0,
        )


async def test_how_many_agreements_open_files_allow(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1024
    monkeypatch.setattr("resource.getrlimit", lambda what: (limit, limit))
    assert rig.tunnel.capacity == 256
    limit = resource.RLIM_INFINITY
    assert rig.tunnel.capacity > 1 << 40
    assert rig.tunnel.hosts == {SERVER[0]}
