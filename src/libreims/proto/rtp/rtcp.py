"""RTCP compound packets (RFC 3550 §6, RFC 4585, RFC 3611): walked, validated, read, written.

`walk` and `swap_ssrc` work on octets and are what the server needs; the classes are for who wants to
know what a report says (the simulated phone, statistics, tests).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203
APP: Final = 204
RTPFB: Final = 205
PSFB: Final = 206
XR: Final = 207

NAMES: Final = {
    SR: "SR",
    RR: "RR",
    SDES: "SDES",
    BYE: "BYE",
    APP: "APP",
    RTPFB: "RTPFB",
    PSFB: "PSFB",
    XR: "XR",
}

CNAME: Final = 1
"""SDES item type (RFC 3550 §6.5.1)."""

_RTPFB_WITH_ENTRIES: Final = (3, 4)
"""TMMBR and TMMBN: FCI entries of 8 octets that start with an SSRC (RFC 5104 §4.2)."""
_PSFB_WITH_ENTRIES: Final = (4, 5, 6)
"""FIR, TSTR, TSTN: the same (RFC 5104 §4.3)."""
_PSFB_VBCM: Final = 7
_XR_BLOCKS_WITH_SSRC: Final = (1, 2, 3, 6, 7)
"""Loss RLE, duplicate RLE, receipt times, statistics summary, VoIP metrics: one SSRC each (RFC 3611 §4)."""
_XR_DLRR: Final = 5


class RtcpError(ValueError):
    """The octets are not a valid compound packet; the only error of this module."""


class Part(NamedTuple):
    """One packet of a compound: where it lies in the octets."""

    type: int
    code: int
    """The five bits after the padding bit: number of blocks, or format of feedback."""
    start: int
    """Offset of the header."""
    end: int
    """Offset after the last octet that is not padding."""


class ReportBlock(NamedTuple):
    """Reception of one source (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Since the last report, of 256."""
    lost: int
    """Since the beginning, 24 bits with sign."""
    highest_sequence: int
    """Extended with the number of its wraps."""
    jitter: int
    """In timestamp units."""
    last_sr: int
    delay_since_last_sr: int
    """In units of 1/65536 s."""


class SenderReport(NamedTuple):
    """SR (RFC 3550 §6.4.1)."""

    ssrc: int
    ntp: int
    """NTP time, 64 bits."""
    timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


class ReceiverReport(NamedTuple):
    """RR (RFC 3550 §6.4.2)."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


class SourceDescription(NamedTuple):
    """SDES (RFC 3550 §6.5): for each source its items `(type, text)`."""

    chunks: tuple[tuple[int, tuple[tuple[int, bytes], ...]], ...]


class Goodbye(NamedTuple):
    """BYE (RFC 3550 §6.6)."""

    ssrcs: tuple[int, ...]
    reason: bytes = b""


class Other(NamedTuple):
    """APP, feedback, XR and unknown types: `code` is the five bits, `body` what follows four octets."""

    type: int
    code: int
    body: bytes


Packet = SenderReport | ReceiverReport | SourceDescription | Goodbye | Other

_BLOCK: Final = struct.Struct("!IIIIII")
_SENDER: Final = struct.Struct("!IQIII")


def walk(data: bytes) -> list[Part]:
    """The packets of a compound, in order (validity: RFC 3550 appendix A.2). Raises RtcpError.

    The first may be of any type (reduced size, RFC 5506).
    """
    parts: list[Part] = []
    start = 0
    size = len(data)
    while start < size:
        if start + 4 > size:
            raise RtcpError("cut in a header")
        if data[start] >> 6 != 2:
            raise RtcpError(f"version {data[start] >> 6}, not 2")
        kind = data[start + 1]
        if not 192 <= kind <= 223:
            raise RtcpError(f"packet type {kind} is not RTCP")
        after = start + 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if after > size:
            raise RtcpError("packet longer than the datagram")
        end = after
        if data[start] & 0x20:
            padding = data[after - 1]
            if after != size or not 0 < padding <= after - start - 4 or padding % 4:
                raise RtcpError("wrong padding")
            end = after - padding
        parts.append(Part(kind, data[start] & 31, start, end))
        start = after
    if not parts:
        raise RtcpError("empty")
    return parts


def sender_ssrc(data: bytes) -> int | None:
    """Who sent it: the first SSRC of the first packet; None when that has none. Raises RtcpError."""
    first = walk(data)[0]
    if first.end < first.start + 8:
        return None
    return int.from_bytes(data[first.start + 4 : first.start + 8], "big")


def swap_ssrc(data: bytes, first: int, second: int) -> bytes:
    """The compound with two SSRCs exchanged wherever one stands. Raises RtcpError."""
    one, other = first.to_bytes(4, "big"), second.to_bytes(4, "big")
    changed = bytearray(data)
    for part in walk(data):
        for place in _ssrc_places(data, part):
            found = data[place : place + 4]
            if found == one:
                changed[place : place + 4] = other
            elif found == other:
                changed[place : place + 4] = one
    return bytes(changed)


def parse(data: bytes) -> list[Packet]:
    """Read a compound. Raises RtcpError, nothing else."""
    return [_READERS.get(part.type, _read_other)(data, part) for part in walk(data)]


def build(packets: Iterable[Packet]) -> bytes:
    """Write a compound."""
    return b"".join(_write(each) for each in packets)


def describe(data: bytes) -> str:
    """A compound in a few words for the log; anything else as what it is."""
    try:
        names = [NAMES.get(part.type, str(part.type)) for part in walk(data)]
    except RtcpError as error:
        return f"not RTCP ({error}), {len(data)} octets"
    return f"{'+'.join(names)} {len(data)} octets"


# --- where the SSRCs are ------------------------------------------------------------------------------


def _ssrc_places(data: bytes, part: Part) -> Iterator[int]:
    body = part.start + 4
    size = part.end - body
    kind, count = part.type, part.code
    if kind in (SR, RR):
        _demand(part, (24 if kind == SR else 4) + 24 * count)
        yield body
        blocks = body + (24 if kind == SR else 4)
        yield from range(blocks, blocks + 24 * count, 24)
    elif kind == SDES:
        yield from (place for place, _ in _chunks(data, part))
    elif kind == BYE:
        _demand(part, 4 * count)
        yield from range(body, body + 4 * count, 4)
    elif kind in (RTPFB, PSFB):
        _demand(part, 8)
        yield from (body, body + 4)
        yield from _feedback_places(data, part)
    elif kind == XR:
        _demand(part, 4)
        yield body
        yield from _extended_places(data, part)
    elif kind == APP and size >= 4:
        yield body


def _feedback_places(data: bytes, part: Part) -> Iterator[int]:
    first = part.start + 12
    if part.code in (_RTPFB_WITH_ENTRIES if part.type == RTPFB else _PSFB_WITH_ENTRIES):
        yield from range(first, part.end - 7, 8)
    elif part.type == PSFB and part.code == _PSFB_VBCM and part.end >= first + 4:
        yield first
    elif part.type == PSFB and part.code == 15 and data[first : first + 4] == b"REMB":
        # Receiver estimated maximum bitrate: a count, exponent and mantissa, then SSRCs.
        yield from range(first + 8, part.end - 3, 4)


def _extended_places(data: bytes, part: Part) -> Iterator[int]:
    block = part.start + 8
    while block + 4 <= part.end:
        end = block + 4 + 4 * (data[block + 2] << 8 | data[block + 3])
        if end > part.end:
            raise RtcpError("extended report block longer than its packet")
        if data[block] in _XR_BLOCKS_WITH_SSRC and end >= block + 8:
            yield block + 4
        elif data[block] == _XR_DLRR:
            yield from range(block + 4, end - 11, 12)
        block = end


def _chunks(data: bytes, part: Part) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
    """Offset and items of each SDES chunk (RFC 3550 §6.5)."""
    place = part.start + 4
    for _ in range(part.code):
        if place + 4 > part.end:
            raise RtcpError("fewer SDES chunks than said")
        start = place
        place += 4
        items = []
        while place < part.end and data[place]:
            if place + 2 > part.end or place + 2 + data[place + 1] > part.end:
                raise RtcpError("SDES item longer than its packet")
            after = place + 2 + data[place + 1]
            items.append((data[place], bytes(data[place + 2 : after])))
            place = after
        if place >= part.end:
            raise RtcpError("SDES chunk without an end")
        place += 4 - (place - part.start) % 4
        yield start, items


def _demand(part: Part, size: int) -> None:
    if part.end - part.start - 4 < size:
        raise RtcpError(f"{NAMES[part.type]} shorter than its count says")


# --- reading and writing ------------------------------------------------------------------------------


def _read_blocks(data: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for place in range(start, start + 24 * count, 24):
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(data, place)
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return tuple(blocks)


def _read_sr(data: bytes, part: Part) -> Packet:
    _demand(part, 24 + 24 * part.code)
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(data, part.start + 4)
    reports = _read_blocks(data, part.start + 28, part.code)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, reports)


def _read_rr(data: bytes, part: Part) -> Packet:
    _demand(part, 4 + 24 * part.code)
    ssrc = int.from_bytes(data[part.start + 4 : part.start + 8], "big")
    return ReceiverReport(ssrc, _read_blocks(data, part.start + 8, part.code))


def _read_sdes(data: bytes, part: Part) -> Packet:
    chunks = (
        (int.from_bytes(data[place : place + 4], "big"), tuple(items)) for place, items in _chunks(data, part)
    )
    return SourceDescription(tuple(chunks))


def _read_bye(data: bytes, part: Part) -> Packet:
    _demand(part, 4 * part.code)
    start = part.start + 4
    rest = start + 4 * part.code
    reason = b""
    if rest < part.end:
        reason = bytes(data[rest + 1 : rest + 1 + data[rest]])
        if len(reason) < data[rest] or rest + 1 + data[rest] > part.end:
            raise RtcpError("BYE reason longer than its packet")
    return Goodbye(struct.unpack_from(f"!{part.code}I", data, start), reason)


def _read_other(data: bytes, part: Part) -> Packet:
    return Other(part.type, part.code, bytes(data[part.start + 4 : part.end]))


_READERS: Final = {SR: _read_sr, RR: _read_rr, SDES: _read_sdes, BYE: _read_bye}


def _write(packet: Packet) -> bytes:
    if isinstance(packet, Other):
        return _frame(packet.type, packet.code, packet.body)
    if isinstance(packet, SenderReport):
        body = _SENDER.pack(*packet[:5]) + _write_blocks(packet.reports)
        return _frame(SR, len(packet.reports), body)
    if isinstance(packet, ReceiverReport):
        return _frame(RR, len(packet.reports), packet.ssrc.to_bytes(4, "big") + _write_blocks(packet.reports))
    if isinstance(packet, Goodbye):
        body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
        if packet.reason:
            body += bytes((len(packet.reason),)) + packet.reason
        return _frame(BYE, len(packet.ssrcs), body)
    body = b""
    for ssrc, items in packet.chunks:
        body += ssrc.to_bytes(4, "big")
        body += b"".join(bytes((kind, len(text))) + text for kind, text in items)
        body += bytes(4 - len(body) % 4)
    return _frame(SDES, len(packet.chunks), body)


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(_BLOCK.pack(b.ssrc, b.fraction_lost << 24 | b.lost & 0xFFFFFF, *b[3:]) for b in blocks)


def _frame(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
