"""TS 23.038, alphabets: the data coding scheme, packing of septets, the default alphabet, UCS2."""

from __future__ import annotations

import pytest

from libreims.proto.sms.alphabet import GSM7, pack, unpack
from libreims.proto.sms.coding import Alphabet, DataCoding, Waiting, coding
from libreims.proto.sms.national import seven_bit
from libreims.proto.sms.national_tables import Language
from libreims.proto.sms.user_data import UserData

TABLE = {
    0x0: "@Δ 0¡P¿p",
    0x1: "£_!1AQaq",
    0x2: '$Φ"2BRbr',
    0x3: "¥Γ#3CScs",
    0x4: "èΛ¤4DTdt",
    0x5: "éΩ%5EUeu",
    0x6: "ùΠ&6FVfv",
    0x7: "ìΨ'7GWgw",
    0x8: "òΣ(8HXhx",
    0x9: "ÇΘ)9IYiy",
    0xA: "\nΞ*:JZjz",
    0xC: "øÆ,<LÖlö",
    0xD: "\ræ-=MÑmñ",
    0xE: "Åß.>NÜnü",
    0xF: "åÉ/?O§oà",
}
"""§6.2.1: b4 to b1 down, b7 to b5 across; 0xB has the escape and is apart."""


@pytest.mark.parametrize(
    ("octet", "scheme"),
    [
        (0x00, DataCoding()),
        (0x04, DataCoding(Alphabet.OCTETS)),
        (0x08, DataCoding(Alphabet.UCS2)),
        (0x0C, DataCoding()),  # Reserved alphabet: the default one is assumed.
        (0x10, DataCoding(message_class=0)),
        (0x11, DataCoding(message_class=1)),
        (0x16, DataCoding(Alphabet.OCTETS, message_class=2)),
        (0x1B, DataCoding(Alphabet.UCS2, message_class=3)),
        (0x03, DataCoding()),  # Bits 1 and 0 have no meaning without bit 4.
        (0x20, DataCoding(compressed=True)),
        (0x2A, DataCoding(Alphabet.UCS2, compressed=True)),
        (0x34, DataCoding(Alphabet.OCTETS, message_class=0, compressed=True)),
        (0x40, DataCoding(automatic_deletion=True)),
        (0x59, DataCoding(Alphabet.UCS2, message_class=1, automatic_deletion=True)),
    ],
)
def test_s4_general_data_coding(octet: int, scheme: DataCoding) -> None:
    """§4: bits 7 and 6 are 00, or 01 for automatic deletion; compression, class, alphabet."""
    assert coding(octet) == scheme


@pytest.mark.parametrize("octet", range(0x80, 0xC0))
def test_s4_reserved_groups_are_the_default(octet: int) -> None:
    """§4: reserved codings are taken by a receiver for the GSM 7 bit default alphabet."""
    assert coding(octet) == DataCoding()


@pytest.mark.parametrize(
    ("octet", "scheme"),
    [
        (0xC0, DataCoding(waiting=Waiting.VOICEMAIL, discard=True)),
        (0xC9, DataCoding(waiting=Waiting.FAX, waiting_active=True, discard=True)),
        (0xDA, DataCoding(waiting=Waiting.EMAIL, waiting_active=True)),
        (0xD3, DataCoding(waiting=Waiting.OTHER)),
        (0xE8, DataCoding(Alphabet.UCS2, waiting=Waiting.VOICEMAIL, waiting_active=True)),
    ],
)
def test_s4_message_waiting(octet: int, scheme: DataCoding) -> None:
    """§4: 1100 discard, 1101 store, 1110 store in UCS2; bit 3 is the sense, bits 1 and 0 the kind."""
    assert coding(octet) == scheme


@pytest.mark.parametrize(
    ("octet", "scheme"),
    [
        (0xF0, DataCoding(message_class=0)),
        (0xF2, DataCoding(message_class=2)),
        (0xF4, DataCoding(Alphabet.OCTETS, message_class=0)),
        (0xF7, DataCoding(Alphabet.OCTETS, message_class=3)),
        (0xF9, DataCoding(message_class=1)),  # Bit 3 is reserved.
    ],
)
def test_s4_data_coding_and_class(octet: int, scheme: DataCoding) -> None:
    """§4: 1111, bit 2 chooses between the default alphabet and 8 bit data."""
    assert coding(octet) == scheme


