"""Alphabets of national languages, chosen by two identifiers."""

from __future__ import annotations

import pytest

from libreims.proto.sms.alphabet import DEFAULT, ESCAPE
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.national_tables import LOCKING, SINGLE, Language


@pytest.mark.parametrize("locking", list(Language))
@pytest.mark.parametrize("single", list(Language))
def test_every_pair_of_tables(locking: Language, single: Language) -> None:
    """All that the tables have is written and read; a character that both have takes one septet."""
    alphabet = seven_bit(locking, single)
    plain = set(LOCKING.get(locking, DEFAULT)) - {"\0", "\x1b"}
    shifted = set("".join(SINGLE[single].values())) - plain
    for character in plain | shifted:
        septets = alphabet.encode(character)
        assert len(septets) == (1 if character in plain else 2)
        assert alphabet.decode(septets) == character


def test_reserved_identifiers_are_the_default() -> None:
    assert seven_bit(14, 255) is seven_bit()
    assert seven_bit(Language.SPANISH, 0) is seven_bit()


def test_a_code_without_a_character_is_a_space() -> None:
    tamil = seven_bit(Language.TAMIL, Language.TAMIL)
    assert tamil.decode(b"\x00") == " "
    assert tamil.decode(bytes((ESCAPE, 0x0D))) == "\r"
    assert not tamil.has("\0")
