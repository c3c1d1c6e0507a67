"""Two IPsec tunnels, as server and as phone, in hosts of their own with a real wire between them."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

import libreims
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net import netns
from libreims.net.esp_tunnel import open_tunnel
from libreims.net.port import TcpOptions
from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.keys import expand
from libreims.proto.ip.packet import ESP
from support.esp_rig import associations
from support.hosts import Host, Link, ipsec_missing
from support.tunnel_rig import PATIENCE, Collector, Rig, everything, tap

pytestmark = pytest.mark.skipif(bool(ipsec_missing()), reason=f"no IPsec tunnel here: {ipsec_missing()}")


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


FAMILIES = pytest.mark.parametrize("family", ["v4", "v6"])


@FAMILIES
async def test_udp_both_ways(rig: Rig, family: str) -> None:
    here, there = rig.ends(family)
    a = rig.server.tunnel.network.udp(here, rig.server.receive)
    b = rig.phone.tunnel.network.udp(there, rig.phone.receive)
    for size in (1, 1300, 4000, 20_000):  # the larger ones in fragments, inside and outside
        b.send(bytes(size), here)
        assert await rig.server.next() == (bytes(size), there)
        a.send(b"\1" * size, there)
        assert await rig.phone.next() == (b"\1" * size, here)
    assert rig.server.drops == rig.phone.drops == {}


@FAMILIES
async def test_tcp_from_both_sides(rig: Rig, family: str) -> None:
    (port_ps, port_uc), (port_pc, port_us) = rig.ends(family), rig.ends(family, 1)
    octets = random.Random(5).randbytes(300_000)
    for listening, calling, at, come_from in (
        (rig.server, rig.phone, port_ps, port_uc),
        (rig.phone, rig.server, port_us, port_pc),
    ):
        server, client = Collector(), Collector()
        listener = await listening.tunnel.network.tcp_listen(at, server.accept, TcpOptions)
        stream = calling.tunnel.network.tcp_connect(None, at, client, TcpOptions(), local_port=come_from[1])
        stream.send(octets)
        assert await server.until(len(octets)) == octets
        assert server.stream is not None and server.stream.remote == come_from
        server.stream.send(b"200 OK")
        assert await client.until(6) == b"200 OK"
        stream.close()
        assert await asyncio.wait_for(server.ended, PATIENCE) is None
        listener.close()
    assert rig.server.drops == rig.phone.drops == {}


async def test_a_bad_wire(rig: Rig) -> None:
    """TCP gets through 10 % loss; of UDP comes what comes, and nothing wrong."""
    rig.lose(10)
    here, there = rig.ends("v4")
    server, client = Collector(), Collector()
    listener = await rig.server.tunnel.network.tcp_listen(here, server.accept, TcpOptions)
    stream = rig.phone.tunnel.network.tcp_connect(None, here, client, TcpOptions(), local_port=there[1])
    octets = random.Random(6).randbytes(60_000)
    stream.send(octets)
    assert await server.until(len(octets)) == octets
    rig.server.tunnel.network.udp(here, rig.server.receive)
    b = rig.phone.tunnel.network.udp(there, rig.phone.receive)
    for number in range(300):
        b.send(b"%d" % number, here)
    first = await rig.server.next()
    await asyncio.sleep(0.2)
    assert 150 < rig.server.got.qsize() < 300 and first[0].isdigit()
    assert rig.server.drops == rig.phone.drops == {}
    stream.close()
    listener.close()


async def test_every_pair_of_algorithms(rig: Rig) -> None:
    here, there = rig.ends("v4")
    port = 41000
    for authentication, encryption in pairs():
        keys = expand(authentication, encryption, b"i" * 16, b"c" * 8 + b"d" * 8)
        what = authentication, encryption, keys.authentication, keys.encryption
        a, b = (here[0], port), (there[0], port)
        try:
            rig.server.tunnel.install(associations(a, b, port, port + 1, what))
            rig.phone.tunnel.install(associations(b, a, port + 1, port, what))
        except LibreImsError as error:  # an algorithm that OpenSSL here has not
            assert "blowfish" in str(error)
            continue
        rig.server.tunnel.network.udp(a, rig.server.receive)
        sender = rig.phone.tunnel.network.udp(b, rig.phone.receive)
        sender.send(f"{authentication} {encryption}".encode(), a)
        assert await rig.server.next() == (f"{authentication} {encryption}".encode(), b)
        sender.close()
        port += 2


async def test_nothing_leaves_in_clear_or_to_strangers(rig: Rig) -> None:
    here, there = rig.ends("v4")
    wire = tap(rig.link.a)
    a = rig.server.tunnel.network.udp((here[0], 0), rig.server.receive)
    a.send(b"secret", there)  # from another port: no association
    rig.server.tunnel.network.udp(here, rig.server.receive).send(b"secret", (there[0], 5060))
    rig.phone.tunnel.network.udp(there, rig.phone.receive).send(b"secret", here)
    client = Collector()
    # Nobody listens there: the kernel inside answers with RST, which has an association and comes in ESP.
    rig.phone.tunnel.network.tcp_connect(None, here, client, TcpOptions(), local_port=there[1])
    assert isinstance(await asyncio.wait_for(client.ended, PATIENCE), ConnectionRefusedError)
    assert await rig.server.next() == (b"secret", there)
    assert rig.server.drops == {"no_outbound_sa": 2}
    seen = everything(wire)
    assert seen and all(b"secret" not in frame for frame in seen)
    assert {frame[23] for frame in seen if frame[12:14] == b"\x08\x00"} == {ESP}


@FAMILIES
async def test_refused_on_the_wire(rig: Rig, family: str) -> None:
    """A stranger on the phone's host sends what the server must not take."""
    here, there = rig.ends(family)
    rig.server.tunnel.network.udp(here, rig.server.receive)
    good = rig.phone.tunnel.network.udp(there, rig.phone.receive)
    sent: list[bytes] = []
    send = rig.phone.tunnel.engine._send
    rig.phone.tunnel.engine._send = lambda esp, local, remote: (sent.append(esp), send(esp, local, remote))
    good.send(b"first", here)
    assert (await rig.server.next())[0] == b"first"
    with rig.link.b.entered():
        stranger = socket.socket(socket.AF_INET6 if family == "v6" else socket.AF_INET, socket.SOCK_RAW, ESP)
    (esp,) = sent
    junk = [
        esp,  # once more
        esp[:-1] + bytes([esp[-1] ^ 1]),
        esp[:4] + b"\0\0\0\x09" + esp[8:],  # bad ICV
        b"\0\0\x99\x99" + esp[4:],  # no SA
        esp[:11],
        esp[:3],
        b"",
    ]
    for packet in junk:
        stranger.sendto(packet, (here[0], 0))
    stranger.close()
    good.send(b"last", here)
    assert (await rig.server.next())[0] == b"last"
    assert rig.server.got.empty()
    drops = rig.server.drops
    assert drops.pop("malformed") >= 2  # of empty packets the kernel of IPv6 gives none
    assert drops == {"replay": 2 if family == "v4" else drops["replay"], "bad_icv": 1, "no_sa": 1}


