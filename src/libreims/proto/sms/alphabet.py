"""The GSM 7 bit alphabet and the packing of septets (TS 23.038 §6.1.2, §6.2.1).

A text is first turned into septets, one octet each (`SevenBit.encode`), which is the form in which a long
text can be cut; `pack` puts eight of them into seven octets.  National tables are in `national`.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final

ESCAPE: Final = 0x1B
"""Leads to the extension table for one character."""

UNUSED: Final = "\x00"
"""A code of a national table that has no character; it is read as a space and never written."""

DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""The default alphabet (§6.2.1): the character of each septet."""

EXTENSION: Final[dict[int, str]] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
"""The default extension table (§6.2.1.1): what follows an escape."""


class SevenBit:
    """A locking shift table with a single shift table: a whole 7 bit alphabet.

    A code that has no character in the single shift table stands for that of the locking table
    (§6.2.1.1, note); an escape after an escape, or at the end, is a space.
    """

    __slots__ = ("_after_escape", "_codes", "_locking", "_plain")

    def __init__(self, locking: str, single: Mapping[int, str]) -> None:
        if len(locking) != 128 or locking[ESCAPE] != "\x1b":
            raise ValueError("a locking shift table has 128 characters, with the escape at 0x1B")
        self._locking = locking
        after = list(locking)
        after[ESCAPE] = " "
        codes: dict[str, bytes] = {}
        for code, character in single.items():
            after[code] = character
            codes[character] = bytes((ESCAPE, code))
        for code, character in enumerate(locking):
            if code != ESCAPE and character != UNUSED:
                codes[character] = bytes((code,))
        self._after_escape = "".join(after).replace(UNUSED, " ")
        self._plain = locking.replace(UNUSED, " ")
        self._codes = {ord(character): code for character, code in codes.items()}

    def encode(self, text: str) -> bytes:
        """The septets of a text, one octet each. Raises ValueError for what the alphabet does not have."""
        try:
            return codecs.charmap_encode(text, "strict", self._codes)[0]
        except UnicodeEncodeError as error:
            raise ValueError(f"not in this 7 bit alphabet: {text[error.start]!r}") from None

    def has(self, text: str) -> bool:
        """Whether the whole text can be written with it."""
        codes = self._codes
        return all(ord(character) in codes for character in text)

    def decode(self, septets: bytes) -> str:
        """The text of septets; any septets have one."""
        parts: list[str] = []
        place = 0
        while (escape := septets.find(ESCAPE, place)) >= 0:
            parts.append(codecs.charmap_decode(septets[place:escape], "strict", self._plain)[0])
            after = escape + 1
            parts.append(self._after_escape[septets[after]] if after < len(septets) else " ")
            place = after + 1
        parts.append(codecs.charmap_decode(septets[place:], "strict", self._plain)[0])
        return "".join(parts)


GSM7: Final = SevenBit(DEFAULT, EXTENSION)
"""The GSM 7 bit default alphabet with the default extension table."""

_BITS: Final = tuple(f"{septet:07b}" for septet in range(128))


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Eight septets in seven octets, the first in the low bits (§6.1.2.1), after `fill` zero bits."""
    if not septets:
        return b"\x00" if fill else b""
    bits = "".join([_BITS[septet] for septet in reversed(septets)])
    return (int(bits, 2) << fill).to_bytes((len(bits) + fill + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill: int = 0) -> bytes:
    """`count` septets that begin after `fill` bits; as many as there are when the octets are fewer."""
    count = min(count, max(0, (len(octets) * 8 - fill) // 7))
    value = int.from_bytes(octets, "little") >> fill
    return bytes([value >> shift & 0x7F for shift in range(0, 7 * count, 7)])


def octets_of(septets: int) -> int:
    """How many octets that many septets take."""
    return (septets * 7 + 7) // 8
