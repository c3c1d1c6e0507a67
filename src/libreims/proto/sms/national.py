"""7 bit alphabets of national languages (TS 23.038 §6.2.1.2): a locking and a single shift table each.

The user data header names the two languages (TS 23.040 §9.2.3.24.15, §9.2.3.24.16).
"""

from __future__ import annotations

from functools import cache

from libreims.proto.sms.alphabet import DEFAULT, SevenBit
from libreims.proto.sms.national_tables import LOCKING, SINGLE, Language


def seven_bit(locking: int = Language.DEFAULT, single: int = Language.DEFAULT) -> SevenBit:
    """The alphabet of two language identifiers; one that is reserved, or has no table, is the default."""
    return _alphabet(
        locking if locking in LOCKING else Language.DEFAULT, single if single in SINGLE else Language.DEFAULT
    )


@cache
def _alphabet(locking: int, single: int) -> SevenBit:
    """Made once for each of the some 180 pairs that exist."""
    extension = {
        first + offset: character
        for first, characters in SINGLE[single].items()
        for offset, character in enumerate(characters)
    }
    return SevenBit(LOCKING.get(locking, DEFAULT), extension)