def test_s6121_packing_of_septets() -> None:
    """§6.1.2.1.1: the second character's low bits fill the first octet; eight characters are seven octets."""
    assert pack(b"\x01\x00") == b"\x01\x00"
    assert pack(b"\x00\x01") == b"\x80\x00"
    assert pack(b"\x00\x02") == b"\x00\x01"
    assert pack(b"\x00" * 7 + b"\x01") == bytes(6) + b"\x02"
    assert pack(b"\x7f" * 8) == b"\xff" * 7
    assert pack(b"\x7f" * 7) == b"\xff" * 6 + b"\x01"


def test_s6121_spare_bits_are_zero_and_ignored() -> None:
    """§6.1.2.1: unused bits are zero when sent."""
    assert pack(b"\x7f") == b"\x7f"
    assert unpack(b"\xff", 1) == b"\x7f"


def test_s6121_160_characters_are_140_octets() -> None:
    assert len(pack(b"a" * 160)) == 140


def test_s621_the_default_alphabet() -> None:
    """§6.2.1: every character of the table."""
    for low, row in TABLE.items():
        for high, character in enumerate(row):
            assert GSM7.decode(bytes((high << 4 | low,))) == character
            assert GSM7.encode(character) == bytes((high << 4 | low,))
    for code, character in zip((0x0B, 0x2B, 0x3B, 0x4B, 0x5B, 0x6B, 0x7B), "Ø+;KÄkä", strict=True):
        assert GSM7.encode(character) == bytes((code,))


@pytest.mark.parametrize(
    ("code", "character"),
    [
        (0x0A, "\f"),
        (0x14, "^"),
        (0x28, "{"),
        (0x29, "}"),
        (0x2F, "\\"),
        (0x3C, "["),
        (0x3D, "~"),
        (0x3E, "]"),
        (0x40, "|"),
        (0x65, "€"),
    ],
)
def test_s6211_the_extension_table(code: int, character: str) -> None:
    """§6.2.1.1: the escape, then the code."""
    assert GSM7.encode(character) == bytes((0x1B, code))
    assert GSM7.decode(bytes((0x1B, code))) == character


def test_s6211_what_the_extension_table_does_not_have() -> None:
    """§6.2.1.1: such a code shows the character of the default alphabet; a second escape shows a space."""
    for code in set(range(128)) - {0x0A, 0x14, 0x1B, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65}:
        assert GSM7.decode(bytes((0x1B, code))) == GSM7.decode(bytes((code,)))
    assert GSM7.decode(b"\x1b\x1b") == " "


@pytest.mark.parametrize(
    ("locking", "single", "text", "septets"),
    [
        (Language.DEFAULT, Language.TURKISH, "ğüş", "1b677e1b73"),
        (Language.TURKISH, Language.TURKISH, "ığüşİ€", "070c7e1d4004"),
        (Language.DEFAULT, Language.SPANISH, "¿Cómo está?", "60431b6f6d6f20657374" + "1b61" + "3f"),
        (Language.DEFAULT, Language.PORTUGUESE, "ação", "611b091b7b6f"),
        (Language.PORTUGUESE, Language.PORTUGUESE, "ação Ω", "61097b6f201b15"),
        (Language.HINDI, Language.HINDI, "नमस्ते १", "2f424c5f275920" + "1b1d"),
        (Language.BENGALI, Language.BENGALI, "বাং ৮", "405001201b22"),
        (Language.URDU, Language.URDU, "پاکستان ۲", "050047" + "3d0700" + "4f" + "201b1e"),
    ],
)
def test_annex_a_national_languages(locking: int, single: int, text: str, septets: str) -> None:
    """Annex A.2 and A.3: texts by hand from the tables."""
    alphabet = seven_bit(locking, single)
    assert alphabet.encode(text).hex() == septets
    assert alphabet.decode(bytes.fromhex(septets)) == text


@pytest.mark.parametrize(
    ("text", "octets"),
    [("ж", "0436"), ("€", "20ac"), ("😀", "d83dde00"), ("a\n", "0061000a")],
)
def test_s623_ucs2(text: str, octets: str) -> None:
    """§6.2.3: sixteen bits, the most significant octet first; characters beyond as UTF-16 has them."""
    user_data = UserData.of_text(text, Alphabet.UCS2)
    assert user_data.octets.hex() == octets
    assert user_data.length == len(octets) // 2
    assert user_data.text(8) == text
