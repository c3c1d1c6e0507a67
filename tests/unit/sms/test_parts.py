"""Parts of long texts, put together for phones that take plain text."""

from __future__ import annotations

from itertools import permutations

from libreims.proto.sms.address import Address
from libreims.proto.sms.coding import DataCoding
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.segments import segment
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.parts import joined, whole_text
from libreims.sms.pending import Pending

NOW = Timestamp.at(1_800_000_000)


def parts(text: str, reference: int = 1, sender: str = "1") -> list[Pending]:
    cut = segment(text, reference)
    dcs = DataCoding(cut.alphabet).octet
    made = [Deliver(Address(sender), NOW, part, dcs=dcs) for part in cut.parts]
    return [
        Pending(f"{sender}-{reference}-{number}", "b", "tel:2", each, 0, 1)
        for number, each in enumerate(made)
    ]


def test_parts_in_any_order_with_others_in_between() -> None:
    text = "a long text " * 30
    mine = parts(text)
    assert len(mine) == 3
    single = Pending("s", "b", "tel:2", Deliver(Address("1"), NOW, UserData.of_text("x")), 0, 1)
    for order in permutations(mine):
        waiting = [order[0], *parts(text, 2), single, order[1], *parts(text, 1, "9"), order[2]]
        found = joined(waiting)
        assert found == mine
        assert whole_text(found) == text


def test_a_missing_part_is_waited_for() -> None:
    assert joined(parts("x" * 400)[:-1]) is None
    assert joined([]) is None


def test_a_repeated_part_counts_once() -> None:
    first, second = parts("x" * 200)
    assert joined([first, first]) is None
    assert joined([first, first, second]) == [first, second]


def test_characters_beyond_the_basic_plane() -> None:
    text = "😀" * 50
    assert whole_text(parts(text)) == text


def test_parts_of_different_alphabets() -> None:
    cut = segment("x" * 200, 1).parts
    other = segment("я" * 100, 1).parts
    mixed = [
        Pending("1", "b", "t", Deliver(Address("1"), NOW, cut[0]), 0, 1),
        Pending("2", "b", "t", Deliver(Address("1"), NOW, other[1], dcs=8), 0, 1),
    ]
    assert whole_text(mixed) == "x" * 153 + "я" * 33
