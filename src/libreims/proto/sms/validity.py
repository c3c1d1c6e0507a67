"""Validity period of an SMS-SUBMIT in its three forms (TS 23.040 §9.2.3.3, §9.2.3.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from libreims.proto.sms.reader import Reader
from libreims.proto.sms.timestamp import SIZE, Timestamp, read_timestamp

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
WEEK: Final = 7 * DAY

FORMAT_NONE: Final = 0
FORMAT_ENHANCED: Final = 1
FORMAT_RELATIVE: Final = 2
FORMAT_ABSOLUTE: Final = 3


@dataclass(frozen=True, slots=True)
class RelativeValidity:
    """One octet: from 5 minutes to 63 weeks (§9.2.3.12.1)."""

    value: int
    format = FORMAT_RELATIVE
    single_shot = False

    @classmethod
    def of_seconds(cls, seconds: float) -> RelativeValidity:
        """The shortest period that is not shorter than this; 63 weeks at most."""
        if seconds <= 12 * HOUR:
            return cls(max(0, -int(-seconds // (5 * MINUTE)) - 1))
        if seconds <= DAY:
            return cls(143 - int(-(seconds - 12 * HOUR) // (30 * MINUTE)))
        if seconds <= 30 * DAY:
            return cls(166 - int(-seconds // DAY))
        return cls(min(255, 192 + max(5, -int(-seconds // WEEK))))

    @property
    def seconds(self) -> int:
        """The period."""
        value = self.value
        if value <= 143:
            return (value + 1) * 5 * MINUTE
        if value <= 167:
            return 12 * HOUR + (value - 143) * 30 * MINUTE
        if value <= 196:
            return (value - 166) * DAY
        return (value - 192) * WEEK

    def deadline(self, now: float) -> float:
        """When a message that came `now` expires."""
        return now + self.seconds

    def encode(self) -> bytes:
        """The octet."""
        return bytes((self.value,))


@dataclass(frozen=True, slots=True)
class AbsoluteValidity:
    """A moment (§9.2.3.12.2)."""

    until: Timestamp
    format = FORMAT_ABSOLUTE
    single_shot = False

    def deadline(self, now: float) -> float | None:
        """When the message expires; None when the time stamp says no time."""
        return self.until.utc

    def encode(self) -> bytes:
        """The seven octets."""
        return self.until.octets


@dataclass(frozen=True, slots=True)
class EnhancedValidity:
    """Functionality indicator and what it announces, seven octets (§9.2.3.12.3)."""

    octets: bytes
    format = FORMAT_ENHANCED

    def __post_init__(self) -> None:
        if len(self.octets) != SIZE:
            raise ValueError(f"an enhanced validity period has {SIZE} octets, not {len(self.octets)}")

    @classmethod
    def of_seconds(cls, seconds: int, single_shot: bool = False) -> EnhancedValidity:
        """A period of 1 to 255 seconds."""
        if not 0 < seconds < 256:
            raise ValueError(f"an enhanced validity period has 1 to 255 seconds, not {seconds}")
        return cls(bytes((0x02 | single_shot << 6, seconds, 0, 0, 0, 0, 0)))

    @property
    def single_shot(self) -> bool:
        """The centre tries to deliver once (bit 6)."""
        return bool(self.octets[0] & 0x40)

    @property
    def seconds(self) -> int | None:
        """The period; None when there is none, or in a form that is reserved."""
        place = 0
        while place < len(self.octets) and self.octets[place] & 0x80:
            place += 1  # Extension octets of the indicator; none has a meaning so far.
        value = self.octets[place + 1 :]
        kind = self.octets[0] & 7
        if kind == 1 and value:
            return RelativeValidity(value[0]).seconds
        if kind == 2 and value:
            return value[0] or None  # 0 is reserved.
        if kind == 3 and len(value) >= 3:
            return _clock_seconds(value)
        return None

    def deadline(self, now: float) -> float | None:
        """When a message that came `now` expires; None when no period is given."""
        seconds = self.seconds
        return None if seconds is None else now + seconds

    def encode(self) -> bytes:
        """The seven octets."""
        return self.octets


Validity = RelativeValidity | AbsoluteValidity | EnhancedValidity


def read_validity(reader: Reader, form: int) -> Validity | None:
    """TP-VP of the form that the two bits of TP-VPF say."""
    if form == FORMAT_NONE:
        return None
    if form == FORMAT_RELATIVE:
        return RelativeValidity(reader.octet("TP-VP"))
    if form == FORMAT_ABSOLUTE:
        return AbsoluteValidity(read_timestamp(reader, "TP-VP"))
    return EnhancedValidity(reader.octets(SIZE, "TP-VP"))


def _clock_seconds(value: bytes) -> int | None:
    """Hours, minutes, seconds in swapped semi-octets."""
    total = 0
    for octet in value[:3]:
        tens, units = octet & 15, octet >> 4
        if tens > 9 or units > 9:
            return None
        total = 60 * total + 10 * tens + units
    return total
