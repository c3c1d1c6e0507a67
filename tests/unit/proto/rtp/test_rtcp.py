from __future__ import annotations

import struct

import pytest

from libreims.proto.rtp import rtcp
from libreims.proto.rtp.rtcp import (
    Goodbye,
    Other,
    Packet,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderReport,
    SourceDescription,
    build,
    describe,
    parse,
    sender_ssrc,
    swap_ssrc,
    walk,
)

PHONE, OURS, THIRD = 0x11111111, 0x22222222, 0x33333333


def block(ssrc: int, lost: int = -3) -> ReportBlock:
    return ReportBlock(ssrc, 7, lost, 0x10005, 99, 0xAABBCCDD, 65536)


def ssrcs(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}I", *values)


COMPOUND: list[Packet] = [
    SenderReport(PHONE, 0x0123456789ABCDEF, 160, 5, 800, (block(OURS), block(THIRD, 8000))),
    ReceiverReport(PHONE, ()),
    SourceDescription(((PHONE, ((rtcp.CNAME, b"a@b"), (2, b""))), (THIRD, ()))),
    Goodbye((PHONE, THIRD), b"bye!"),
    Other(rtcp.APP, 3, ssrcs(PHONE) + b"NAMEdata"),
    Other(99 + 100, 0, b""),
]


def test_what_is_written_is_read_again() -> None:
    assert parse(build(COMPOUND)) == COMPOUND


def test_walk_finds_every_packet() -> None:
    data = build(COMPOUND)
    parts = walk(data)
    assert [part.type for part in parts] == [200, 201, 202, 203, 204, 199]
    assert parts[0].start == 0
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert parts[-1].end == len(data)


def test_padding_of_the_last_packet_is_not_part_of_it() -> None:
    data = build([ReceiverReport(PHONE)])
    padded = data + bytes((0xA0, 203, 0, 2)) + b"\0\0\0\0\0\0\0\4"
    padded = padded[:8] + bytes((0xA0,)) + padded[9:]
    (_, bye) = walk(padded)
    assert bye.end == len(padded) - 4
    with pytest.raises(RtcpError, match="padding"):
        walk(bytes((0xA0,)) + data[1:] + data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x80\xc9\0", "cut"),
        (b"\x40\xc9\0\1\0\0\0\1", "version 1"),
        (b"\x80\x00\0\1\0\0\0\1", "packet type 0"),
        (b"\x80\xc9\0\2\0\0\0\1", "longer than the datagram"),
        (b"\xa0\xc9\0\1\0\0\0\0", "padding"),
        (b"\xa0\xc9\0\1\0\0\0\3", "padding"),
        (b"\xa0\xc9\0\1\0\0\0\x08", "padding"),
        (b"\x80\xc9\0\0", "RR shorter"),
        (b"\x81\xc9\0\1\0\0\0\1", "RR shorter"),
        (b"\x80\xc8\0\1\0\0\0\1", "SR shorter"),
        (b"\x81\xca\0\0", "fewer SDES chunks"),
        (b"\x81\xca\0\2\0\0\0\1\1\3ab", "item longer"),
        (b"\x81\xca\0\2\0\0\0\1\1\2ab", "without an end"),
        (b"\x82\xcb\0\1\0\0\0\1", "BYE shorter"),
        (b"\x81\xcb\0\2\0\0\0\1\4abc", "reason longer"),
    ],
)
def test_what_is_no_compound(data: bytes, reason: str) -> None:
    with pytest.raises(RtcpError, match=reason):
        parse(data)


EXCHANGED = {PHONE: OURS, OURS: PHONE, THIRD: THIRD}


@pytest.mark.parametrize(
    ("kind", "code", "layout"),
    [
        (rtcp.SR, 2, [PHONE, b"x" * 20, OURS, b"y" * 20, THIRD, b"z" * 20]),
        (rtcp.RR, 1, [PHONE, OURS, b"y" * 20]),
        (rtcp.SDES, 2, [PHONE, b"\1\3abc\0\0\0", OURS, b"\0\0\0\0"]),
        (rtcp.BYE, 2, [PHONE, OURS, b"\3bye"]),
        (rtcp.APP, 0, [PHONE, b"NAME", b"\x11\x11\x11\x11"]),
        (rtcp.RTPFB, 1, [PHONE, OURS, b"\x11\x11\x11\x11"]),  # generic NACK: no SSRC in it
        (rtcp.RTPFB, 3, [PHONE, 0, OURS, b"max ", THIRD, b"max "]),  # TMMBR
        (rtcp.RTPFB, 4, [PHONE, 0, OURS, b"max "]),  # TMMBN
        (rtcp.PSFB, 1, [PHONE, OURS]),  # PLI
        (rtcp.PSFB, 4, [PHONE, 0, OURS, b"seq0"]),  # FIR
        (rtcp.PSFB, 7, [PHONE, 0, OURS, b"vbcm"]),
        (rtcp.PSFB, 15, [PHONE, 0, b"REMB", b"\2\0\0\0", OURS, PHONE]),
        (rtcp.PSFB, 15, [PHONE, OURS, b"else", b"\2\0\0\0", b"\x11\x11\x11\x11"]),
        (rtcp.XR, 0, [PHONE, b"\4\0\0\2", b"\x11\x11\x11\x11", b"time", b"\5\0\0\3", OURS, b"last", b"dlay"]),
        (rtcp.XR, 0, [PHONE, b"\1\0\0\2", OURS, b"runs", b"\7\0\0\1", OURS]),
    ],
)
def test_swap_exchanges_both_everywhere(kind: int, code: int, layout: list[int | bytes]) -> None:
    def body(mapping: dict[int, int]) -> bytes:
        return b"".join(
            each if isinstance(each, bytes) else ssrcs(mapping.get(each, each)) for each in layout
        )

    before = build([Other(kind, code, body({}))])
    after = build([Other(kind, code, body(EXCHANGED))])
    assert swap_ssrc(before, PHONE, OURS) == after
    assert swap_ssrc(after, PHONE, OURS) == before


def test_swap_of_a_whole_compound() -> None:
    swapped = parse(swap_ssrc(build(COMPOUND), PHONE, OURS))
    assert swapped[0] == SenderReport(
        OURS, 0x0123456789ABCDEF, 160, 5, 800, (block(PHONE), block(THIRD, 8000))
    )
    assert swapped[1] == ReceiverReport(OURS)
    assert swapped[2] == SourceDescription(((OURS, ((1, b"a@b"), (2, b""))), (THIRD, ())))
    assert swapped[3] == Goodbye((OURS, THIRD), b"bye!")


def test_an_extended_block_that_is_too_long() -> None:
    data = build([Other(rtcp.XR, 0, ssrcs(PHONE) + b"\1\0\0\5" + ssrcs(OURS))])
    with pytest.raises(RtcpError, match="block longer"):
        swap_ssrc(data, PHONE, OURS)


def test_sender_ssrc() -> None:
    assert sender_ssrc(build(COMPOUND)) == PHONE
    assert sender_ssrc(build([Goodbye(())])) is None


def test_describe() -> None:
    assert describe(build(COMPOUND[:3])) == f"SR+RR+SDES {len(build(COMPOUND[:3]))} octets"
    assert describe(b"\r\n") == "not RTCP (cut in a header), 2 octets"
