from __future__ import annotations

import dataclasses

import pytest

from libreims.proto.sip.timers import SipTimers


def test_defaults_of_the_manual() -> None:
    timers = SipTimers()
    assert (timers.t1, timers.t2, timers.t4) == (2.0, 16.0, 17.0)
    assert (timers.b, timers.f, timers.h, timers.j, timers.l, timers.m) == (128.0,) * 6


def test_table_4_of_rfc_3261() -> None:
    timers = SipTimers(t1=0.5, t2=4.0, t4=5.0)
    assert (timers.a, timers.e, timers.g) == (0.5, 0.5, 0.5)
    assert (timers.b, timers.d, timers.f, timers.h, timers.j) == (32.0,) * 5
    assert (timers.i, timers.k) == (5.0, 5.0)


@pytest.mark.parametrize("wrong", [{"t1": 0.0}, {"t2": -1.0}, {"t4": 0.0}])
def test_zero_would_never_end(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        SipTimers(**wrong)


def test_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SipTimers().t1 = 1.0  # type: ignore[misc]
