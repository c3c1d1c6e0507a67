from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.rtp.rtp import (
    RtpError,
    RtpPacket,
    describe,
    is_rtp,
    sequence_of,
    ssrc_of,
    with_ssrc,
)

PLAIN = bytes.fromhex("80 88 1234 00 01 02 03 de ad be ef") + b"payload"

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=40),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(
        st.integers(0, 0xFFFF), st.integers(0, 5).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
    ),
    padding=st.integers(0, 255),
)


def test_a_plain_packet() -> None:
    packet = RtpPacket.parse(PLAIN)
    assert packet == RtpPacket(8, 0x1234, 0x00010203, 0xDEADBEEF, b"payload", marker=True)
    assert packet.encode() == PLAIN


@given(packets)
def test_what_is_written_is_read_again(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.encode()) == packet


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "header"),
        (PLAIN[:11], "header"),
        (b"\x00" + PLAIN[1:], "version 0"),
        (b"\x8f" + PLAIN[1:], "CSRC"),
        (b"\x90" + PLAIN[1:12], "extension header"),
        (b"\x90" + PLAIN[1:12] + b"\0\0\0\2" + bytes(7), "header extension"),
        (b"\xa0" + PLAIN[1:12], "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\0\0", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\0\3", "padding"),
    ],
)
def test_what_is_no_packet(data: bytes, reason: str) -> None:
    with pytest.raises(RtpError, match=reason):
        RtpPacket.parse(data)


def test_a_cheap_look() -> None:
    assert is_rtp(PLAIN)
    assert (sequence_of(PLAIN), ssrc_of(PLAIN)) == (0x1234, 0xDEADBEEF)
    stun = bytes.fromhex("0001 0000 2112a442") + bytes(12)
    dtls = bytes.fromhex("16 fefd") + bytes(20)
    report = bytes.fromhex("81 c9 0007") + bytes(28)
    assert not any(map(is_rtp, (stun, dtls, report, PLAIN[:11], b"")))


def test_with_ssrc_touches_nothing_else() -> None:
    changed = with_ssrc(PLAIN, b"\x01\x02\x03\x04")
    assert changed == PLAIN[:8] + b"\x01\x02\x03\x04" + PLAIN[12:]


def test_describe() -> None:
    assert describe(PLAIN) == "pt=8 seq=4660 ts=66051 ssrc=deadbeef marker 19 octets"
    assert describe(b"\r\n") == "not RTP, 2 octets"
