import random
import struct

from libreims.proto.ip.checksum import checksum, transport_checksum


def by_the_book(data: bytes) -> int:
    """RFC 1071 §4.1, word for word."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_example_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


def test_as_the_book_has_it() -> None:
    dice = random.Random(1)
    for size in range(200):
        data = dice.randbytes(size)
        assert checksum(data) == by_the_book(data)


def test_the_two_zeros() -> None:
    assert checksum(b"") == checksum(b"\0\0") == 0xFFFF
    assert checksum(b"\xff\xff") == checksum(b"\xff\xfe\x00\x01") == 0


def test_over_what_has_its_checksum() -> None:
    data = b"abcdef"
    assert checksum(data + checksum(data).to_bytes(2)) == 0


def test_pseudo_headers() -> None:
    segment = bytes.fromhex("13c413c6000a0000") + b"hi"
    v4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
    assert transport_checksum(*v4, 17, segment) == by_the_book(
        v4[0] + v4[1] + bytes([0, 17]) + struct.pack("!H", 10) + segment
    )
    v6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\1", b"\x20\x01\x0d\xb8" + bytes(11) + b"\2"
    assert transport_checksum(*v6, 17, segment) == by_the_book(
        v6[0] + v6[1] + struct.pack("!I", 10) + bytes([0, 0, 0, 17]) + segment
    )
