"""Time stamps: TP-SCTS, TP-DT and the absolute validity period (TS 23.040 §9.2.3.11 to 13).

The seven octets are kept as they came: a receiver stores them exactly as received even where they say no
time.  Seconds since 1970 UTC are what the server counts in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from libreims.proto.sms.reader import Reader

SIZE: Final = 7
_MAX_ZONE: Final = 79
"""Quarters of an hour: two decimal digits of which the first has three bits."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Local time with a zone in quarters of an hour: seven swapped semi-octet pairs."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != SIZE:
            raise ValueError(f"a time stamp has {SIZE} octets, not {len(self.octets)}")

    @classmethod
    def at(cls, utc: float, zone: int = 0) -> Timestamp:
        """The time stamp of a moment, told in a zone (quarters of an hour east of Greenwich)."""
        if not -_MAX_ZONE <= zone <= _MAX_ZONE:
            raise ValueError(f"time zone of {zone} quarters of an hour")
        try:
            local = datetime.fromtimestamp(utc // 1, UTC) + timedelta(minutes=15 * zone)
        except (OverflowError, OSError) as error:
            raise ValueError(f"no date: {utc}") from error
        fields = (local.year % 100, local.month, local.day, local.hour, local.minute, local.second)
        sign = 0x08 if zone < 0 else 0
        return cls(bytes([_swapped(each) for each in fields]) + bytes((_swapped(abs(zone)) | sign,)))

    @property
    def zone(self) -> int | None:
        """Quarters of an hour east of Greenwich; None when the digits are no number."""
        octet = self.octets[6]
        quarters = _number(octet & 0xF7)
        if quarters is None:
            return None
        return -quarters if octet & 0x08 else quarters

    @property
    def utc(self) -> float | None:
        """Seconds since 1970 UTC; None when there is no such time. An unreadable zone counts as zero.

        Years from 70 on are of the twentieth century.
        """
        fields = [_number(octet) for octet in self.octets[:6]]
        if None in fields:
            return None
        year, month, day, hour, minute, second = (each or 0 for each in fields)
        try:
            local = datetime(
                year + (1900 if year >= 70 else 2000), month, day, hour, minute, second, tzinfo=UTC
            )
        except ValueError:
            return None
        return local.timestamp() - 900 * (self.zone or 0)

    def __str__(self) -> str:
        return self.octets.hex()


def read_timestamp(reader: Reader, what: str) -> Timestamp:
    """A time stamp at the reader's place, whatever it says."""
    return Timestamp(reader.octets(SIZE, what))


def _swapped(number: int) -> int:
    return number // 10 | number % 10 << 4


def _number(octet: int) -> int | None:
    """The two decimal digits of swapped semi-octets."""
    tens, units = octet & 15, octet >> 4
    return None if tens > 9 or units > 9 else 10 * tens + units
