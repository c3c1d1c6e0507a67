"""Random and spoilt packets from both sides of the tunnel: only counters change (RFC 4303 §3.4, RFC 4301 §5).

`LIBREIMS_PACKETS=1000000` for more.
"""

from __future__ import annotations

import os
import random

import pytest

from libreims.net.esp_engine import EspEngine
from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import parse
from support.esp_rig import PHONE, PHONE6, SERVER, SERVER6, Side, associations, carry, datagram, joined

PACKETS = int(os.environ.get("LIBREIMS_PACKETS", "100000"))


def spoil(octets: bytes, dice: random.Random) -> bytes:
    """Another packet made of one that is good."""
    data = bytearray(octets)
    match dice.randrange(5):
        case 0:
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case 1:
            del data[dice.randrange(len(data)) :]
        case 2:
            data += dice.randbytes(dice.randint(1, 40))
        case 3:
            at = dice.randrange(len(data))
            data[at : at + dice.randint(1, 8)] = dice.randbytes(dice.randint(0, 8))
        case 4:
            data = bytearray(dice.randbytes(dice.randint(0, 120)))
    return bytes(data)


def state(engine: EspEngine) -> tuple[object, ...]:
    """Everything but the counters."""
    return (
        list(engine),
        [engine.table[association].sa.sequence for association in engine],
        dict(engine.table.inbound),
        dict(engine.table.outbound),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_spoilt_gets_in(seed: int) -> None:
    dice = random.Random(seed)
    server, phone = joined("ipsec.level=warn")
    for here, there in ((PHONE, SERVER), (PHONE6, SERVER6)):
        for size in (0, 1, 40, 200):
            phone.engine.outbound(datagram(here, there, bytes(size)))
    sent = list(phone.outside)
    carry(phone, server)
    server.inside.clear()
    before = state(server.engine)
    for number in range(PACKETS):
        esp, local, remote = dice.choice(sent)
        if number % 100 == 0:
            phone.outside.clear()
            phone.engine.outbound(datagram(PHONE, SERVER, b"fresh"))
            esp, local, remote = phone.outside[0]
        spoilt = spoil(esp, dice)
        if number % 3 == 0:
            spoilt = esp[:4] + spoilt[4:]  # so that it finds its association
        if spoilt != esp:
            server.engine.inbound(spoilt, local, remote)
    assert server.inside == []
    assert state(server.engine) == before
    assert set(server.drops) - {"wrong_address"} == {"no_sa", "malformed", "bad_icv", "replay"}
    assert len(server.lines) <= 20
    check_that_it_works(server, phone)


def test_without_integrity_nothing_raises() -> None:
    """`null` authentication lets spoilt octets through: they have to be a packet between the right ports."""
    dice = random.Random(3)
    server, phone = Side(SERVER[0], options="ipsec.verbose=1,ipsec.crypto=1"), Side(PHONE[0], seed=2)

    pair = ("null", "aes-cbc", b"", b"cipher key 16 oc")
    server.engine.install(associations(SERVER, PHONE, 1000, 2000, pair))
    phone.engine.install(associations(PHONE, SERVER, 2000, 1000, pair))
    phone.engine.outbound(datagram(PHONE, SERVER, bytes(range(64))))
    esp, local, remote = phone.outside[0]
    for _ in range(PACKETS // 4):
        server.engine.inbound(esp[:4] + spoil(esp, dice)[4:], local, remote)
    for octets in server.inside:
        packet = parse(octets)
        assert packet.payload[:4] == PHONE[1].to_bytes(2) + SERVER[1].to_bytes(2)
        assert packet.source == bytes([192, 0, 2, 7]) and packet.destination == bytes([192, 0, 2, 1])


@pytest.mark.parametrize("seed", [4, 5])
def test_whatever_the_inner_side_sends(seed: int) -> None:
    dice = random.Random(seed)
    server, phone = joined("ipsec.level=warn")
    good = [
        datagram(here, there, bytes(size))
        for here, there in ((PHONE, SERVER), (PHONE6, SERVER6))
        for size in (0, 30, 200)
    ]
    before = state(phone.engine)
    for number in range(PACKETS):
        packet = spoil(dice.choice(good), dice)
        phone.engine.outbound(packet)
        phone.clock.now += 0.001
        if phone.outside:
            for esp, _, remote in phone.outside:
                assert b"".join(good[2:3]) not in esp and remote in (SERVER[0], SERVER6[0])
            carry(phone, server)
        assert phone.engine._reassembler.held < 5 << 20, number
    assert state(phone.engine)[0] == before[0]
    for octets in server.inside:
        packet_in = parse(octets)
        assert packet_in.protocol in (6, 17)
    check_that_it_works(server, phone)


def test_reading_packets_raises_one_kind_of_error() -> None:
    dice = random.Random(6)
    good = [datagram(PHONE, SERVER, bytes(100)), datagram(PHONE6, SERVER6, bytes(100))]
    read = 0
    for _ in range(PACKETS):
        octets = spoil(dice.choice(good), dice)
        try:
            packet = parse(octets)
            assert len(packet.payload) <= len(octets)
            read += 1
        except IpError:
            pass
    assert 0 < read < PACKETS


def check_that_it_works(server: Side, phone: Side) -> None:
    server.inside.clear()
    phone.outside.clear()
    for here, there in ((PHONE, SERVER), (PHONE6, SERVER6)):
        phone.engine.outbound(datagram(here, there, b"still there"))
    carry(phone, server)
    assert [octets[-11:] for octets in server.inside] == [b"still there"] * 2
