"""Security associations: round trips, refusals, counters."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.proto.esp.algorithms import ENCRYPTION, pairs
from libreims.proto.esp.errors import (
    BadIcv,
    EspSetupError,
    Malformed,
    PacketRefused,
    Replayed,
    SequenceExhausted,
    WrongSpi,
)
from libreims.proto.esp.keys import expand
from libreims.proto.esp.packet import InboundSa, OutboundSa, spi_of
from libreims.proto.esp.primitives import missing

IK, CK = bytes(range(16)), bytes(range(50, 66))
SPI = 0xC0FFEE01
LACKING = missing()
PAIRS = [names for names in pairs() if not LACKING.keys() & set(names)]
AUTHENTIC = [names for names in PAIRS if names[0] != "null" or "gcm" in names[1]]


def sas(names: tuple[str, str], spi: int = SPI) -> tuple[OutboundSa, InboundSa]:
    keys = expand(*names, IK, CK)
    outbound = OutboundSa(spi, *names, keys.authentication, keys.encryption, os.urandom)
    return outbound, InboundSa(spi, *names, keys.authentication, keys.encryption)


each_pair = pytest.mark.parametrize("names", PAIRS, ids="+".join)
each_authentic = pytest.mark.parametrize("names", AUTHENTIC, ids="+".join)


@given(st.sampled_from(PAIRS), st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 255)), max_size=5))
@settings(max_examples=200, deadline=None)
def test_what_goes_in_comes_out(names, payloads):
    outbound, inbound = sas(names)
    for payload, next_header in payloads:
        assert inbound.unprotect(outbound.protect(payload, next_header)) == (next_header, payload)
    assert outbound.packets == inbound.packets == outbound.sequence == len(payloads)
    assert not inbound.refused


@each_pair
def test_the_largest_payload_of_an_ip_packet(names):
    outbound, inbound = sas(names)
    payload = os.urandom(65_400)
    assert inbound.unprotect(outbound.protect(payload, 6)) == (6, payload)


@each_pair
def test_the_same_payload_never_looks_the_same(names):
    outbound, _ = sas(names)
    packets = {outbound.protect(b"same", 17)[8:] for _ in range(50)}
    null = names[1] == "null" and "gmac" not in names[0]
    # Without encryption and IV only the check value differs.
    assert len(packets) == 50
    assert len({packet[:8] for packet in packets}) == (1 if null else 50)


@pytest.mark.parametrize("names", [n for n in PAIRS if ENCRYPTION[n[1]].salt_length or "gmac" in n[0]])
def test_associations_with_the_same_key_use_other_ivs(names):
    outbounds = [sas(names)[0] for _ in range(4)]
    ivs = [outbound.protect(b"x", 17)[8:16] for outbound in outbounds for _ in range(100)]
    assert len(set(ivs)) == len(ivs)


def test_spi_of():
    outbound, _ = sas(PAIRS[0])
    assert spi_of(outbound.protect(b"x", 17)) == SPI
    for short in (b"", b"1234567"):
        with pytest.raises(Malformed, match=f"{len(short)} octets are too short"):
            spi_of(short)


@each_pair
def test_another_spi_is_refused(names):
    outbound, _ = sas(names, 300)
    _, inbound = sas(names, 301)
    with pytest.raises(WrongSpi, match="SPI 300 instead of 301"):
        inbound.unprotect(outbound.protect(b"x", 17))
    assert inbound.refused == {WrongSpi: 1} and not inbound.packets


@each_authentic
def test_a_replay_is_refused_before_and_after_newer_packets(names):
    outbound, inbound = sas(names)
    packets = [outbound.protect(bytes(n), 17) for n in range(70)]
    for packet in (packets[0], packets[2], packets[1]):
        inbound.unprotect(packet)
        with pytest.raises(Replayed):
            inbound.unprotect(packet)
    inbound.unprotect(packets[69])
    with pytest.raises(Replayed, match="is 67 behind"):
        inbound.unprotect(packets[2])
    assert inbound.refused == {Replayed: 4} and inbound.packets == 4 and inbound.sequence == 70


@each_authentic
def test_every_altered_octet_is_noticed_and_uses_up_no_number(names):
    outbound, inbound = sas(names)
    packet = outbound.protect(b"payload of it", 17)
    for at in range(4, len(packet)):
        altered = bytearray(packet)
        altered[at] ^= 0x10
        with pytest.raises(BadIcv):
            inbound.unprotect(bytes(altered))
    assert inbound.unprotect(packet) == (17, b"payload of it")
    assert inbound.refused == {BadIcv: len(packet) - 4}


@each_authentic
def test_other_keys_do_not_fit(names):
    outbound, _ = sas(names)
    keys = expand(*names, CK, IK)
    inbound = InboundSa(SPI, *names, keys.authentication, keys.encryption)
    with pytest.raises(BadIcv):
        inbound.unprotect(outbound.protect(b"x", 17))


@each_authentic
def test_what_is_too_short_or_not_aligned_is_malformed(names):
    outbound, inbound = sas(names)
    packet = outbound.protect(bytes(40), 17)
    for length in range(len(packet)):
        with pytest.raises(PacketRefused) as refused:
            inbound.unprotect(packet[:length])
        aligned = (len(packet) - length) % ENCRYPTION[names[1]].alignment == 0
        assert aligned or isinstance(refused.value, Malformed)


@pytest.mark.parametrize("cipher", ["aes-cbc", "des-ede3-cbc", "blowfish"])
def test_without_authentication_replays_pass_and_the_padding_shows_a_wrong_key(cipher):
    if cipher in LACKING:
        pytest.skip(f"OpenSSL has no {cipher}")
    outbound, inbound = sas(("null", cipher))
    packet = outbound.protect(b"12", 17)
    assert inbound.unprotect(packet) == inbound.unprotect(packet) == (17, b"12")
    assert inbound.sequence == 0
    wrong = InboundSa(SPI, "null", cipher, b"", expand("null", cipher, CK, IK).encryption)
    with pytest.raises(Malformed, match="padding"):
        for _ in range(20):
            wrong.unprotect(outbound.protect(b"12", 17))


def test_all_sequence_numbers_are_used_and_none_twice():
    outbound, inbound = sas(("hmac-sha-1-96", "aes-cbc"))
    outbound.sequence = 0xFFFFFFFE
    inbound.unprotect(outbound.protect(b"last", 17))
    assert inbound.sequence == 0xFFFFFFFF
    for _ in range(2):
        with pytest.raises(SequenceExhausted, match="register again"):
            outbound.protect(b"one more", 17)
    assert outbound.packets == 1


def test_a_next_header_is_one_octet():
    outbound, _ = sas(("hmac-sha-1-96", "aes-cbc"))
    with pytest.raises(ValueError, match="range"):
        outbound.protect(b"", 256)


@pytest.mark.parametrize(
    ("spi", "authentication", "encryption", "akey", "ekey", "why"),
    [
        (255, "hmac-md5-96", "null", bytes(16), b"", "255 cannot be an SPI"),
        (1 << 32, "hmac-md5-96", "null", bytes(16), b"", "cannot be an SPI"),
        (256, "null", "null", b"", b"", "both be null"),
        (256, "hmac-md5-96", "null", bytes(15), b"", "15 octets for hmac-md5-96, which needs 16"),
        (256, "hmac-md5-96", "null", bytes(16), b"k", "1 octets for null, which needs 0"),
        (256, "null", "aes-gcm", b"", bytes(16), "16 octets for aes-gcm, which needs 20"),
    ],
)
def test_what_no_association_can_be_made_of(spi, authentication, encryption, akey, ekey, why):
    for make in (lambda *a: OutboundSa(*a, os.urandom), InboundSa):
        with pytest.raises(EspSetupError, match=why):
            make(spi, authentication, encryption, akey, ekey)


def test_keys_are_not_shown():
    outbound, inbound = sas(("hmac-md5-96", "aes-cbc"))
    assert repr(outbound) == f"OutboundSa(spi={SPI}, hmac-md5-96, aes-cbc)"
    assert repr(inbound) == f"InboundSa(spi={SPI}, hmac-md5-96, aes-cbc)"
