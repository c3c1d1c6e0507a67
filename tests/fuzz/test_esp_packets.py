"""Altered, cut, replayed and foreign packets change nothing but counters.

100,000 of them over all pairs of algorithms; `LIBREIMS_ESP_PACKETS` says how many.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.esp.algorithms import pairs
from libreims.proto.esp.errors import BadIcv, Malformed, PacketRefused, Replayed, WrongSpi
from libreims.proto.esp.keys import expand
from libreims.proto.esp.packet import InboundSa, OutboundSa
from libreims.proto.esp.primitives import missing

LACKING = missing()
PAIRS = [
    pair for pair in pairs() if not LACKING.keys() & set(pair) and (pair[0] != "null" or "gcm" in pair[1])
]
PACKETS = int(os.environ.get("LIBREIMS_ESP_PACKETS", "100000"))
SPI = 0x11223344


def sas(pair: tuple[str, str]) -> tuple[OutboundSa, InboundSa]:
    keys = expand(*pair, bytes(range(16)), bytes(range(16, 32)))
    sender = OutboundSa(SPI, *pair, keys.authentication, keys.encryption, os.urandom)
    return sender, InboundSa(SPI, *pair, keys.authentication, keys.encryption)


def spoil(rng: random.Random, packet: bytes, old: list[bytes]) -> bytes:
    """Something that must not be taken."""
    match rng.randrange(6):
        case 0:  # bits turned
            octets = bytearray(packet)
            for _ in range(rng.randrange(1, 4)):
                octets[rng.randrange(len(octets))] ^= rng.randrange(1, 256)
            return bytes(octets) if bytes(octets) != packet else spoil(rng, packet, old)
        case 1:
            return packet[: rng.randrange(len(packet))]
        case 2:
            return rng.randbytes(4) + packet[4:]
        case 3:
            return rng.choice(old) if old else b""
        case 4:
            return packet + rng.randbytes(rng.randrange(1, 20))
        case _:
            return packet[:8] + rng.randbytes(rng.randrange(100))


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_spoilt_packets_change_nothing_but_counters(pair):
    rng = random.Random("+".join(pair))
    sender, receiver = sas(pair)
    old: list[bytes] = []
    spoilt = accepted = 0
    while spoilt < PACKETS // len(PAIRS):
        payload = rng.randbytes(rng.randrange(200))
        packet = sender.protect(payload, 17)
        for _ in range(rng.randrange(5)):
            spoilt += 1
            with pytest.raises(PacketRefused):
                receiver.unprotect(spoil(rng, packet, old[-100:]))
        if rng.random() < 0.1:
            continue  # lost on the way
        assert receiver.unprotect(packet) == (17, payload)
        accepted += 1
        assert receiver.packets == accepted and receiver.sequence == sender.sequence
        old.append(packet)
    assert sum(receiver.refused.values()) == spoilt
    assert set(receiver.refused) == {BadIcv, Malformed, Replayed, WrongSpi}


@given(st.sampled_from(pairs()), st.binary(max_size=120))
def test_any_octets(pair, octets):
    if LACKING.keys() & set(pair):
        return
    _, receiver = sas(pair)
    for packet in (octets, SPI.to_bytes(4, "big") + octets):
        try:
            receiver.unprotect(packet)
        except PacketRefused:
            continue
        assert pair[0] == "null" and "gcm" not in pair[1]
