import pytest

from libreims.base.log import Log
from libreims.net.esp_drops import INTERVAL, LINES, REASONS, Drops
from support.manual_clock import ManualClock


class Rig:
    def __init__(self, options: str = "") -> None:
        self.clock = ManualClock()
        self.log = Log(utc=lambda: 0.0)
        self.log.configure(options)
        self.drops = Drops(self.log.layer("ipsec"), self.clock)

    @property
    def lines(self) -> list[str]:
        return [entry.message for entry in self.log.ring.since(0)[1]]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_a_sentence(reason: str) -> None:
    rig = Rig()
    rig.drops.drop(reason, "FROM", "192.0.2.7", "the detail", 7)
    rig.drops.drop(reason, "TO", "192.0.2.8")
    assert rig.lines == [
        f"Packet from 192.0.2.7 dropped, {REASONS[reason]}: the detail",
        f"Packet to 192.0.2.8 dropped, {REASONS[reason]}",
    ]
    first, second = rig.log.ring.since(0)[1]
    assert (first.direction, first.id, second.direction, second.id) == ("FROM", 7, "TO", None)
    assert rig.drops.counts[reason] == 2


def test_one_line_a_minute_for_each_reason_and_peer() -> None:
    rig = Rig()
    for _ in range(1000):
        rig.drops.drop("replay", "FROM", "192.0.2.7")
        rig.drops.drop("bad_icv", "FROM", "192.0.2.7")
        rig.drops.drop("replay", "FROM", "192.0.2.8")
    assert len(rig.lines) == 3
    rig.clock.now += INTERVAL
    rig.drops.drop("replay", "FROM", "192.0.2.7")
    assert rig.lines[3:] == [
        "2997 more packets were dropped in the meantime without a line each",
        "Packet from 192.0.2.7 dropped, it was received before, or comes much too late",
    ]
    assert rig.drops.counts["replay"] == 2001


def test_a_flood_from_everywhere_does_not_fill_the_log() -> None:
    rig = Rig()
    for number in range(100_000):
        rig.drops.drop("no_sa", "FROM", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(rig.lines) == LINES
    assert rig.drops.counts["no_sa"] == 100_000


def test_verbose_leaves_nothing_out() -> None:
    rig = Rig("ipsec.verbose=1")
    for _ in range(100):
        rig.drops.drop("replay", "FROM", "192.0.2.7")
    assert len(rig.lines) == 100
