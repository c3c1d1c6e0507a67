from __future__ import annotations

from libreims.media.delay import LIMIT, DelayLine
from support.manual_clock import ManualClock


def line() -> tuple[ManualClock, DelayLine, list[tuple[float, bytes]]]:
    clock = ManualClock()
    delivered: list[tuple[float, bytes]] = []
    return clock, DelayLine(clock, lambda data: delivered.append((round(clock.time(), 3), data))), delivered


def test_each_packet_waits_its_time_on_one_timer() -> None:
    clock, delay, delivered = line()
    delay.delay = 1.0
    for number in range(3):
        delay.push(bytes([number]))
        assert clock.waiting == 1
        clock.advance(0.02)
    clock.advance(5)
    assert delivered == [(1.0, b"\0"), (1.02, b"\1"), (1.04, b"\2")]
    assert clock.waiting == 0


def test_a_shorter_delay_overtakes_nothing() -> None:
    clock, delay, delivered = line()
    delay.delay = 2.0
    delay.push(b"first")
    delay.delay = 0.5
    delay.push(b"second")
    clock.advance(1)
    assert delivered == []
    clock.advance(2)
    assert delivered == [(2.0, b"first"), (2.0, b"second")]


def test_the_queue_is_bounded() -> None:
    _, delay, _ = line()
    delay.delay = 1.0
    assert all(delay.push(b"x") for _ in range(LIMIT))
    assert not delay.push(b"x")


def test_clear_loses_what_waits_and_stops_the_timer() -> None:
    clock, delay, delivered = line()
    delay.delay = 1.0
    delay.push(b"x")
    delay.clear()
    assert (clock.waiting, len(delay)) == (0, 0)
    clock.advance(5)
    assert delivered == []
    delay.push(b"y")
    clock.advance(5)
    assert delivered == [(6.0, b"y")]
