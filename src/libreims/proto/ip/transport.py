"""UDP and TCP headers (RFC 768, RFC 9293 §3.1): building datagrams, and a line about a packet for the log."""

from __future__ import annotations

import struct

from libreims.proto.ip.checksum import transport_checksum
from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import ESP, TCP, UDP, Packet, address_text

_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def udp(source: bytes, destination: bytes, source_port: int, destination_port: int, data: bytes) -> bytes:
    """A UDP datagram with its checksum, to be the payload of a packet between two addresses."""
    size = 8 + len(data)
    if size > 0xFFFF:
        raise IpError("too long for UDP")
    head = struct.pack("!HHH", source_port, destination_port, size)
    # A checksum of 0 means none, so that 0xFFFF stands for it (RFC 768).
    found = transport_checksum(source, destination, UDP, head + b"\0\0" + data) or 0xFFFF
    return head + found.to_bytes(2) + data


def ports(packet: Packet) -> tuple[int, int]:
    """Source and destination port. Raises IpError where there are none."""
    if packet.protocol not in (UDP, TCP) or (packet.fragment is not None and packet.fragment.offset):
        raise IpError("no ports: neither the beginning of UDP nor of TCP")
    if len(packet.payload) < (8 if packet.protocol == UDP else 20):
        raise IpError("shorter than its UDP or TCP header")
    first, second = struct.unpack_from("!HH", packet.payload)
    return first, second


def tcp_flags(packet: Packet) -> str:
    """The flags of a TCP segment, `SYN,ACK`. Raises IpError where it has no header."""
    ports(packet)
    if packet.protocol != TCP:
        raise IpError("not TCP")
    bits = packet.payload[13]
    return ",".join(name for place, name in enumerate(_FLAGS) if bits >> place & 1)


def summary(packet: Packet) -> str:
    """What a packet is, for a log line: `UDP 192.0.2.1:5060 > 192.0.2.2:5062, 320 octets`."""
    source, destination = address_text(packet.source), address_text(packet.destination)
    try:
        here, there = ports(packet)
    except IpError:
        name = {UDP: "UDP", TCP: "TCP", ESP: "ESP"}.get(packet.protocol, f"protocol {packet.protocol}")
        return f"{name} {source} > {destination}, {len(packet.payload)} octets"
    if packet.version == 6:
        source, destination = f"[{source}]", f"[{destination}]"
    ends = f"{source}:{here} > {destination}:{there}"
    if packet.protocol == UDP:
        return f"UDP {ends}, {len(packet.payload) - 8} octets"
    size = max(0, len(packet.payload) - (packet.payload[12] >> 4) * 4)
    return f"TCP {ends} {tcp_flags(packet)}, {size} octets"
