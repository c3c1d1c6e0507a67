"""RTP packets (RFC 3550 §5): the header read and written, cheap looks at it for the relay's path."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

HEADER_SIZE: Final = 12
_HEADER: Final = struct.Struct("!BBHII")


class RtpError(ValueError):
    """The octets are not an RTP packet; the only error that `parse` raises."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet; field names and sizes of RFC 3550 §5.1."""

    payload_type: int
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in units of the codec's clock rate."""
    ssrc: int
    """32 bits."""
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    """Profile number and content of a header extension, a multiple of four octets (§5.3.1)."""
    padding: int = 0
    """Octets of padding after the payload, their count included; 0 without."""

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a packet. Raises RtpError, nothing else."""
        if len(data) < HEADER_SIZE:
            raise RtpError(f"{len(data)} octets are fewer than a header")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise RtpError(f"version {first >> 6}, not 2")
        end = start = HEADER_SIZE + 4 * (first & 15)
        if start > len(data):
            raise RtpError("CSRC list longer than the packet")
        csrcs = struct.unpack_from(f"!{first & 15}I", data, HEADER_SIZE)
        extension = None
        if first & 0x10:
            if start + 4 > len(data):
                raise RtpError("extension header longer than the packet")
            profile, words = struct.unpack_from("!HH", data, start)
            end = start + 4 + 4 * words
            if end > len(data):
                raise RtpError("header extension longer than the packet")
            extension = (profile, bytes(data[start + 4 : end]))
        padding = 0
        if first & 0x20:
            padding = data[-1]
            if not 0 < padding <= len(data) - end:
                raise RtpError(f"{padding} octets of padding in {len(data) - end} octets")
        payload = bytes(data[end : len(data) - padding])
        return cls(
            second & 127, sequence, timestamp, ssrc, payload, bool(second & 128), csrcs, extension, padding
        )

    def encode(self) -> bytes:
        """The packet as octets."""
        first = 0x80 | len(self.csrcs)
        parts = [b""]
        if self.csrcs:
            parts.append(struct.pack(f"!{len(self.csrcs)}I", *self.csrcs))
        if self.extension is not None:
            first |= 0x10
            profile, content = self.extension
            parts += (struct.pack("!HH", profile, len(content) // 4), content)
        parts.append(self.payload)
        if self.padding:
            first |= 0x20
            parts.append(bytes(self.padding - 1) + bytes((self.padding,)))
        second = self.payload_type | (0x80 if self.marker else 0)
        parts[0] = _HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        return b"".join(parts)


def is_rtp(data: bytes) -> bool:
    """Whether it can be RTP: long enough, version 2, and not RTCP (RFC 5761 §4). STUN and DTLS are not."""
    return len(data) >= HEADER_SIZE and data[0] & 0xC0 == 0x80 and not 192 <= data[1] <= 223


def ssrc_of(data: bytes) -> int:
    """SSRC of a packet for which `is_rtp` holds."""
    return int.from_bytes(data[8:12], "big")


def sequence_of(data: bytes) -> int:
    """Sequence number of a packet for which `is_rtp` holds."""
    return data[2] << 8 | data[3]


def with_ssrc(data: bytes, ssrc: bytes) -> bytes:
    """The same packet with another SSRC (four octets); nothing else is touched."""
    return data[:8] + ssrc + data[12:]


def describe(data: bytes) -> str:
    """A packet in a few words for the log; anything else as what it is."""
    if not is_rtp(data):
        return f"not RTP, {len(data)} octets"
    marker = " marker" if data[1] & 0x80 else ""
    timestamp = int.from_bytes(data[4:8], "big")
    return (
        f"pt={data[1] & 127} seq={sequence_of(data)} ts={timestamp} "
        f"ssrc={ssrc_of(data):08x}{marker} {len(data)} octets"
    )