async def test_the_interface_is_taken_away(rig: Rig) -> None:
    here, there = rig.ends("v4")
    inside = rig.server.tunnel._inside.namespace
    with inside.entered():
        subprocess.run(["ip", "link", "delete", "ipsec0"], check=True)
    rig.phone.tunnel.network.udp(there, rig.phone.receive).send(b"x", here)
    for _ in range(100):
        await asyncio.sleep(0.01)
        if rig.server.drops:
            break
    assert rig.server.drops == {"not_delivered": 1}
    lines = [entry.message for entry in rig.server.log.ring.since(0)[1]]
    assert [line for line in lines if "is gone" in line] == [
        "The TUN interface ipsec0 is gone (File descriptor in bad state): no IPsec until the next start"
    ]


async def test_everything_is_given_back(tmp_path: Path) -> None:
    before = state()
    rig = Rig(script=str(tmp_path / "script"), packets=str(tmp_path / "clear"), keys=str(tmp_path / "keys"))
    assert state() != before
    rig.close()
    rig.server.tunnel.close()
    await asyncio.sleep(0)
    assert state() == before
    assert sorted(os.listdir(tmp_path)) == ["clear", "keys"]


async def test_evidence_that_cannot_be_written_does_not_cost_ipsec(tmp_path: Path) -> None:
    rig = Rig(packets=str(tmp_path / "missing" / "clear"))
    said = [entry.message for entry in rig.server.log.ring.since(0)[1]]
    assert said[1].endswith("cannot be written: No such file or directory; IPsec goes on without evidence")
    here, there = rig.ends("v4")
    rig.server.tunnel.network.udp(here, rig.server.receive)
    rig.phone.tunnel.network.udp(there, rig.phone.receive).send(b"x", here)
    assert await rig.server.next() == (b"x", there)
    rig.close()


def state() -> tuple[int, list[str], list[str]]:
    gc.collect()  # what earlier tests have left
    names = os.listdir(netns.DIRECTORY) if os.path.isdir(netns.DIRECTORY) else []
    return len(os.listdir("/proc/self/fd")), sorted(names), sorted(name for _, name in socket.if_nameindex())


SERVER_SCRIPT = """
import asyncio, sys, time
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_engine import Send
from libreims.net.esp_tunnel import open_tunnel

async def main():
    log = Log(utc=time.time)
    log.configure("ipsec.level=info")
    how = dict(each.split("=") for each in sys.argv[2:])
    try:
        tunnel = open_tunnel(sys.argv[1].split(","), loop=asyncio.get_running_loop(), log=log.layer("ipsec"),
            tokens=Tokens(), utc=time.time, **how)
    except LibreImsError as error:
        print(f"refused: {error}", flush=True)
        return
    print("up", *(entry.message for entry in log.ring.since(0)[1]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    tunnel.close()

asyncio.run(main())
"""


