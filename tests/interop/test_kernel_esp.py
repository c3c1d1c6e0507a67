"""Linux's ESP as peer: one guest has an association each way for every pair of algorithms and IP version.

UDP goes through ours into the guest, where a program sends it back turned round, and the answer comes out
of the guest's: the kernel can read what we protect and we can read what it protects. What was altered or
replayed must not reach that program, and the kernel has to count it as just that.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.keys import EspKeys, expand
from libreims.proto.esp.packet import InboundSa, OutboundSa, spi_of
from libreims.proto.esp.primitives import missing
from support.kernel_peer import SECONDS, KernelPeer, address, kernel_missing
from support.xfrm import orders, prepare

pytestmark = pytest.mark.skipif(bool(kernel_missing()), reason=f"no kernel to talk to: {kernel_missing()}")

LACKING = missing()
PAIRS = [pair for pair in pairs() if not LACKING.keys() & set(pair)]
HOST = {4: "10.9.0.1", 6: "2001:db8:9::1"}
GUEST = {4: "10.9.0.2", 6: "2001:db8:9::2"}
HOST_MAC, GUEST_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
IK, CK = bytes(range(1, 17)), bytes(range(101, 117))
UDP, ESP = 17, 50

ECHO = """
import os, selectors, socket, sys
ready = selectors.DefaultSelector()
for port in range(6000, 6000 + int(sys.argv[1])):
    for family in (socket.AF_INET, socket.AF_INET6):
        s = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(("", port))
        ready.register(s, selectors.EVENT_READ)
if os.fork() == 0:  # whoever waits for this script knows now that all ports are open
    os.setsid()
    for descriptor in range(3):
        os.close(descriptor)
    while True:
        for key, _ in ready.select():
            data, source = key.fileobj.recvfrom(65536)
            key.fileobj.sendto(data[::-1], source)
