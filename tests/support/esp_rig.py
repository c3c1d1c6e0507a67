"""Two ESP engines back to back: what one sends the other gets, without a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_engine import EspEngine
from libreims.net.port import Address
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.ip.packet import Packet
from libreims.proto.ip.transport import udp
from support.manual_clock import ManualClock

SERVER: Address = ("192.0.2.1", 5064)
PHONE: Address = ("192.0.2.7", 40002)
SERVER6: Address = ("2001:db8::1", 5064)
PHONE6: Address = ("2001:db8::7", 40002)
PAIR = ("hmac-sha-1-96", "aes-cbc", b"integrity key of it.", b"cipher key 16 oc")


def associations(
    here: Address, there: Address, spi_in: int, spi_out: int, pair: tuple[str, str, bytes, bytes] = PAIR
) -> list[SecurityAssociation]:
    """Both directions, as one side sees them."""
    inward = SecurityAssociation("in", spi_in, here, there, *pair, owner=7)
    return [inward, replace(inward, direction="out", spi=spi_out)]


class Side:
    """One engine, what it gave to the network and what to the inner side."""

    def __init__(self, *addresses: str, options: str = "ipsec.level=debug", seed: int = 1) -> None:
        self.clock = ManualClock()
        self.log = Log(utc=lambda: 0.0)
        self.log.configure(options)
        self.outside: list[tuple[bytes, str, str]] = []
        self.inside: list[bytes] = []
        self.engine = EspEngine(
            addresses,
            send=lambda *sent: self.outside.append(sent),
            deliver=self.inside.append,
            clock=self.clock,
            tokens=Tokens(seed),
            log=self.log.layer("ipsec"),
        )

    @property
    def drops(self) -> dict[str, int]:
        """The reasons that were counted."""
        return {reason: count for reason, count in self.engine.drops.counts.items() if count}

    @property
    def lines(self) -> list[str]:
        """What the log has, without time."""
        return [entry.message for entry in self.log.ring.since(0)[1]]


def joined(options: str = "ipsec.level=debug") -> tuple[Side, Side]:
    """A server and a phone with both address families and an agreement's associations of one port pair."""
    server = Side(SERVER[0], SERVER6[0], options=options)
    phone = Side(PHONE[0], PHONE6[0], options=options, seed=2)
    server.engine.install(associations(SERVER, PHONE, 1000, 2000))
    phone.engine.install(associations(PHONE, SERVER, 2000, 1000))
    server.engine.install(associations(SERVER6, PHONE6, 1006, 2006))
    phone.engine.install(associations(PHONE6, SERVER6, 2006, 1006))
    return server, phone


def carry(source: Side, destination: Side, spoil: Callable[[bytes], bytes] = bytes) -> None:
    """Bring everything that one side sent to the other."""
    sent, source.outside = source.outside, []
    for esp, local, remote in sent:
        destination.engine.inbound(spoil(esp), local, remote)


def datagram(source: Address, destination: Address, data: bytes) -> bytes:
    """A UDP packet as the kernel makes it."""
    a, b = packed(source[0]), packed(destination[0])
    return Packet(a, b, 17, udp(a, b, source[1], destination[1], data)).encode()


def packed(host: str) -> bytes:
    """An address in octets."""
    return ipaddress.ip_address(host).packed
