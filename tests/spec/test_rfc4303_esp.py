"""RFC 4303: what ESP packets look like and which are refused."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest

from libreims.proto.esp.errors import BadIcv, Malformed, Replayed, SequenceExhausted
from libreims.proto.esp.packet import NO_NEXT_HEADER, InboundSa, OutboundSa

AKEY, EKEY = os.urandom(20), os.urandom(16)
SPI = 0x01020304


def outbound(encryption: str = "null", ekey: bytes = b"") -> OutboundSa:
    return OutboundSa(SPI, "hmac-sha-1-96", encryption, AKEY, ekey, os.urandom)


def inbound(encryption: str = "null", ekey: bytes = b"", window: int = 64) -> InboundSa:
    return InboundSa(SPI, "hmac-sha-1-96", encryption, AKEY, ekey, window)


def authentic(packet: bytes) -> bytes:
    """A packet of the peer's own making: with the right check value, whatever it holds."""
    return packet + hmac.digest(AKEY, packet, hashlib.sha1)[:12]


def test_section_2_the_whole_packet_with_null_encryption():
    sa = outbound()
    sa.protect(b"first", 17)
    packet = sa.protect(b"12345", 17)
    body = b"\x01\x02\x03\x04\x00\x00\x00\x02" + b"12345" + b"\x01" + b"\x01\x11"
    assert packet == authentic(body)


def test_section_2_1_spi_values_below_256_are_reserved():
    with pytest.raises(ValueError, match="255 cannot be an SPI"):
        InboundSa(255, "hmac-sha-1-96", "null", AKEY, b"")


def test_section_2_2_the_first_sequence_number_is_1():
    assert outbound().protect(b"", 17)[4:8] == b"\0\0\0\1"


@pytest.mark.parametrize(("encryption", "ekey", "block"), [("null", b"", 4), ("aes-ctr", bytes(20), 4)])
def test_section_2_4_the_next_header_field_ends_a_word(encryption, ekey, block):
    sa = outbound(encryption, ekey)
    for length in range(20):
        assert (len(sa.protect(bytes(length), 17)) - 12) % block == 0


def test_section_2_4_padding_fills_the_block_with_1_2_3():
    for length in range(40):
        padded = outbound().protect(bytes(length), 17)[8:-12]
        pad = padded[-2]
        assert padded == bytes(length) + bytes(range(1, pad + 1)) + bytes((pad, 17))
        assert pad < 4
        assert (len(outbound("aes-cbc", EKEY).protect(bytes(length), 17)) - 8 - 12) % 16 == 0


@pytest.mark.parametrize("pad", [0, 4, 100, 252])
def test_section_2_4_a_receiver_takes_up_to_255_octets_of_padding(pad):
    packet = authentic(
        bytes.fromhex("0102030400000001") + b"12" + bytes(range(1, pad + 1)) + bytes((pad, 17))
    )
    assert inbound().unprotect(packet) == (17, b"12")


def test_section_2_4_more_padding_than_packet_is_malformed():
    packet = authentic(bytes.fromhex("0102030400000001") + b"\x01\x02\x03\x11")
    with pytest.raises(Malformed, match="3 octets of padding in 4 octets"):
        inbound().unprotect(packet)


def test_section_2_6_a_dummy_packet_is_told_by_its_next_header():
    packet = outbound().protect(b"whatever", NO_NEXT_HEADER)
    assert inbound().unprotect(packet)[0] == NO_NEXT_HEADER == 59


def test_section_2_8_the_check_value_covers_everything_before_it():
    packet = outbound("aes-cbc", EKEY).protect(b"payload", 17)
    assert packet == authentic(packet[:-12])


def test_section_3_2_1_both_cannot_be_null():
    with pytest.raises(ValueError, match="both be null"):
        OutboundSa(SPI, "null", "null", b"", b"", os.urandom)


def test_section_3_3_3_no_packet_when_the_counter_would_cycle():
    sa = outbound()
    sa.sequence = 0xFFFFFFFF
    with pytest.raises(SequenceExhausted):
        sa.protect(b"", 17)


def test_section_3_4_3_an_altered_packet_does_not_move_the_window():
    """ "the receive window is updated only if the integrity verification succeeds"."""
    sender, receiver = outbound(), inbound()
    packets = [sender.protect(b"", 17) for _ in range(100)]
    forged = packets[99][:-1] + bytes((packets[99][-1] ^ 1,))
    with pytest.raises(BadIcv):
        receiver.unprotect(forged)
    assert receiver.sequence == 0
    for packet in packets:
        receiver.unprotect(packet)


def test_section_3_4_3_a_duplicate_is_refused_before_its_check_value_is_looked_at():
    sender, receiver = outbound(), inbound()
    packet = sender.protect(b"", 17)
    receiver.unprotect(packet)
    with pytest.raises(Replayed):
        receiver.unprotect(packet[:-1] + bytes((packet[-1] ^ 1,)))


def test_section_3_4_3_packets_may_come_in_any_order_within_the_window_of_64():
    sender, receiver = outbound(), inbound()
    packets = [sender.protect(b"", 17) for _ in range(65)]
    for packet in reversed(packets[1:]):
        receiver.unprotect(packet)
    with pytest.raises(Replayed, match="sequence number 1 is 64 behind the highest, 65"):
        receiver.unprotect(packets[0])


def test_section_3_4_3_a_window_can_be_larger_and_off():
    sender, large, off = outbound(), inbound(window=128), inbound(window=0)
    packets = [sender.protect(b"", 17) for _ in range(128)]
    for packet in (packets[-1], packets[0]):
        large.unprotect(packet)
    off.unprotect(packets[0])
    off.unprotect(packets[0])


def test_section_3_4_4_1_the_payload_is_only_looked_at_when_the_check_value_fits():
    with pytest.raises(BadIcv):
        inbound().unprotect(bytes.fromhex("0102030400000001") + b"\x01\x02\xff\x11" + bytes(12))
