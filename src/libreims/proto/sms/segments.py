"""Long texts: cut into user data for as many messages as it takes (TS 23.040 §9.2.3.24.1, §9.2.3.24.8).

The alphabet is the smallest that has every character.  The reference number comes from outside, since
nothing here draws one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from libreims.proto.sms.alphabet import ESCAPE
from libreims.proto.sms.coding import Alphabet
from libreims.proto.sms.header import LOCKING_SHIFT, SINGLE_SHIFT, Concatenation, Element, Header
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.user_data import MAX_OCTETS, MAX_SEPTETS, UserData, header_septets

MAX_PARTS: Final = 255

Languages = tuple[int, int]
"""Identifiers of the locking and of the single shift table; 0 is the default table."""


@dataclass(frozen=True, slots=True)
class Segments:
    """A text in one or several messages."""

    alphabet: Alphabet
    """For the data coding scheme: GSM7 or UCS2."""
    parts: tuple[UserData, ...]


def segment(
    text: str,
    reference: int,
    *,
    wide: bool = False,
    languages: Sequence[Languages] = (),
    elements: Sequence[Element] = (),
) -> Segments:
    """Cut a text.

    `reference` ties the parts together, 8 bits, 16 when `wide`.  `languages` are national tables to try when
    the default alphabet lacks a character, before UCS2; only those that the receiver is known to read.
    `elements` go into the header of each part.

    Raises ValueError for a text of more than 255 parts, or one that no alphabet has (a lone surrogate).
    """
    for locking, single in ((0, 0), *languages):
        try:
            septets = seven_bit(locking, single).encode(text)
        except ValueError:
            continue
        shifts = _shifts(locking, single)
        return Segments(Alphabet.GSM7, _cut_septets(septets, reference, wide, (*elements, *shifts)))
    return Segments(Alphabet.UCS2, _cut_utf16(text, reference, wide, tuple(elements)))


def _shifts(locking: int, single: int) -> Iterator[Element]:
    if single:
        yield Element(SINGLE_SHIFT, bytes((single,)))
    if locking:
        yield Element(LOCKING_SHIFT, bytes((locking,)))


def _cut_septets(
    septets: bytes, reference: int, wide: bool, elements: tuple[Element, ...]
) -> tuple[UserData, ...]:
    if len(septets) <= _septets_left(elements):
        return (UserData.of_septets(septets, Header(elements) if elements else None),)
    room = _septets_left(_with_concatenation(reference, 0, 0, wide, elements))
    pieces: list[bytes] = []
    place = 0
    while place < len(septets):
        after = place + _needed(room)
        # An escape and what it leads to stay together (§9.2.3.24.1).  Two escapes in a row are never written.
        if after < len(septets) and septets[after - 1] == ESCAPE:
            after -= 1
        pieces.append(septets[place:after])
        place = after
    headers = _headers(len(pieces), reference, wide, elements)
    return tuple(UserData.of_septets(each, head) for each, head in zip(pieces, headers, strict=True))


def _cut_utf16(text: str, reference: int, wide: bool, elements: tuple[Element, ...]) -> tuple[UserData, ...]:
    octets = text.encode("utf-16-be")
    if len(octets) <= _octets_left(elements):
        return (UserData.of_octets(octets, Header(elements) if elements else None),)
    room = _octets_left(_with_concatenation(reference, 0, 0, wide, elements)) & ~1
    pieces: list[bytes] = []
    place = 0
    while place < len(octets):
        after = place + _needed(room)
        # The two halves of a character beyond the basic plane stay together.
        if after < len(octets) and octets[after - 2] & 0xFC == 0xD8:
            after -= 2
        pieces.append(octets[place:after])
        place = after
    headers = _headers(len(pieces), reference, wide, elements)
    return tuple(UserData.of_octets(each, head) for each, head in zip(pieces, headers, strict=True))


def _needed(room: int) -> int:
    if room < 4:
        raise ValueError("the header leaves no room for text")
    return room


def _headers(total: int, reference: int, wide: bool, elements: tuple[Element, ...]) -> list[Header]:
    if total > MAX_PARTS:
        raise ValueError(f"a text of {total} messages, at most {MAX_PARTS} are possible")
    return [
        Header(_with_concatenation(reference, total, number, wide, elements))
        for number in range(1, total + 1)
    ]


def _with_concatenation(
    reference: int, total: int, number: int, wide: bool, elements: tuple[Element, ...]
) -> tuple[Element, ...]:
    limit = 0xFFFF if wide else 0xFF
    return (Concatenation(reference & limit, total, number, wide).element(), *elements)


def _header_size(elements: tuple[Element, ...]) -> int:
    return 1 + sum(2 + len(each.data) for each in elements) if elements else 0


def _octets_left(elements: tuple[Element, ...]) -> int:
    return MAX_OCTETS - _header_size(elements)


def _septets_left(elements: tuple[Element, ...]) -> int:
    return MAX_SEPTETS - header_septets(_header_size(elements))[0]
