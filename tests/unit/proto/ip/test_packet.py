import random
import socket

import pytest
from scapy.layers.inet import IP, IPOption_NOP
from scapy.layers.inet import TCP as ScapyTcp
from scapy.layers.inet import UDP as ScapyUdp
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Raw

from libreims.proto.ip.checksum import checksum
from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import UDP, Envelope, Fragment, Packet, address_text, parse

V4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
V6 = tuple(socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "2001:db8::2"))
PAYLOAD = b"0123456789abcdef"


@pytest.mark.parametrize("ends", [V4, V6])
def test_what_is_built_is_read_again_by_us_and_by_scapy(ends: tuple[bytes, bytes]) -> None:
    packet = Packet(*ends, UDP, PAYLOAD)
    octets = packet.encode()
    assert parse(octets) == packet
    assert parse(octets + b"padding of the link") == packet
    layer = IP(octets) if packet.version == 4 else IPv6(octets)
    assert (layer.src, layer.dst) == tuple(map(address_text, ends))
    assert (layer.proto if packet.version == 4 else layer.nh) == UDP
    if packet.version == 4:
        assert checksum(octets[:20]) == 0
        assert layer.flags == "DF" and layer.ttl == 64
    assert bytes(layer.payload) == PAYLOAD


@pytest.mark.parametrize("ends", [V4, V6])
@pytest.mark.parametrize(
    "fragment", [Fragment(77, 0, True), Fragment(78, 16, False), Fragment(79, 65528, True)]
)
def test_fragments(ends: tuple[bytes, bytes], fragment: Fragment) -> None:
    packet = Packet(*ends, UDP, PAYLOAD, fragment)
    octets = packet.encode()
    assert parse(octets) == packet
    if packet.version == 4:
        layer = IP(octets)
        assert (layer.id, layer.frag * 8, "MF" in str(layer.flags)) == (
            fragment.identification,
            fragment.offset,
            fragment.more,
        )
        assert checksum(octets[:20]) == 0
    else:
        header = IPv6(octets)[IPv6ExtHdrFragment]
        assert (header.id, header.offset * 8, bool(header.m), header.nh) == (
            fragment.identification,
            fragment.offset,
            fragment.more,
            UDP,
        )


def test_every_envelope_has_a_right_checksum() -> None:
    dice = random.Random(4)
    for _ in range(2000):
        source, destination = dice.randbytes(4), dice.randbytes(4)
        packet = Envelope(source, destination).seal(dice.randrange(256), bytes(dice.randrange(100)))
        assert checksum(packet[:20]) == 0


def test_options_of_ipv4_are_passed_over() -> None:
    packet = parse(
        bytes(IP(src="192.0.2.1", dst="192.0.2.2", options=[IPOption_NOP()] * 4) / ScapyUdp() / PAYLOAD)
    )
    assert packet.payload.endswith(PAYLOAD) and len(packet.payload) == 8 + len(PAYLOAD)


def test_extension_headers_are_passed_over() -> None:
    layers = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
    packet = parse(bytes(layers / ScapyTcp(sport=5060) / PAYLOAD))
    assert packet.protocol == 6
    assert packet.payload[:2] == (5060).to_bytes(2)


def test_an_atomic_fragment_is_a_whole_datagram() -> None:
    """RFC 6946 §4."""
    octets = bytes(IPv6(dst="::2") / IPv6ExtHdrFragment(nh=17, id=9) / Raw(PAYLOAD))
    packet = parse(octets)
    assert packet.fragment is None
    assert (packet.protocol, packet.payload) == (17, PAYLOAD)


WRONG = {
    "neither IPv4 nor IPv6": [b"", b"\0", b"\x55" * 60],
    "shorter than an IPv4 header": [b"\x45" + bytes(18)],
    "the lengths in the IPv4 header are wrong": [
        b"\x44" + Packet(*V4, UDP, PAYLOAD).encode()[1:],
        b"\x4f" + Packet(*V4, UDP, PAYLOAD).encode()[1:],
        Packet(*V4, UDP, PAYLOAD).encode()[:-1],
    ],
    "the checksum of the IPv4 header is wrong": [
        Packet(*V4, UDP, PAYLOAD).encode().replace(V4[0], bytes([192, 0, 2, 9]))
    ],
    "shorter than an IPv6 header": [b"\x60" + bytes(38)],
    "the length in the IPv6 header is wrong": [Packet(*V6, UDP, PAYLOAD).encode()[:-1]],
    "an IPv6 extension header is cut off": [
        Packet(*V6, 0, b"\x11\0\0\0").encode(),
        Packet(*V6, 60, b"\x11\1" + bytes(6)).encode(),
    ],
    "an IPv6 fragment header is cut off": [Packet(*V6, 44, b"\x11\0\0\0").encode()],
    "an IPv6 routing header": [bytes(IPv6() / IPv6ExtHdrRouting() / ScapyUdp())],
}


@pytest.mark.parametrize(("why", "octets"), [(why, each) for why, all in WRONG.items() for each in all])
def test_what_is_no_packet(why: str, octets: bytes) -> None:
    with pytest.raises(IpError, match=why):
        parse(octets)


@pytest.mark.parametrize(("ends", "longest"), [(V4, 65515), (V6, 65535)])
def test_the_longest_packet(ends: tuple[bytes, bytes], longest: int) -> None:
    assert len(parse(Envelope(*ends).seal(UDP, bytes(longest))).payload) == longest
    with pytest.raises(IpError, match="too long"):
        Envelope(*ends).seal(UDP, bytes(longest + 1))
    with pytest.raises(IpError, match="too long"):
        Packet(*ends, UDP, bytes(longest + 1), Fragment(1, 0, True)).encode()
