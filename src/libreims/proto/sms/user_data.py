"""TP-User-Data with its length and header flag (TS 23.040 §9.2.3.16, §9.2.3.23, §9.2.3.24).

Kept as octets, so that what a centre passes on stays as the sender wrote it; header and text are read on
demand.  What the octets mean depends on TP-DCS, which stands elsewhere in the TPDU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from libreims.proto.sms.alphabet import GSM7, SevenBit, octets_of, pack, unpack
from libreims.proto.sms.coding import Alphabet, coding
from libreims.proto.sms.header import Header, parse_header
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.reader import Reader, invalid

MAX_OCTETS: Final = 140
"""In SMS-SUBMIT and SMS-DELIVER."""
MAX_SEPTETS: Final = 160
MAX_REPORT_OCTETS: Final = 159
"""In SMS-DELIVER-REPORT in an RP-ACK, which has most room of the reports (§9.2.2.1a)."""


@dataclass(frozen=True, slots=True)
class UserData:
    """TP-UDL, TP-UD and TP-UDHI."""

    length: int = 0
    """TP-User-Data-Length: septets or octets, as the data coding scheme says; the header included."""
    octets: bytes = b""
    has_header: bool = False

    @classmethod
    def of_octets(cls, data: bytes, header: Header | None = None) -> UserData:
        """8 bit data, or UTF-16 as octets."""
        octets = header.encode() + data if header else data
        return cls(len(octets), octets, header is not None)

    @classmethod
    def of_septets(cls, septets: bytes, header: Header | None = None) -> UserData:
        """GSM 7 bit text, given as one septet an octet; it begins on a septet boundary after a header."""
        if header is None:
            return cls(len(septets), pack(septets))
        head = header.encode()
        taken, fill = header_septets(len(head))
        return cls(taken + len(septets), head + pack(septets, fill), True)

    @classmethod
    def of_text(cls, text: str, alphabet: Alphabet = Alphabet.GSM7, header: Header | None = None) -> UserData:
        """A short text. Raises ValueError when the alphabet does not have it."""
        if alphabet is Alphabet.GSM7:
            return cls.of_septets(GSM7.encode(text), header)
        if alphabet is Alphabet.UCS2:
            return cls.of_octets(text.encode("utf-16-be"), header)
        raise ValueError("8 bit data is no text")

    @property
    def header(self) -> Header:
        """The header's elements; none when there is no header or when it is malformed."""
        return parse_header(self.octets) if self.has_header else Header()

    def data(self, dcs: int) -> bytes:
        """What follows the header: octets, or septets one an octet for the GSM 7 bit alphabet."""
        skip = min(1 + self.octets[0], len(self.octets)) if self.has_header and self.octets else 0
        if not coding(dcs).counts_septets:
            return self.octets[skip:]
        taken, fill = header_septets(skip)
        return unpack(self.octets[skip:], max(0, self.length - taken), fill)

    def text(self, dcs: int) -> str | None:
        """The text; None for 8 bit and for compressed data."""
        scheme = coding(dcs)
        if scheme.compressed or scheme.alphabet is Alphabet.OCTETS:
            return None
        if scheme.alphabet is Alphabet.UCS2:
            return self.data(dcs).decode("utf-16-be", "replace")
        return self.seven_bit.decode(self.data(dcs))

    @property
    def seven_bit(self) -> SevenBit:
        """The 7 bit alphabet that the header names, the default one without a header."""
        if not self.has_header:
            return GSM7
        header = self.header
        return seven_bit(header.locking_shift, header.single_shift)

    def encode(self, limit: int = MAX_OCTETS) -> bytes:
        """TP-UDL and TP-UD. Raises ValueError when they do not fit a TPDU."""
        if not 0 <= self.length <= 255:
            raise ValueError(f"TP-User-Data-Length {self.length} is not from 0 to 255")
        if len(self.octets) > limit:
            raise ValueError(f"user data of {len(self.octets)} octets, at most {limit} are allowed")
        return bytes((self.length,)) + self.octets


def header_septets(octets: int) -> tuple[int, int]:
    """For a header of so many octets: the septets that it takes, and the fill bits after it."""
    septets = (octets * 8 + 6) // 7
    return septets, septets * 7 - octets * 8


def read_user_data(reader: Reader, dcs: int, has_header: bool, limit: int = MAX_OCTETS) -> UserData:
    """TP-UDL and TP-UD at the reader's place; octets beyond TP-UDL are passed over."""
    length = reader.octet("TP-UDL")
    size = octets_of(length) if coding(dcs).counts_septets else length
    if size > limit:
        raise invalid(f"TP-UDL {length}, the user data would have {size} octets, at most {limit} are allowed")
    return UserData(length, reader.octets(size, "TP-UD"), has_header)
