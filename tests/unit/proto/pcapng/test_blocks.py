import io
import struct

import pytest
from scapy.utils import RawPcapNgReader

from libreims.proto.pcapng.blocks import Direction, interface, packet, section


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1500])
def test_scapy_reads_it(size: int) -> None:
    file = section("test") + interface("ipsec", "the inner side")
    file += packet(bytes(size), 1_700_000_000.123456, Direction.INBOUND, "a comment")
    file += packet(b"\1" * size, 0.000001, Direction.OUTBOUND)
    assert len(file) % 4 == 0
    (first, meta), (second, other) = RawPcapNgReader(io.BytesIO(file))
    assert (first, second) == (bytes(size), b"\1" * size)
    assert (meta.tshigh << 32) + meta.tslow == 1_700_000_000_123_456
    assert (meta.direction, other.direction) == (1, 2)
    assert (meta.comments, other.comments) == ([b"a comment"], None)
    assert meta.linktype == 101
    assert meta.ifname == b"ipsec"


def test_lengths_stand_at_both_ends() -> None:
    """§3.1: so that a file can be read backwards."""
    for block in (section("x"), interface("a", "b"), packet(b"abc", 1.0, Direction.INBOUND, "c")):
        assert struct.unpack("<I", block[4:8]) == struct.unpack("<I", block[-4:]) == (len(block),)


def test_a_comment_that_is_too_long_is_cut() -> None:
    block = packet(b"", 1.0, Direction.INBOUND, "x" * 100_000)
    assert len(block) < 66_000
