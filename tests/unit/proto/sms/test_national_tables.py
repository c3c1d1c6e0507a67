"""The data of the national tables: shape, and the regularities that the annexes have."""

from __future__ import annotations

import pytest

from libreims.proto.sms.alphabet import DEFAULT, ESCAPE
from libreims.proto.sms.national_tables import LOCKING, SINGLE, Language

INDIAN = {
    Language.BENGALI: 0x980,
    Language.GUJARATI: 0xA80,
    Language.HINDI: 0x900,
    Language.KANNADA: 0xC80,
    Language.MALAYALAM: 0xD00,
    Language.ORIYA: 0xB00,
    Language.PUNJABI: 0xA00,
    Language.TAMIL: 0xB80,
    Language.TELUGU: 0xC00,
}
"""First code point of each script's block in Unicode."""
CONTROLS = {0x0A: "\n", 0x0D: "\r", ESCAPE: "\x1b"}


@pytest.mark.parametrize("language", LOCKING)
def test_locking_tables(language: int) -> None:
    table = LOCKING[language]
    assert len(table) == 128
    assert {code: table[code] for code in CONTROLS} == CONTROLS
    assert table[0x61:0x7B] == DEFAULT[0x61:0x7B]
    assert table[0x30:0x3A] == "0123456789"
    used = [character for character in table if character != "\0"]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("language", SINGLE)
def test_single_tables(language: int) -> None:
    codes = [first + at for first, run in SINGLE[language].items() for at in range(len(run))]
    assert len(codes) == len(set(codes))
    assert max(codes) < 128
    assert not {0x0D, ESCAPE} & set(codes)
    found = {first + at: each for first, run in SINGLE[language].items() for at, each in enumerate(run)}
    assert (found[0x0A], found[0x28], found[0x2F], found[0x65]) == ("\f", "{", "\\", "€")


def test_scripts_of_india_lie_in_parallel() -> None:
    """Like Unicode, Annex A.3 has related letters of all scripts in one place; the last six codes aside."""
    for code in range(0x60):
        offsets = {
            ord(LOCKING[language][code]) - block
            for language, block in INDIAN.items()
            if ord(LOCKING[language][code]) > 0x7F
        }
        assert len(offsets) <= 1, hex(code)


def test_letters_of_india_are_in_their_block() -> None:
    for language, block in INDIAN.items():
        for character in LOCKING[language]:
            assert ord(character) < 0x80 or block <= ord(character) < block + 0x80


def test_digits_of_india() -> None:
    """Annex A.2: the digits of each script are at 0x1C to 0x25; those of Bengali begin two codes earlier."""
    for language, block in INDIAN.items():
        found = {first + at: each for first, run in SINGLE[language].items() for at, each in enumerate(run)}
        places = [0x19, 0x1A, *range(0x1C, 0x24)] if language == Language.BENGALI else range(0x1C, 0x26)
        zero = 0x66 + block
        assert [ord(found[code]) for code in places] == list(range(zero, zero + 10))
