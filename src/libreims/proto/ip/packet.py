"""Reading and building IPv4 (RFC 791) and IPv6 (RFC 8200) packets.

Used by `net.esp_tunnel` for what is not on its short way: fragments, options, extension headers.  `Envelope`
is on that way.  Addresses are octets, 4 or 16 of them.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from libreims.proto.ip.checksum import checksum
from libreims.proto.ip.errors import IpError

TCP = 6
UDP = 17
ESP = 50

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS = 0, 43, 44, 60
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_MORE_FRAGMENTS = 0x2000
_DO_NOT_FRAGMENT = 0x4000
_HOPS = 64


@dataclass(frozen=True, slots=True)
class Fragment:
    """Which part of a datagram a packet has."""

    identification: int
    offset: int
    """In octets."""
    more: bool


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet without what only routers need."""

    source: bytes
    destination: bytes
    protocol: int
    """Of the payload: extension headers are passed over."""
    payload: bytes
    fragment: Fragment | None = None
    """None for a whole datagram."""

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.source) == 4 else 6

    def encode(self) -> bytes:
        """The octets of the packet."""
        if self.fragment is None:
            return Envelope(self.source, self.destination).seal(self.protocol, self.payload)
        number, offset, more = self.fragment.identification, self.fragment.offset, self.fragment.more
        if self.version == 4:
            flags = offset >> 3 | (_MORE_FRAGMENTS if more else 0)
            return _ipv4(self.source, self.destination, self.protocol, self.payload, number, flags)
        header = struct.pack("!BBHI", self.protocol, 0, offset | more, number)
        return Envelope(self.source, self.destination).seal(_FRAGMENT, header + self.payload)


def parse(data: bytes) -> Packet:
    """Read a packet; octets after its end do not count. Raises IpError."""
    version = data[0] >> 4 if data else 0
    if version == 4:
        return _parse_ipv4(data)
    if version == 6:
        return _parse_ipv6(data)
    raise IpError("neither IPv4 nor IPv6")


def _parse_ipv4(data: bytes) -> Packet:
    if len(data) < 20:
        raise IpError("shorter than an IPv4 header")
    first, _, total, number, flags, _, protocol, _, source, destination = _IPV4.unpack_from(data)
    length = (first & 0xF) * 4
    if not 20 <= length <= total <= len(data):
        raise IpError("the lengths in the IPv4 header are wrong")
    if checksum(data[:length]):
        raise IpError("the checksum of the IPv4 header is wrong")
    offset, more = (flags & 0x1FFF) << 3, bool(flags & _MORE_FRAGMENTS)
    fragment = Fragment(number, offset, more) if offset or more else None
    return Packet(source, destination, protocol, data[length:total], fragment)


def _parse_ipv6(data: bytes) -> Packet:
    if len(data) < 40:
        raise IpError("shorter than an IPv6 header")
    _, length, following, _, source, destination = _IPV6.unpack_from(data)
    end = 40 + length
    if end > len(data):
        raise IpError("the length in the IPv6 header is wrong")
    at = 40
    while True:
        if following in (_HOP_BY_HOP, _DESTINATION_OPTIONS):
            if at + 8 > end or (after := at + 8 + data[at + 1] * 8) > end:
                raise IpError("an IPv6 extension header is cut off")
            following, at = data[at], after
        elif following == _FRAGMENT:
            if at + 8 > end:
                raise IpError("an IPv6 fragment header is cut off")
            following, _, place, number = struct.unpack_from("!BBHI", data, at)
            at += 8
            if place & 0xFFF9:  # else it is a whole datagram (RFC 6946)
                fragment = Fragment(number, place & 0xFFF8, bool(place & 1))
                return Packet(source, destination, following, data[at:end], fragment)
        elif following == _ROUTING:
            # The address in the header need not be the one that ports and associations belong to.
            raise IpError("an IPv6 routing header")
        else:
            return Packet(source, destination, following, data[at:end])


class Envelope:
    """The header between two addresses, made once; the hot path of the tunnel."""

    __slots__ = ("_addresses", "_sum", "_version")

    def __init__(self, source: bytes, destination: bytes) -> None:
        self._addresses = source + destination
        self._version = 4 if len(source) == 4 else 6
        self._sum = 0
        if self._version == 4:
            head = _IPV4.pack(0x45, 0, 0, 0, _DO_NOT_FRAGMENT, _HOPS, 0, 0, source, destination)
            self._sum = 0xFFFF ^ checksum(head)

    def seal(self, protocol: int, payload: bytes) -> bytes:
        """A packet with this payload. Raises IpError when it is too long for one."""
        size = len(payload)
        if self._version == 6:
            if size > 0xFFFF:
                raise IpError("too long for an IPv6 packet")
            return struct.pack("!IHBB", 0x60000000, size, protocol, _HOPS) + self._addresses + payload
        size += 20
        if size > 0xFFFF:
            raise IpError("too long for an IPv4 packet")
        total = self._sum + size + protocol
        total = (total & 0xFFFF) + (total >> 16)
        # A datagram that is not to be fragmented needs no identification (RFC 6864 §4.1).
        head = struct.pack(
            "!BBHHHBBH", 0x45, 0, size, 0, _DO_NOT_FRAGMENT, _HOPS, protocol, 0xFFFF ^ (total & 0xFFFF)
        )
        return head + self._addresses + payload


def _ipv4(source: bytes, destination: bytes, protocol: int, payload: bytes, number: int, flags: int) -> bytes:
    size = 20 + len(payload)
    if size > 0xFFFF:
        raise IpError("too long for an IPv4 packet")
    head = _IPV4.pack(0x45, 0, size, number, flags, _HOPS, protocol, 0, source, destination)
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + payload


def address_text(address: bytes) -> str:
    """An address as people write it."""
    return str(ipaddress.ip_address(address))
