"""What is told of a source: late, doubled and lost packets kept apart."""

from __future__ import annotations

import pytest

from libreims.ue.reception import Heard


def heard(sequences: list[int]) -> Heard:
    result = Heard(7, 8000)
    for index, sequence in enumerate(sequences):
        result.packet(sequence, index * 160, 160, 5.0 + index * 0.02)
    return result


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        ([10, 11, 12, 13], (4, 0, 0, 0)),
        ([10, 11, 14], (3, 2, 0, 0)),
        ([10, 12, 11, 13], (4, 0, 1, 0)),
        ([10, 11, 11, 12], (4, 0, 0, 1)),
        ([10, 10, 12], (3, 1, 0, 1)),
        ([65534, 65535, 0, 1], (4, 0, 0, 0)),
        ([65535, 1, 0, 2], (4, 0, 1, 0)),
        ([11, 10, 12], (3, 0, 1, 0)),
    ],
)
def test_what_came_and_what_did_not(sequences: list[int], expected: tuple[int, int, int, int]) -> None:
    result = heard(sequences)
    assert (result.packets, result.lost, result.out_of_order, result.doubled) == expected


def test_octets_are_those_of_the_payloads() -> None:
    assert heard([1, 2, 3]).octets == 480


def test_a_report_names_the_source_and_what_was_lost() -> None:
    block = heard([1, 2, 4]).report(0x1234, 99)
    assert (block.ssrc, block.lost, block.highest_sequence) == (7, 1, 4)
    assert (block.last_sr, block.delay_since_last_sr) == (0x1234, 99)
