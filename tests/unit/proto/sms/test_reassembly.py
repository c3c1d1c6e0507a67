"""Parts of long texts put together in any order, with a bound on what waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libreims.proto.sms.header import Concatenation
from libreims.proto.sms.reassembly import Reassembly, joined_text
from libreims.proto.sms.segments import segment
from libreims.proto.sms.user_data import UserData


def part_of(user_data: UserData) -> Concatenation:
    part = user_data.header.concatenation
    assert part is not None
    return part


@given(st.permutations(list(segment("0123456789" * 60, 9).parts)))
def test_any_order(parts: list[UserData]) -> None:
    reassembly = Reassembly()
    found = [reassembly.add("sender", part_of(part), part) for part in parts]
    assert found[:-1] == [None] * (len(parts) - 1)
    assert found[-1] is not None
    assert joined_text(found[-1], 0) == "0123456789" * 60
    assert len(reassembly) == 0


def test_messages_are_told_apart() -> None:
    """By sender, reference, its width and the number of parts."""
    reassembly = Reassembly()
    for sender, part in (
        ("a", Concatenation(1, 2, 1)),
        ("b", Concatenation(1, 2, 2)),
        ("a", Concatenation(2, 2, 2)),
        ("a", Concatenation(1, 2, 2, wide=True)),
        ("a", Concatenation(1, 3, 2)),
    ):
        assert reassembly.add(sender, part, UserData()) is None
    assert len(reassembly) == 5
    assert reassembly.add("a", Concatenation(1, 2, 2), UserData()) == (UserData(), UserData())


def test_a_part_that_comes_twice_counts_once() -> None:
    reassembly = Reassembly()
    first, again, last = (UserData.of_octets(each) for each in (b"1", b"2", b"3"))
    assert reassembly.add("a", Concatenation(1, 2, 1), first) is None
    assert reassembly.add("a", Concatenation(1, 2, 1), again) is None
    assert reassembly.add("a", Concatenation(1, 2, 2), last) == (again, last)


def test_a_single_part_is_whole() -> None:
    assert Reassembly().add("a", Concatenation(1, 1, 1), UserData()) == (UserData(),)


def test_the_one_that_waits_longest_goes() -> None:
    reassembly = Reassembly(limit=2)
    for reference in (1, 2):
        reassembly.add("a", Concatenation(reference, 3, 1), UserData())
    reassembly.add("a", Concatenation(1, 3, 2), UserData())
    reassembly.add("a", Concatenation(3, 3, 1), UserData())
    assert len(reassembly) == 2
    assert reassembly.add("a", Concatenation(1, 3, 3), UserData()) is not None
    assert reassembly.add("a", Concatenation(2, 3, 2), UserData()) is None
    assert reassembly.add("a", Concatenation(2, 3, 3), UserData()) is None


def test_a_character_cut_in_two() -> None:
    octets = "😀".encode("utf-16-be")
    parts = [UserData.of_octets(octets[:2]), UserData.of_octets(octets[2:])]
    assert joined_text(parts, 8) == "😀"


def test_what_is_no_text() -> None:
    assert joined_text([UserData.of_octets(b"a")], 4) is None
    assert joined_text([], 0) == ""
