"""`call.own_offer`: glare and the times that RFC 3261 §14.1 sets for it."""

from __future__ import annotations

import pytest

from libreims.base.tokens import Tokens
from libreims.call.events import ChangeRefused
from libreims.call.own_offer import ATTEMPTS, OwnOffer
from support.manual_clock import ManualClock

GLARE = ChangeRefused(491)


class Rig:
    """An offer whose sending is only counted."""

    def __init__(self, owner: bool = True, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.sent: list[float] = []
        self.offer = OwnOffer(self.clock, Tokens(seed), owner, lambda: self.sent.append(self.clock.time()))


@pytest.mark.parametrize(("owner", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_a_491_it_is_tried_again(owner: bool, low: float, high: float) -> None:
    """§14.1: 2.1 to 4 seconds for the owner of the Call-ID, 0 to 2 for the other, in units of 10 ms."""
    waits = set()
    for seed in range(60):
        rig = Rig(owner, seed)
        rig.offer.ask()
        assert rig.offer.refused(GLARE)
        rig.clock.advance(5)
        assert len(rig.sent) == 2
        waits.add(rig.sent[1])
    assert low <= min(waits) < low + 0.4 and high - 0.4 < max(waits) <= high
    assert all(abs(wait * 100 - round(wait * 100)) < 1e-6 for wait in waits)


def test_what_is_asked_for_meanwhile_follows_once() -> None:
    rig = Rig()
    rig.offer.ask()
    rig.offer.ask()
    rig.offer.ask()
    assert len(rig.sent) == 1 and rig.offer.pending
    rig.offer.accepted()
    assert len(rig.sent) == 2
    rig.offer.accepted()
    assert len(rig.sent) == 2 and not rig.offer.pending


def test_what_is_asked_for_while_it_waits_goes_with_the_next_attempt() -> None:
    rig = Rig()
    rig.offer.ask()
    rig.offer.refused(GLARE)
    rig.offer.ask()
    assert len(rig.sent) == 1
    rig.clock.advance(5)
    assert len(rig.sent) == 2
    rig.offer.accepted()
    assert len(rig.sent) == 2


def test_a_phone_that_is_busy_says_how_long() -> None:
    """§14.2: 500 with Retry-After while the phone's own offer is not answered."""
    rig = Rig()
    rig.offer.ask()
    assert rig.offer.refused(
        ChangeRefused(500, (("Retry-After", "7 (busy)"), ("Retry-After", "7;duration=9")))
    )
    rig.clock.advance(6.9)
    assert len(rig.sent) == 1
    rig.clock.advance(0.2)
    assert rig.sent == [0.0, 7.0]


@pytest.mark.parametrize(
    "event", [ChangeRefused(488), ChangeRefused(500), ChangeRefused(503, (("Retry-After", "1"),))]
)
def test_other_refusals_are_final(event: ChangeRefused) -> None:
    rig = Rig()
    rig.offer.ask()
    rig.offer.ask()
    assert not rig.offer.refused(event)
    rig.clock.advance(100)
    assert len(rig.sent) == 1
    rig.offer.ask()
    assert len(rig.sent) == 2


def test_glare_without_end_is_given_up() -> None:
    rig = Rig()
    rig.offer.ask()
    for _ in range(ATTEMPTS - 1):
        assert rig.offer.refused(GLARE)
        rig.clock.advance(5)
    assert len(rig.sent) == ATTEMPTS
    assert not rig.offer.refused(GLARE)
    rig.clock.advance(100)
    assert len(rig.sent) == ATTEMPTS


def test_a_call_that_is_over_is_asked_nothing() -> None:
    rig = Rig()
    rig.offer.ask()
    rig.offer.refused(GLARE)
    rig.offer.close()
    rig.clock.advance(100)
    assert len(rig.sent) == 1
