"""`libreims ue --ipsec` and the server, each in a host of its own with a real wire between them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.primitives import missing
from libreims.proto.ip.packet import ESP
from libreims.ue.phone import Phone
from support.hosts import Host, Link, ipsec_missing
from support.process import Program, Server, needs
from support.secure_phones import LISTS, K, SecurePhones, properties

pytestmark = pytest.mark.skipif(bool(ipsec_missing()), reason=f"no IPsec tunnel here: {ipsec_missing()}")
ALL = [pair for pair in pairs() if not set(pair) & set(missing())]


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


def enter(host: Host) -> Sequence[str]:
    return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{host.namespace.fileno()}", "--")


def serving(folder: Path, link: Link, config: str) -> Server:
    return Server(folder, config, host=link.a.v4, host6=link.a.v6, prefix=enter(link.a))


def ue(folder: Path, link: Link, number: int, *words: str, ipv6: bool = False) -> Program:
    """A phone as a program, at the other end of the wire."""
    server, local = (link.a.v6, link.b.v6) if ipv6 else (link.a.v4, link.b.v4)
    where = ["--server", f"[{server}]" if ipv6 else server, "--local", f"[{local}]" if ipv6 else local]
    who = ["--impi", f"p{number}@ims.test", "--impu", f"sip:p{number}@ims.test", "--k", K, "--ipsec"]
    command = [*enter(link.b), sys.executable, "-m", "libreims", "ue", *where, *who, *words]
    return Program(command, folder / f"ue{number}.out", name=f"phone {number}")


def summary(phone: Program) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(phone.text.splitlines()[-1])
    return found


async def life(phone: Phone) -> None:
    """Register, be renewed with new keys, call, and leave."""
    await phone.register()
    await phone.reregister(fresh=True)
    call = phone.call("666")
    await call.wait_answered(20)
    call.hang_up()
    await call.wait_ended(20)
    await phone.deregister()


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_every_pair_of_algorithms(link: Link, tmp_path: Path, transport: str, ipv6: bool) -> None:
    async def play() -> None:
        phones = SecurePhones(link.b, link.a)
        try:
            made = [
                await phones.phone(number, pair, transport, ipv6=ipv6) for number, pair in enumerate(ALL, 1)
            ]
            await asyncio.gather(*map(life, made))
            for phone, pair in zip(made, ALL, strict=True):
                security, recorder = phone.agent.security, phone.recorder
                assert security is not None
                assert (security.pair, security.agreements) == ("/".join(pair), 2)
                assert recorder.clear == 2, "the first question and its answer"
            assert phones.dropped == {}
        finally:
            phones.close()

    with serving(tmp_path, link, properties(len(ALL)) + LISTS) as server:
        asyncio.run(play())
        log = server.finish()
    for authentication, encryption in ALL:
        assert len(re.findall(f"has agreed on {authentication}/{encryption}, ", log)) == 2
    assert "dropped" not in log


def test_two_phones_call_and_text_and_nothing_of_it_is_seen_on_the_wire(link: Link, tmp_path: Path) -> None:
    a_steps = ["register", "subscribe", "sms", "1002", "Hello", "call", "1002", "expect-audio", "20"]
    a_steps += ["reregister", "fresh", "hold", "resume", "expect-audio", "20", "hangup", "deregister"]
    b_steps = ["register", "expect-text", "Hello", "listen", "expect-hangup", "deregister"]
    sniffer = wiretap(link.b)
    with serving(tmp_path, link, properties(2)) as server:
        of_b = ["--json", "--transport", "tcp", "--aalg", "null", "--ealg", "aes-gcm", "--answer-delay", "0"]
        with ue(tmp_path, link, 2, *of_b, *b_steps, ipv6=True) as b:
            b.wait_for('"name": "register"')
            with ue(tmp_path, link, 1, "--json", *a_steps) as a:
                assert a.wait() == 0, a.text
            assert b.wait() == 0, b.text
        log = server.finish()
    frames = heard(sniffer)
    for phone, pair, agreements in ((a, "hmac-sha-1-96/aes-cbc", 2), (b, "null/aes-gcm", 1)):
        last = summary(phone)
        ipsec, esp = last["phone"]["ipsec"], last["esp"]
        assert (ipsec["algorithms"], ipsec["agreements"], ipsec["clear"]) == (pair, agreements, 2)
        assert esp["dropped"] == {} and esp["sent"] + esp["received"] >= ipsec["protected"]
    sip = [frame for frame in frames if b"SIP/2.0" in frame]
    methods = {found[0] for frame in sip if (found := re.search(rb"REGISTER|SIP/2.0 401", frame))}
    assert methods == {b"REGISTER", b"SIP/2.0 401"} and len(sip) == 2 + 2
    assert sum(map(is_esp, frames)) > 60
    assert "dropped" not in log


def wiretap(host: Host) -> socket.socket:
    with host.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    tap.bind((host.interface, 0))
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tap.setblocking(False)
    return tap


def heard(tap: socket.socket) -> list[bytes]:
    """All frames that passed, RTP left out."""
    frames = []
    with tap:
        while True:
            try:
                frame = tap.recv(65536)
            except BlockingIOError:
                return frames
            frames.append(frame)


def is_esp(frame: bytes) -> bool:
    kind = frame[12:14]
    return (kind == b"\x08\x00" and frame[23] == ESP) or (kind == b"\x86\xdd" and frame[20] == ESP)


def test_ten_percent_loss(link: Link, tmp_path: Path) -> None:
    """On the wire, or where this kernel cannot do that, in the tunnel of the phones."""
    on_the_wire = True
    try:
        link.lose(10)
    except OSError:
        on_the_wire = False

    async def play() -> None:
        phones = SecurePhones(link.b, link.a, t1=0.05)
        if not on_the_wire:
            phones.lose(10)
        try:
            a = await phones.phone(1, ("hmac-sha-1-96", "aes-cbc"))
            b = await phones.phone(2, ("null", "aes-gcm"), ipv6=True)
            others = [
                await phones.phone(number, ("hmac-md5-96", "null"), ipv6=bool(number % 2))
                for number in range(3, 11)
            ]
            await asyncio.gather(*map(life, others), a.register(), b.register())
            call = a.call("1002")
            await call.wait_answered(20)
            other = await b.incoming()
            await asyncio.gather(a.reregister(fresh=True), b.reregister(fresh=True))
            await a.sms.send("tel:1002", "hello")
            assert await b.sms.changes.until(lambda: b.sms.came == 1, 20)
            other.hang_up()
            await call.wait_ended(20)
            await asyncio.gather(a.deregister(), b.deregister())
            assert not set(phones.dropped) - {"no_sa"}, "late packets of what was left"
        finally:
            phones.close()

    fast = properties(10).replace("timer_t1: 0.5, timer_t2: 4, timer_t4: 5", "timer_t1: 0.05, timer_t2: 0.4")
    with serving(tmp_path, link, fast) as server:
        asyncio.run(play())
        server.finish()


def test_many_phones_of_one_address(link: Link, tmp_path: Path) -> None:
    with serving(tmp_path, link, properties(40)) as server:
        load = ["--count", "40", "--rate", "200", "register", "reregister", "fresh", "deregister"]
        with ue(tmp_path, link, 1, *load) as phones:
            assert phones.wait() == 0, phones.text
        log = server.finish()
    assert "register: 40 ok, 0 failed" in phones.text
    assert len(re.findall("has agreed on hmac-sha-1-96/aes-cbc, ", log)) == 80
    assert "dropped" not in log


@needs("setpriv")
def test_without_rights_the_phone_says_what_to_do(link: Link, tmp_path: Path) -> None:
    bare = [shutil.which("setpriv") or "", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    command = [*bare, sys.executable, "-m", "libreims", "ue", "--ipsec", "--impi", "p1@ims.test", "--k", K]
    with Program([*command, "register"], tmp_path / "ue.out") as phone:
        assert phone.wait() == 1
    assert phone.text.strip() == (
        "libreims ue: IPsec needs CAP_NET_ADMIN and CAP_NET_RAW and CAP_SYS_ADMIN, which this program does "
        "not have: run it as root, or leave --ipsec out"
    )
