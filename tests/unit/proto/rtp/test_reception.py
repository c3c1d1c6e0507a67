from __future__ import annotations

import pytest

from libreims.proto.rtp.reception import Reception

PERIOD = 0.02


def receive(reception: Reception, sequences: list[int], late: dict[int, float] | None = None) -> None:
    for number, sequence in enumerate(sequences):
        arrival = number * PERIOD + (late or {}).get(number, 0.0)
        reception.packet(sequence % 65536, number * 160 % (1 << 32), arrival)


def test_nothing_lost_on_a_smooth_line() -> None:
    reception = Reception(1, 8000)
    receive(reception, list(range(100, 200)))
    assert (reception.received, reception.expected, reception.lost) == (100, 100, 0)
    assert reception.jitter == pytest.approx(0.0, abs=1e-4)


def test_losses_duplicates_and_reordering() -> None:
    reception = Reception(1, 8000)
    receive(reception, [1, 2, 4, 3, 5, 5, 9])
    assert (reception.received, reception.expected, reception.lost) == (7, 9, 2)


def test_the_sequence_number_wraps() -> None:
    reception = Reception(1, 8000)
    receive(reception, list(range(65530, 65545)))
    assert (reception.extended_highest, reception.expected, reception.lost) == (65544, 15, 0)


def test_a_wild_packet_is_ignored_and_a_restart_followed() -> None:
    reception = Reception(1, 8000)
    receive(reception, [10, 11, 30000, 12])
    assert (reception.received, reception.lost) == (3, 0)
    receive(reception, [40000, 40001, 40002])
    assert (reception.received, reception.expected, reception.lost) == (2, 2, 0)


def test_jitter_of_one_late_packet() -> None:
    reception = Reception(1, 8000)
    receive(reception, [1, 2], {1: 0.016})
    # RFC 3550 A.8: a sixteenth of the difference.
    assert reception.jitter == pytest.approx(0.001, abs=1e-4)
    assert reception.report().jitter == 8


def test_report_counts_from_the_one_before() -> None:
    reception = Reception(7, 8000)
    receive(reception, [0, 1, 2, 3, 6, 7])
    first = reception.report(1, 2)
    assert (first.ssrc, first.lost, first.fraction_lost, first.highest_sequence) == (7, 2, 64, 7)
    assert (first.last_sr, first.delay_since_last_sr) == (1, 2)
    receive(reception, [8, 9])
    second = reception.report()
    assert (second.lost, second.fraction_lost) == (2, 0)


def test_duplicates_make_the_total_negative_and_the_fraction_zero() -> None:
    reception = Reception(7, 8000)
    receive(reception, [1, 1, 1])
    report = reception.report()
    assert (report.lost, report.fraction_lost) == (-2, 0)


def test_a_report_before_any_packet() -> None:
    report = Reception(7, 8000).report()
    assert (report.lost, report.fraction_lost, report.highest_sequence, report.jitter) == (0, 0, 0, 0)
