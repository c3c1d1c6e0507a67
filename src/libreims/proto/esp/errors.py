"""What goes wrong with ESP (RFC 4303): a packet that is refused, an association that cannot be made.

The text of each is a reason that fits a log line; it never shows a key or the content of a packet.
"""

from __future__ import annotations


class EspError(ValueError):
    """The only kind of error that this package raises."""


class EspSetupError(EspError):
    """No security association can be made of this: unknown algorithm, senseless pair, wrong key or SPI."""


class SequenceExhausted(EspError):
    """All 2^32 - 1 sequence numbers are used; the association must be replaced (RFC 4303 §3.3.3)."""


class PacketRefused(EspError):
    """A received packet that changes nothing but a counter."""


class Malformed(PacketRefused):
    """Too short, badly aligned, or padded beyond its own length (RFC 4303 §2)."""


class WrongSpi(PacketRefused):
    """The packet belongs to another association."""


class Replayed(PacketRefused):
    """The sequence number was seen before or is too old to know (RFC 4303 §3.4.3)."""


class BadIcv(PacketRefused):
    """The integrity check value does not fit: altered, or protected with another key (RFC 4303 §3.4.4)."""