class Process:
    """A program with a tunnel of its own."""

    def __init__(self, host: Host, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(libreims.__file__).parents[1])}
        command = [*prefix, sys.executable, "-c", SERVER_SCRIPT, host.v4, *arguments]
        with host.entered():
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()

    def end(self, how: Callable[[subprocess.Popen[str]], None] | None = None) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        if how is not None:
            how(self.process)
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status


def test_killed_and_started_again(tmp_path: Path) -> None:
    """Nothing is left without a name; what has one is recognised and used again."""
    link = Link()
    name = f"libreims-kill-{os.getpid()}"
    script = str(tmp_path / "script")
    before = state()
    anonymous = Process(link.a)
    assert anonymous.said.startswith("up ")
    assert anonymous.end(subprocess.Popen.kill) == -signal.SIGKILL
    assert state() == before

    named = Process(link.a, f"namespace={name}", f"script={script}")
    assert named.said.startswith("up ")
    again = Process(link.a, f"namespace={name}")  # two at once cannot be
    assert again.said.startswith("refused: IPsec cannot be set up (Device or resource busy)")
    again.end()
    assert Path(netns.DIRECTORY, name).exists()
    named.end(subprocess.Popen.kill)
    assert Path(netns.DIRECTORY, name).exists() and Path(script).exists()

    named = Process(link.a, f"namespace={name}", f"script={script}")
    left = f"Network namespace {name} is left of a run that was killed: used again, removed at the end"
    assert named.said.startswith(f"up {left}")
    assert named.end() == 0
    assert state() == before and not Path(script).exists()
    link.close()


def with_only(*capabilities: str) -> tuple[str, ...]:
    kept = "".join(f",+{each}" for each in capabilities)
    return ("setpriv", f"--bounding-set=-all{kept}", f"--inh-caps=-all{kept}")


def test_without_rights() -> None:
    link = Link()
    for kept, missing in (
        ((), "CAP_NET_ADMIN and CAP_NET_RAW and CAP_SYS_ADMIN"),
        (("net_raw", "sys_admin"), "CAP_NET_ADMIN"),
        (("net_admin", "sys_admin"), "CAP_NET_RAW"),
    ):
        process = Process(link.a, prefix=with_only(*kept))
        process.end()
        assert process.said.startswith(
            f"refused: IPsec needs {missing}, which this program does not have: run it"
        )
        assert "ipsec_ifname" in process.said and "`ipsec: false`" in process.said
    link.close()


def test_a_prepared_interface_needs_two_capabilities() -> None:
    """manual, `ipsec_ifname`: CAP_SYS_ADMIN and CAP_NET_RAW."""
    link = Link()
    name = f"libreims-made-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    try:
        for command in (
            ["ip", "netns", "add", name],
            [*inside, "ip", "tuntap", "add", "mode", "tun", "name", "tunx"],
            [*inside, "ip", "addr", "add", f"{link.a.v4}/32", "dev", "tunx"],
            [*inside, "ip", "link", "set", "tunx", "up", "mtu", "1400"],
            [*inside, "ip", "route", "add", "default", "dev", "tunx"],
        ):
            subprocess.run(command, check=True)
        arguments = (f"namespace={name}", "interface=tunx")
        process = Process(link.a, *arguments, prefix=with_only("net_raw", "sys_admin"))
        assert process.said.startswith("up ")
        assert process.end() == 0
        process = Process(link.a, *arguments, prefix=with_only("net_raw"))
        assert process.said.startswith("refused: IPsec needs CAP_SYS_ADMIN, which this program does not have")
        process.end()
        shown = subprocess.run(
            [*inside, "ip", "addr", "show", "tunx"], capture_output=True, text=True, check=True
        )
        assert link.a.v4 in shown.stdout  # it stays
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
        link.close()


async def test_addresses_that_cannot_be() -> None:
    host = Host(1)
    host.run("ip", "link", "set", "lo", "up")
    for wrong, why in (("::1", "IPsec cannot have ::1"), ("192.0.2.99", "is no address of this machine")):
        with pytest.raises(LibreImsError, match=why), host.entered():
            open_tunnel(
                [wrong],
                loop=asyncio.get_running_loop(),
                log=Log.null().layer("ipsec"),
                tokens=Tokens(),
                utc=time.time,
            )
    log = Log(utc=time.time)
    log.configure("ipsec.level=info")
    with host.entered():
        tunnel = open_tunnel(
            ["::1", "127.0.0.1"],
            loop=asyncio.get_running_loop(),
            log=log.layer("ipsec"),
            tokens=Tokens(),
            utc=time.time,
        )
    tunnel.close()
    assert [entry.message for entry in log.ring.since(0)[1]] == [
        "There is no IPsec on ::1: it cannot be the address of two hosts",
        "IPsec is set up for 127.0.0.1: interface ipsec0 in a network namespace without name",
    ]
    with pytest.raises(LibreImsError, match="ipsec_netns has to say"):
        open_tunnel(
            ["192.0.2.1"],
            loop=asyncio.get_running_loop(),
            log=Log.null().layer("ipsec"),
            tokens=Tokens(),
            utc=time.time,
            interface="tun9",
        )
    host.namespace.close()
