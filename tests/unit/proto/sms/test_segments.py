"""A text in as few messages as it takes, cut between characters; whoever puts it together has the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.alphabet import ESCAPE, GSM7
from libreims.proto.sms.coding import Alphabet, DataCoding
from libreims.proto.sms.header import Element
from libreims.proto.sms.national_tables import Language
from libreims.proto.sms.reassembly import joined_text
from libreims.proto.sms.segments import MAX_PARTS, Segments, segment
from libreims.proto.sms.user_data import UserData

GSM_DCS, UCS2_DCS = 0, 8


def text_of(segments: Segments) -> str | None:
    return joined_text(segments.parts, DataCoding(segments.alphabet).octet)


@pytest.mark.parametrize(
    ("text", "alphabet", "lengths"),
    [
        ("", Alphabet.GSM7, [0]),
        ("a" * 160, Alphabet.GSM7, [160]),
        ("a" * 161, Alphabet.GSM7, [160, 7 + 8]),
        ("a" * 306, Alphabet.GSM7, [160, 160]),
        ("a" * 307, Alphabet.GSM7, [160, 160, 8]),
        ("€" * 80, Alphabet.GSM7, [160]),
        ("a" * 152 + "€" * 5, Alphabet.GSM7, [159, 7 + 10]),
        ("a" * 151 + "€" * 5, Alphabet.GSM7, [160, 7 + 8]),
        ("ж" * 70, Alphabet.UCS2, [140]),
        ("ж" * 71, Alphabet.UCS2, [140, 6 + 2 * 4]),
        ("ж" * 66 + "😀😀😀", Alphabet.UCS2, [138, 6 + 12]),
        ("ж" * 65 + "😀😀😀", Alphabet.UCS2, [140, 6 + 8]),
    ],
)
def test_lengths(text: str, alphabet: Alphabet, lengths: list[int]) -> None:
    segments = segment(text, 1)
    assert segments.alphabet is alphabet
    assert [part.length for part in segments.parts] == lengths
    assert all(len(part.octets) <= 140 for part in segments.parts)
    assert text_of(segments) == text


def test_parts_say_what_they_are() -> None:
    parts = segment("x" * 400, 0x1FF).parts
    found = [part.header.concatenation for part in parts]
    assert [(each.reference, each.total, each.number, each.wide) for each in found if each] == [
        (0xFF, 3, 1, False),
        (0xFF, 3, 2, False),
        (0xFF, 3, 3, False),
    ]


def test_a_wide_reference_takes_its_room() -> None:
    parts = segment("x" * 305, 0x1234, wide=True).parts
    assert [part.length for part in parts] == [160, 160, 8 + 1]
    assert [each.reference for part in parts if (each := part.header.concatenation)] == [0x1234] * 3
    assert [part.length for part in segment("ж" * 133, 1, wide=True).parts] == [139, 139, 9]


def test_a_national_table_before_ucs2() -> None:
    turkish = (Language.TURKISH, Language.TURKISH)
    text = "ığ" * 70
    assert segment(text, 1).alphabet is Alphabet.UCS2
    segments = segment(text, 1, languages=[(0, Language.SPANISH), turkish])
    assert segments.alphabet is Alphabet.GSM7
    assert len(segments.parts) == 1
    assert segments.parts[0].header.locking_shift == Language.TURKISH
    assert segments.parts[0].header.single_shift == Language.TURKISH
    assert text_of(segments) == text


def test_other_elements_stay_in_each_part() -> None:
    ports = Element(0x05, b"\x0b\x84\x23\xf0")
    for text in ("x", "x" * 200):
        for part in segment(text, 1, elements=[ports]).parts:
            assert part.header.ports is not None


def test_too_much_is_refused() -> None:
    most = "a" * 153 * MAX_PARTS
    assert len(segment(most, 1).parts) == MAX_PARTS
    with pytest.raises(ValueError, match="256 messages"):
        segment(most + "a", 1)
    with pytest.raises(ValueError, match="surrogates"):
        segment("\ud800", 1)
    with pytest.raises(ValueError, match="no room"):
        segment("a" * 200, 1, elements=[Element(0x70, bytes(130))])


def no_escape_is_cut(part: UserData) -> None:
    septets = part.data(GSM_DCS)
    assert not septets or septets[-1] != ESCAPE


@given(st.text(alphabet="ab€[~\n", min_size=140, max_size=500), st.booleans())
def test_septets_together_again(text: str, wide: bool) -> None:
    segments = segment(text, 300, wide=wide)
    assert segments.alphabet is Alphabet.GSM7
    for part in segments.parts:
        no_escape_is_cut(part)
        assert part.length <= 160
    assert text_of(segments) == text
    assert "".join(part.text(GSM_DCS) or "" for part in segments.parts) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_together_again(text: str) -> None:
    segments = segment(text, 7)
    assert segments.alphabet is (Alphabet.GSM7 if GSM7.has(text) else Alphabet.UCS2)
    assert text_of(segments) == text
    dcs = DataCoding(segments.alphabet).octet
    assert "".join(part.text(dcs) or "" for part in segments.parts) == text
