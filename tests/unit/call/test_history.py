"""`call.history` and `call.dialog_view`: records while a dialog is on and for 30 seconds after."""

from __future__ import annotations

import gc
import weakref

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.call.dialog_view import direction
from libreims.call.history import MT_CALL, SERVER, UNRECORDED, DialogChanged, Events, History, Record
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp
from support.manual_clock import ManualClock


class Hook:
    """Stands for the callflow hook."""

    def __init__(self) -> None:
        self.followed: dict[str, Events] = {}

    def follow(self, call_id: str, events: Events) -> None:
        self.followed[call_id] = events

    def unfollow(self, call_id: str, events: Events) -> None:
        if self.followed.get(call_id) is events:
            del self.followed[call_id]


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.hook = Hook()
        self.bus = Bus(Log.null().layer("ims"))
        self.history = History(self.clock, lambda: 1000.5 + self.clock.time(), self.bus, self.hook)

    def begun(self, call_id: str = "x", kind: str = SERVER) -> Record:
        record = self.history.open(kind, "sip:alice", "sip:bob")
        record.follow(call_id)
        return record


def test_a_life_with_times_relative_to_its_beginning() -> None:
    rig = Rig()
    record = rig.history.open(SERVER, "sip:alice", "sip:bob")
    record.invited("x")
    rig.clock.advance(1.5)
    record.enter("ringing")
    rig.hook.followed["x"] += (rig.clock.time(), "send", "sip_180")
    rig.clock.advance(1)
    record.enter("start")
    record.enter("start")
    rig.clock.advance(4)
    (view,) = rig.history.views()
    assert view.duration == 4 and view.date == 1100
    record.enter("stop")
    record.enter("start")  # what comes late changes nothing
    rig.clock.advance(2)
    (view,) = rig.history.views(record.session_id)
    assert (view.state, view.duration) == ("stop", 4)
    assert [(each.timestamp, each.type, each.state, each.message) for each in view.event_list] == [
        (0, "state", "init", ""),
        (0, "recv", "init", "INVITE"),
        (0, "send", "init", "100 Trying"),
        (1.5, "state", "ringing", ""),
        (1.5, "send", "ringing", "180 Ringing"),
        (2.5, "state", "start", ""),
        (6.5, "state", "stop", ""),
    ]


def test_a_dialog_that_never_started_has_no_duration() -> None:
    rig = Rig()
    record = rig.begun()
    rig.clock.advance(3)
    record.enter("stop")
    assert next(rig.history.views()).duration == 0


def test_it_is_listed_for_thirty_seconds_after_its_end() -> None:
    rig = Rig()
    first, second = rig.begun("1"), rig.begun("2")
    first.enter("stop")
    rig.clock.advance(10)
    second.enter("stop")
    rig.clock.advance(19.9)
    assert len(rig.history) == 2
    rig.clock.advance(0.2)
    assert rig.history.find(first.session_id) is None
    assert rig.history.find(second.session_id) is second
    rig.clock.advance(10)
    assert len(rig.history) == 0
    third = rig.begun("3")
    third.enter("stop")
    rig.history.close()
    rig.clock.advance(100)
    assert len(rig.history) == 0


def test_the_latest_is_the_one_that_began_last_and_is_on() -> None:
    rig = Rig()
    assert rig.history.latest() is None
    first = rig.begun("1")
    second = rig.begun("2")
    rig.history.open(MT_CALL, "a", "b")  # a phone that is not called yet
    assert rig.history.latest() is second
    second.enter("stop")
    assert rig.history.latest() is first


def test_messages_are_followed_to_the_end_of_the_dialog_only() -> None:
    rig = Rig()
    record = rig.begun("x")
    record.enter("stop")
    assert "x" in rig.hook.followed
    record.forget()
    assert not rig.hook.followed and record.leg is None and record.session is None
    again = rig.begun("x")
    record.forget()
    assert rig.hook.followed["x"] is again.events


def test_whoever_listens_gets_every_state() -> None:
    rig = Rig()
    seen: list[DialogChanged] = []
    end = rig.bus.subscribe(DialogChanged, seen.append)
    record = rig.begun()
    for state in ("ringing", "ringing", "start", "hold", "start"):
        record.enter(state)
    end()
    record.enter("stop")
    assert [event.dialog.state for event in seen] == ["ringing", "start", "hold", "start"]
    assert not rig.bus.wanted(DialogChanged)


def test_the_other_dialog_of_a_call() -> None:
    rig = Rig()
    mo = rig.begun("1")
    one, two = rig.begun("2", MT_CALL), rig.begun("3", MT_CALL)
    mo.peers = (one, two)
    one.peers = two.peers = (mo,)

    def named() -> str | None:
        return next(rig.history.views(mo.session_id)).mt_dialog

    assert named() == one.session_id
    assert next(rig.history.views(two.session_id)).mo_dialog == mo.session_id
    one.enter("stop")
    assert named() == two.session_id
    two.enter("start")
    two.enter("stop")
    assert named() == two.session_id


def test_nothing_refers_to_a_record_that_is_no_longer_listed() -> None:
    rig = Rig()
    mo, mt = rig.begun("1"), rig.begun("2", MT_CALL)
    mo.peers, mt.peers = (mt,), (mo,)
    gone = weakref.WeakSet[object]()  # a record has slots; something that it holds tells
    watched = Watched()
    mo.qos = watched  # type: ignore[assignment]
    gone.add(watched)
    for each in (mo, mt):
        each.forget()
    gc.collect()
    gc.disable()
    try:
        rig.clock.advance(31)
        del mo, mt, each, watched
        assert not gone, "a cycle keeps the record"
    finally:
        gc.enable()


class Watched(dict[int, str]):
    """Something that can be referred to weakly."""

    __hash__ = object.__hash__


def test_a_leg_that_nobody_lists_costs_nothing() -> None:
    UNRECORDED.follow("x")
    UNRECORDED.enter("start")
    UNRECORDED.forget()


def test_directions_are_ours() -> None:
    def described(direction: str) -> SessionDescription:
        return SessionDescription.parse(sdp("10.0.0.9", direction=direction))

    assert direction(None, None, 0) == "sendrecv"
    assert direction(described("sendonly"), None, 0) == "sendonly"
    assert direction(None, described("sendonly"), 0) == "recvonly"
    assert direction(described("sendonly"), described("sendonly"), 0) == "inactive"
    assert direction(described("sendonly"), described("recvonly"), 0) == "sendonly"
    assert direction(described("sendonly"), described("recvonly"), 1) == "sendrecv"  # no such m-line
