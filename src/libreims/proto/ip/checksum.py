"""The Internet checksum (RFC 1071), also over the pseudo-headers of UDP and TCP (RFC 768, RFC 8200 §8.1)."""

from __future__ import annotations


def checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of 16-bit words; 0 over data that has its checksum.

    The sum of base 65536 digits is the number itself modulo 65535, which Python computes at once.
    """
    number = int.from_bytes(data + b"\0" if len(data) & 1 else data)
    # Of the two zeros of ones' complement a sum with any bit set is always 0xFFFF.
    return 0xFFFF ^ (number % 0xFFFF or (0xFFFF if number else 0))


def transport_checksum(source: bytes, destination: bytes, protocol: int, segment: bytes) -> int:
    """The checksum of a UDP datagram or TCP segment between two addresses of 4 or 16 octets.

    One pseudo-header serves both families: zeros and the order of words do not matter to the sum.
    """
    pseudo = source + destination + len(segment).to_bytes(4) + protocol.to_bytes(4)
    return checksum(pseudo + segment)
