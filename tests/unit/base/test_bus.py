"""`base.bus.Bus`."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.base.bus import Bus
from libreims.base.log import Log


@dataclass(frozen=True)
class Removed:
    user: str


@dataclass(frozen=True)
class Added:
    user: str


def test_listeners_get_the_events_of_their_class_in_order_of_subscription() -> None:
    bus = Bus(Log.null().layer("ims"))
    seen: list[str] = []
    bus.subscribe(Removed, lambda event: seen.append(f"first {event.user}"))
    bus.subscribe(Removed, lambda event: seen.append(f"second {event.user}"))
    bus.subscribe(Added, lambda event: seen.append(f"added {event.user}"))
    bus.publish(Removed("a"))
    bus.publish("nobody listens to strings")
    assert seen == ["first a", "second a"]


def test_a_listener_that_raises_is_logged_and_the_others_are_told() -> None:
    log = Log(utc=lambda: 0.0)
    bus = Bus(log.layer("ims"))
    seen: list[Removed] = []

    def fail(_: Removed) -> None:
        raise ValueError("listener is broken")

    bus.subscribe(Removed, fail)
    bus.subscribe(Removed, seen.append)
    bus.publish(Removed("a"))
    assert seen == [Removed("a")]
    _, entries = log.ring.since(0)
    assert [entry.level_name for entry in entries] == ["error"]
    assert "Removed" in entries[0].message
    assert "listener is broken" in entries[0].message
    assert any("Traceback" in line for line in entries[0].lines)


def test_ending_a_subscription_twice_and_during_delivery_is_harmless() -> None:
    bus = Bus(Log.null().layer("ims"))
    seen: list[str] = []

    def once(event: Removed) -> None:
        seen.append(event.user)
        end()

    end = bus.subscribe(Removed, once)
    bus.subscribe(Removed, lambda event: seen.append(event.user.upper()))
    bus.publish(Removed("a"))
    end()
    bus.publish(Removed("b"))
    assert seen == ["a", "A", "B"]


def test_whether_anyone_wants_an_event() -> None:
    bus = Bus(Log.null().layer("ims"))
    assert not bus.wanted(str)
    end = bus.subscribe(str, print)
    assert bus.wanted(str) and not bus.wanted(int)
    end()
    assert not bus.wanted(str)
