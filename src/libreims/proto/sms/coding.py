"""The data coding scheme as a value (TP-DCS, TS 23.038 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache


class Alphabet(Enum):
    """How the characters of the user data are coded."""

    GSM7 = 0
    OCTETS = 1
    """8 bit data."""
    UCS2 = 2


class Waiting(IntEnum):
    """Of what kind the waiting messages are (message waiting indication groups)."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class DataCoding:
    """What a TP-DCS says. Reserved values are the GSM 7 bit alphabet, as §4 asks of receivers."""

    alphabet: Alphabet = Alphabet.GSM7
    message_class: int | None = None
    """0 flash, 1 mobile equipment, 2 SIM, 3 terminal equipment."""
    compressed: bool = False
    automatic_deletion: bool = False
    waiting: Waiting | None = None
    waiting_active: bool = False
    """The indication is set, not cleared."""
    discard: bool = False
    """Indication group whose message the phone may discard (1100)."""

    @property
    def counts_septets(self) -> bool:
        """Whether TP-User-Data-Length counts septets (TS 23.040 §9.2.3.16)."""
        return self.alphabet is Alphabet.GSM7 and not self.compressed

    @property
    def octet(self) -> int:
        """The TP-DCS that says this. Raises ValueError when there is none."""
        if self.waiting is not None:
            return self._waiting_octet()
        if self.message_class is not None and not 0 <= self.message_class <= 3:
            raise ValueError(f"message class {self.message_class} is not from 0 to 3")
        if self.discard or self.waiting_active:
            raise ValueError("only a message waiting indication is discarded or active")
        octet = self.alphabet.value << 2 | self.compressed << 5 | self.automatic_deletion << 6
        return octet if self.message_class is None else octet | 0x10 | self.message_class

    def _waiting_octet(self) -> int:
        if self.compressed or self.automatic_deletion or self.message_class is not None:
            raise ValueError("a message waiting indication has no class, compression or deletion")
        if self.alphabet is Alphabet.OCTETS or (self.discard and self.alphabet is not Alphabet.GSM7):
            raise ValueError("no message waiting indication group has that alphabet")
        group = 0xC0 if self.discard else 0xE0 if self.alphabet is Alphabet.UCS2 else 0xD0
        return group | self.waiting_active << 3 | (self.waiting or 0)


@lru_cache(256)
def coding(dcs: int) -> DataCoding:
    """What a TP-DCS octet says (TS 23.038 §4)."""
    group = dcs >> 4
    if group < 8:
        return DataCoding(
            alphabet=Alphabet(dcs >> 2 & 3) if dcs >> 2 & 3 != 3 else Alphabet.GSM7,
            message_class=dcs & 3 if dcs & 0x10 else None,
            compressed=bool(dcs & 0x20),
            automatic_deletion=bool(dcs & 0x40),
        )
    if group < 12:
        return DataCoding()
    if group == 15:
        return DataCoding(
            alphabet=Alphabet.OCTETS if dcs & 4 else Alphabet.GSM7,
            message_class=dcs & 3,
        )
    return DataCoding(
        alphabet=Alphabet.UCS2 if group == 14 else Alphabet.GSM7,
        waiting=Waiting(dcs & 3),
        waiting_active=bool(dcs & 8),
        discard=group == 12,
    )