"""


class Agreement(NamedTuple):
    """A pair of associations, between port 6000 + number of the guest and 7000 + number of ours."""

    pair: tuple[str, str]
    version: int
    number: int
    keys: EspKeys

    @property
    def guest_port(self) -> int:
        return 6000 + self.number

    @property
    def host_port(self) -> int:
        return 7000 + self.number

    @property
    def guest_spi(self) -> int:
        """Of what the guest receives."""
        return 0x1000 * self.version + self.number

    @property
    def host_spi(self) -> int:
        return 0x8000 + self.guest_spi

    def orders(self) -> list[str]:
        """For `ip -batch`: both associations as the guest sees them."""
        ends = (GUEST[self.version], self.guest_port), (HOST[self.version], self.host_port)
        keys = self.keys.authentication, self.keys.encryption
        return [
            *orders(SecurityAssociation("in", self.guest_spi, *ends, *self.pair, *keys)),
            *orders(SecurityAssociation("out", self.host_spi, *ends, *self.pair, *keys)),
        ]


AGREEMENTS = [
    Agreement(pair, version, number, expand(*pair, IK, CK))
    for number, pair in enumerate(PAIRS)
    for version in (4, 6)
]


def checksum(octets: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets[: len(octets) // 2 * 2]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Line:
    """Our end of the cable: ESP in Ethernet frames, with a UDP datagram in it."""

    def __init__(self, cable: socket.socket) -> None:
        self.cable = cable

    def send(self, version: int, esp: bytes) -> None:
        source, destination = (ipaddress.ip_address(a[version]).packed for a in (HOST, GUEST))
        if version == 4:
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(esp), 0, 0, 64, ESP, 0, source, destination)
            head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
            kind = b"\x08\x00"
        else:
            head = struct.pack("!IHBB16s16s", 6 << 28, len(esp), ESP, 64, source, destination)
            kind = b"\x86\xdd"
        self.cable.send(GUEST_MAC + HOST_MAC + kind + head + esp)

    def receive(self) -> bytes:
        """The next ESP packet of the guest; what it says of its neighbours is passed over."""
        end = time.monotonic() + SECONDS
        while select.select([self.cable], [], [], max(0.0, end - time.monotonic()))[0]:
            packet = self.cable.recv(65536)[14:]
            if packet[0] >> 4 == 4 and packet[9] == ESP:
                return packet[20 : int.from_bytes(packet[2:4], "big")]
            if packet[0] >> 4 == 6 and packet[6] == ESP:
                return packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
        raise AssertionError("the guest sent no ESP packet")


def udp(agreement: Agreement, data: bytes) -> bytes:
    head = struct.pack("!HHHH", agreement.host_port, agreement.guest_port, 8 + len(data), 0)
    source, destination = (ipaddress.ip_address(a[agreement.version]).packed for a in (HOST, GUEST))
    pseudo = source + destination + struct.pack("!II", len(head + data), UDP)
    return head[:6] + (checksum(pseudo + head + data) or 0xFFFF).to_bytes(2, "big") + data


class Guest:
    """The kernel with all associations, and our ends of them."""

    def __init__(self, peer: KernelPeer, line: Line) -> None:
        self.peer = peer
        self.line = line

    def refused(self) -> tuple[int, int]:
        """What the kernel has refused: altered packets, replayed ones."""
        counted = dict(line.split() for line in self.peer.run("cat /proc/net/xfrm_stat").splitlines())
        return int(counted["XfrmInStateProtoError"]), int(counted["XfrmInStateSeqError"])


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    folder = tmp_path_factory.mktemp("kernel")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs, KernelPeer(folder, [theirs.fileno()]) as peer:
        (folder / "echo.py").write_text(ECHO)
        neighbours = [
            f"neigh add {HOST[v]} lladdr {HOST_MAC.hex(':')} dev vec0 nud permanent" for v in (4, 6)
        ]
        lines = [line for agreement in AGREEMENTS for line in agreement.orders()]
        (folder / "orders").write_text("\n".join([*neighbours, *lines]) + "\n")
        peer.run(
            f"""set -e
            {prepare()}
            ip link set vec0 address {GUEST_MAC.hex(":")} up
            ip {address(GUEST[4], "vec0")}
            ip {address(GUEST[6], "vec0")}
            ip -batch orders
            {sys.executable} -I echo.py {len(PAIRS)}"""
        )
        yield Guest(peer, Line(ours))


@pytest.mark.parametrize("agreement", AGREEMENTS, ids=lambda a: f"{'+'.join(a.pair)}-IPv{a.version}")
def test_both_directions(guest: Guest, agreement: Agreement) -> None:
    keys = agreement.keys
    outbound = OutboundSa(
        agreement.guest_spi, *agreement.pair, keys.authentication, keys.encryption, os.urandom
    )
    inbound = InboundSa(agreement.host_spi, *agreement.pair, keys.authentication, keys.encryption)
    for length in (1, 2, 15, 16, 100, 1300):
        data = os.urandom(length)
        guest.line.send(agreement.version, outbound.protect(udp(agreement, data), UDP))
        answer = guest.line.receive()
        assert spi_of(answer) == agreement.host_spi
        next_header, datagram = inbound.unprotect(answer)
        assert next_header == UDP
        assert struct.unpack("!HH", datagram[:4]) == (agreement.guest_port, agreement.host_port)
        assert datagram[8:] == data[::-1]


def test_the_kernel_refuses_what_was_altered_and_what_was_replayed(guest: Guest) -> None:
    altered_before, replayed_before = guest.refused()
    authentic = [a for a in AGREEMENTS if a.pair[0] != "null" or "gcm" in a.pair[1]]
    for agreement in authentic:
        keys = agreement.keys
        outbound = OutboundSa(
            agreement.guest_spi, *agreement.pair, keys.authentication, keys.encryption, os.urandom
        )
        inbound = InboundSa(agreement.host_spi, *agreement.pair, keys.authentication, keys.encryption)
        outbound.sequence = 1000
        altered, good = (outbound.protect(udp(agreement, data), UDP) for data in (b"altered", b"good"))
        for packet in (altered[:-1] + bytes((altered[-1] ^ 1,)), good, good):
            guest.line.send(agreement.version, packet)
        assert inbound.unprotect(guest.line.receive())[1][8:] == b"doog"
    altered_after, replayed_after = guest.refused()
    assert altered_after - altered_before == len(authentic)
    assert replayed_after - replayed_before == len(authentic)
