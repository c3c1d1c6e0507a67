import socket

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import Fragment, Packet, parse
from libreims.proto.ip.transport import ports, summary, tcp_flags, udp

V4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
V6 = tuple(socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "2001:db8::2"))


def test_udp_as_scapy_makes_it() -> None:
    v4 = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5060, dport=5062) / b"odd"
    assert udp(*V4, 5060, 5062, b"odd") == bytes(v4)[20:]
    v6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5060, dport=5062) / b"even"
    assert udp(*V6, 5060, 5062, b"even") == bytes(v6)[40:]


def test_a_checksum_of_zero_is_sent_as_all_ones() -> None:
    """RFC 768: all zeros would say that there is none."""
    found = {udp(*V4, port, 0, b"")[6:8] for port in range(65536)}
    assert b"\xff\xff" in found and b"\0\0" not in found


def test_too_long() -> None:
    assert len(udp(*V4, 1, 2, bytes(65527))) == 65535
    with pytest.raises(IpError):
        udp(*V4, 1, 2, bytes(65528))


def test_ports() -> None:
    assert ports(Packet(*V4, 17, udp(*V4, 5060, 5062, b""))) == (5060, 5062)
    assert ports(parse(bytes(IP() / TCP(sport=1, dport=2)))) == (1, 2)
    for packet in (
        Packet(*V4, 1, bytes(40)),
        Packet(*V4, 17, bytes(7)),
        Packet(*V4, 6, bytes(19)),
        Packet(*V4, 17, bytes(40), Fragment(1, 8, True)),
    ):
        with pytest.raises(IpError):
            ports(packet)


def test_flags_of_tcp() -> None:
    assert tcp_flags(parse(bytes(IP() / TCP(flags="SA")))) == "SYN,ACK"
    assert tcp_flags(parse(bytes(IP() / TCP(flags="FPU")))) == "FIN,PSH,URG"
    with pytest.raises(IpError):
        tcp_flags(Packet(*V4, 17, bytes(20)))


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (Packet(*V4, 17, udp(*V4, 5060, 5062, b"abc")), "UDP 192.0.2.1:5060 > 192.0.2.2:5062, 3 octets"),
        (Packet(*V6, 17, udp(*V6, 1, 2, b"")), "UDP [2001:db8::1]:1 > [2001:db8::2]:2, 0 octets"),
        (
            parse(bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1, dport=2, flags="PA") / b"abcd")),
            "TCP 192.0.2.1:1 > 192.0.2.2:2 PSH,ACK, 4 octets",
        ),
        (Packet(*V4, 50, bytes(9)), "ESP 192.0.2.1 > 192.0.2.2, 9 octets"),
        (Packet(*V4, 6, bytes(3)), "TCP 192.0.2.1 > 192.0.2.2, 3 octets"),
        (Packet(*V6, 58, bytes(9)), "protocol 58 2001:db8::1 > 2001:db8::2, 9 octets"),
    ],
)
def test_summary(packet: Packet, text: str) -> None:
    assert summary(packet) == text
