"""Text as SMS-DELIVER TPDUs."""

from __future__ import annotations

import pytest

from libreims.proto.sms.address import Address
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.conversion import deliveries

NOW = Timestamp.at(1_800_000_000)


@pytest.mark.parametrize(
    ("text", "dcs", "parts"),
    [("", 0, 1), ("x" * 160, 0, 1), ("x" * 161, 0, 2), ("я" * 70, 8, 1), ("я" * 71, 8, 2)],
)
def test_the_smallest_alphabet_and_so_many_parts(text: str, dcs: int, parts: int) -> None:
    made = deliveries(text, Address("1"), NOW, 5)
    assert [each.dcs for each in made] == [dcs] * parts
    assert all(each.originator == Address("1") and each.timestamp == NOW for each in made)
    references = {part.reference for each in made if (part := each.user_data.header.concatenation)}
    assert references == ({5} if parts > 1 else set())


def test_a_data_coding_scheme_and_protocol_of_the_callers_choice() -> None:
    (made,) = deliveries("x", Address("1"), NOW, 5, pid=64, dcs=0x10)
    assert (made.pid, made.dcs) == (64, 0x10)


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        deliveries("x" * 40_000, Address("1"), NOW, 5)
