"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng §4): section header, interface, packet.

Little endian.  Used by `net.esp_evidence`.
"""

from __future__ import annotations

import struct
from enum import IntEnum

LINKTYPE_RAW = 101
"""Packets that begin with an IPv4 or IPv6 header."""

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_END, _COMMENT, _NAME, _DESCRIPTION, _USER_APPLICATION, _FLAGS = 0, 1, 2, 3, 4, 2
_LONGEST_OPTION = 0xFFFF


class Direction(IntEnum):
    """Bits 0 and 1 of the flags of a packet (§4.3.1)."""

    INBOUND = 1
    OUTBOUND = 2


def section(application: str) -> bytes:
    """The block that a file begins with (§4.1)."""
    head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(_SECTION, head + _options((_USER_APPLICATION, application.encode())))


def interface(name: str, description: str, link_type: int = LINKTYPE_RAW) -> bytes:
    """An interface; packets refer to it by its place in the file, from 0 (§4.2)."""
    options = _options((_NAME, name.encode()), (_DESCRIPTION, description.encode()))
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + options)


def packet(octets: bytes, utc: float, direction: Direction, comment: str = "", interface: int = 0) -> bytes:
    """One packet; the time counts in microseconds where the interface says nothing else (§4.3)."""
    moment = round(utc * 1e6)
    head = struct.pack("<IIIII", interface, moment >> 32, moment & 0xFFFFFFFF, len(octets), len(octets))
    options: list[tuple[int, bytes]] = [(_FLAGS, struct.pack("<I", direction))]
    if comment:
        options.append((_COMMENT, comment.encode()))
    return _block(_PACKET, head + _padded(octets) + _options(*options))


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _options(*options: tuple[int, bytes]) -> bytes:
    written = b"".join(
        struct.pack("<HH", kind, len(value)) + _padded(value)
        for kind, whole in options
        if (value := whole[:_LONGEST_OPTION])
    )
    return written + struct.pack("<HH", _END, 0)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
