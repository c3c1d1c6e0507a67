"""The user data header (TS 23.040 §9.2.3.24): information elements, those with a meaning here read.

A header that does not come out even is ignored as a whole, as §9.2.3.24 asks; nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONCATENATED_8: Final = 0x00
PORTS_8: Final = 0x04
PORTS_16: Final = 0x05
CONCATENATED_16: Final = 0x08
SINGLE_SHIFT: Final = 0x24
LOCKING_SHIFT: Final = 0x25


@dataclass(frozen=True, slots=True)
class Element:
    """One information element, as it stands."""

    identifier: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Concatenation:
    """One part of several (§9.2.3.24.1, §9.2.3.24.8)."""

    reference: int
    total: int
    number: int
    """Which part this is, from 1."""
    wide: bool = False
    """The reference has 16 bits."""

    def element(self) -> Element:
        """As an information element."""
        if self.wide:
            data = self.reference.to_bytes(2, "big") + bytes((self.total, self.number))
            return Element(CONCATENATED_16, data)
        return Element(CONCATENATED_8, bytes((self.reference, self.total, self.number)))


@dataclass(frozen=True, slots=True)
class Ports:
    """Application ports (§9.2.3.24.3, §9.2.3.24.4)."""

    destination: int
    origin: int
    wide: bool = True
    """They have 16 bits."""

    def element(self) -> Element:
        """As an information element."""
        size = 2 if self.wide else 1
        data = self.destination.to_bytes(size, "big") + self.origin.to_bytes(size, "big")
        return Element(PORTS_16 if self.wide else PORTS_8, data)


@dataclass(frozen=True, slots=True)
class Header:
    """The information elements in their order. Of elements that are repeated the last counts."""

    elements: tuple[Element, ...] = ()

    @property
    def concatenation(self) -> Concatenation | None:
        """Which part of a longer message this is; one that cannot be is ignored."""
        for element in reversed(self.elements):
            data = element.data
            if element.identifier == CONCATENATED_8 and len(data) == 3:
                found = Concatenation(data[0], data[1], data[2])
            elif element.identifier == CONCATENATED_16 and len(data) == 4:
                found = Concatenation(data[0] << 8 | data[1], data[2], data[3], wide=True)
            else:
                continue
            if 1 <= found.number <= found.total:
                return found
        return None

    @property
    def ports(self) -> Ports | None:
        """Application ports."""
        for element in reversed(self.elements):
            data = element.data
            if element.identifier == PORTS_16 and len(data) == 4:
                return Ports(data[0] << 8 | data[1], data[2] << 8 | data[3])
            if element.identifier == PORTS_8 and len(data) == 2:
                return Ports(data[0], data[1], wide=False)
        return None

    @property
    def single_shift(self) -> int:
        """National language of the single shift table, 0 when none is named (§9.2.3.24.15)."""
        return self._language(SINGLE_SHIFT)

    @property
    def locking_shift(self) -> int:
        """National language of the locking shift table, 0 when none is named (§9.2.3.24.16)."""
        return self._language(LOCKING_SHIFT)

    def _language(self, identifier: int) -> int:
        for element in reversed(self.elements):
            if element.identifier == identifier and len(element.data) == 1:
                return element.data[0]
        return 0

    def encode(self) -> bytes:
        """With its length octet. Raises ValueError when it does not fit."""
        parts = [bytes((each.identifier, len(each.data))) + each.data for each in self.elements]
        body = b"".join(parts)
        if len(body) > 139:
            raise ValueError(f"user data header of {len(body)} octets")
        return bytes((len(body),)) + body


def parse_header(octets: bytes) -> Header:
    """The header at the start of user data; without elements when it does not come out even."""
    if not octets:
        return Header()
    end = 1 + octets[0]
    if end > len(octets):
        return Header()
    elements: list[Element] = []
    place = 1
    while place < end:
        if place + 2 > end or place + 2 + octets[place + 1] > end:
            return Header()
        after = place + 2 + octets[place + 1]
        elements.append(Element(octets[place], octets[place + 2 : after]))
        place = after
    return Header(tuple(elements))
