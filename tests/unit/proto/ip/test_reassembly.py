import socket
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import UDP, Fragment, Packet
from libreims.proto.ip.reassembly import Reassembler

V4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
V6 = tuple(socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "2001:db8::2"))
WHOLE = Packet(*V4, UDP, bytes(range(256)) * 16)


def cut(packet: Packet, size: int, number: int = 1) -> list[Packet]:
    """Fragments as a router makes them."""
    payload = packet.payload
    return [
        replace(
            packet,
            payload=payload[at : at + size],
            fragment=Fragment(number, at, at + size < len(payload)),
        )
        for at in range(0, len(payload), size)
    ]


@given(data=st.data(), size=st.integers(1, 60), v6=st.booleans())
@settings(max_examples=100, deadline=None)
def test_in_any_order_and_twice(data: st.DataObject, size: int, v6: bool) -> None:
    whole = replace(WHOLE, source=V6[0], destination=V6[1]) if v6 else WHOLE
    pieces = cut(whole, size * 8)
    order = data.draw(st.permutations(pieces))
    reassembler = Reassembler()
    if len(pieces) == 1:
        pieces = order = [replace(whole, fragment=None)]
    for piece in order[:-1]:
        assert reassembler.add(piece, 0.0) is None
        assert reassembler.add(piece, 0.0) is None
    assert reassembler.add(order[-1], 0.0) == whole
    assert (len(reassembler), reassembler.held, reassembler.given_up) == (0, 0, 0)


def test_datagrams_do_not_mix() -> None:
    """RFC 791 §3.2: identification, source, destination and protocol belong together."""
    reassembler = Reassembler()
    others = [
        replace(WHOLE, source=bytes(4)),
        replace(WHOLE, destination=bytes(4)),
        replace(WHOLE, protocol=6),
        WHOLE,
    ]
    sets = [cut(packet, 2048, number) for number, packet in enumerate(others, 1)] + [cut(WHOLE, 2048, 99)]
    for first, _ in sets:
        assert reassembler.add(first, 0.0) is None
    for (_, second), whole in zip(sets, [*others, WHOLE], strict=True):
        assert reassembler.add(second, 0.0) == whole


def test_the_first_fragment_says_the_protocol_of_ipv6() -> None:
    """RFC 8200 §4.5: the Next Header values of the others are not used."""
    first, second = cut(Packet(*V6, UDP, bytes(64)), 32)
    reassembler = Reassembler()
    assert reassembler.add(replace(second, protocol=6), 0.0) is None
    found = reassembler.add(first, 0.0)
    assert found is not None and found.protocol == UDP


@pytest.mark.parametrize(
    "fragments",
    [
        [Fragment(1, 0, True), Fragment(1, 8, True)],
        [Fragment(1, 8, True), Fragment(1, 0, True)],
        [Fragment(1, 0, True), Fragment(1, 0, True)],
        [Fragment(1, 32, False), Fragment(1, 48, True)],
        [Fragment(1, 32, False), Fragment(1, 64, False)],
        [Fragment(1, 64, True), Fragment(1, 32, False)],
    ],
)
def test_what_overlaps_costs_the_datagram(fragments: list[Fragment]) -> None:
    """RFC 5722 §4, and for IPv4 what RFC 1858 warns of."""
    reassembler = Reassembler()
    first, second = (Packet(*V4, UDP, bytes([number]) * 16, each) for number, each in enumerate(fragments))
    assert reassembler.add(first, 0.0) is None
    with pytest.raises(IpError, match="overlap"):
        reassembler.add(second, 0.0)
    assert (len(reassembler), reassembler.held, reassembler.given_up) == (0, 0, 1)


@pytest.mark.parametrize(
    ("size", "fragment"),
    [(15, Fragment(1, 0, True)), (0, Fragment(1, 8, False)), (16, Fragment(1, 65528, False))],
)
def test_impossible_lengths(size: int, fragment: Fragment) -> None:
    reassembler = Reassembler()
    with pytest.raises(IpError, match="length"):
        reassembler.add(Packet(*V4, UDP, bytes(size), fragment), 0.0)
    assert len(reassembler) == 0


def test_time_is_bounded() -> None:
    reassembler = Reassembler(patience=10.0)
    first, second = cut(WHOLE, 2048)
    assert reassembler.add(first, 0.0) is None
    assert reassembler.add(second, 10.5) is None
    assert (len(reassembler), reassembler.given_up) == (1, 1)


def test_memory_is_bounded() -> None:
    reassembler = Reassembler(datagrams=4, octets=10000)
    for number in range(1000):
        reassembler.add(Packet(*V4, UDP, bytes(8), Fragment(number, 0, True)), 0.0)
    assert (len(reassembler), reassembler.given_up) == (4, 996)
    for number in range(100):
        reassembler.add(Packet(*V4, UDP, bytes(4000), Fragment(5000 + number, 8, True)), 0.0)
        assert reassembler.held <= 10000
    for place in range(1000):  # many small pieces of one datagram
        reassembler.add(Packet(*V4, UDP, bytes(8), Fragment(1, place * 16, True)), 0.0)
        assert reassembler.held <= 10000
