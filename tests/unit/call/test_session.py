"""The session between two parties that a test plays: what is passed, what is late, and one end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from libreims.base.errors import Reject
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.call.events import (
    Acknowledged,
    Answered,
    Cause,
    ChangeCancelled,
    Changed,
    ChangeRefused,
    Changing,
    Ended,
    Event,
    InfoAnswered,
    Informed,
    Notify,
    Offered,
    Progress,
    Refused,
)
from libreims.call.services import CallServices
from libreims.call.session import INIT, MO, MT, RINGING, START, STOP, TABLE, Session
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp
from support.virtual import VirtualLoop

SDP = SessionDescription.parse(sdp("10.0.0.7"))
BYE = Ended(Cause("hung up"))


class Stage:
    """A party that notes what it gets, and raises what it is told to."""

    def __init__(self, name: str) -> None:
        self.phone = name
        self.notify: Notify = lambda event: None
        self.got: list[Event] = []
        self.joined = 0
        self.released = 0
        self.raises: Exception | None = None
        self.does: Callable[[], None] | None = None
        self.heard = 0.0
        self.two_way = True
        self.early_media = True
        self.media = self

    def handle(self, event: Event) -> None:
        self.got.append(event)
        error, self.raises = self.raises, None
        if error is not None:
            raise error
        does, self.does = self.does, None
        if does is not None:
            does()

    def join(self, near: object) -> None:
        self.joined += 1

    def bridge(self, far: object) -> None:
        pass

    def renewed(self) -> None:
        pass

    def expects_packets(self) -> bool:
        return self.two_way

    def last_activity(self) -> float:
        return self.heard

    def release(self) -> None:
        self.released += 1

    @property
    def last(self) -> Event:
        return self.got[-1]


class Play:
    """A session with its two parties."""

    def __init__(self, loop: VirtualLoop, config: str = "dialog_timeout: 30") -> None:
        self.log = Log(utc=lambda: 0.0)
        self.log.configure("all.level=debug")
        services = CallServices(
            agent=cast(Any, None),
            clock=loop,
            tokens=Tokens(1),
            config=ConfigStore(loads(config).settings),
            log=self.log.layer("ims"),
            dialogs=cast(Any, None),
            **({"history": cast(Any, None)} if "history" in CallServices.__slots__ else {}),
        )
        self.mo, self.mt = Stage("alice"), Stage("bob")
        self.ended: list[Session] = []
        self.session = Session(services, 7, cast(Any, self.mo), cast(Any, self.mt), self.ended.append)

    def started(self) -> Play:
        self.mo.notify(Offered(SDP, ()))
        self.mt.notify(Progress(180))
        self.mt.notify(Answered(SDP))
        assert self.session.state == START
        return self

    def text(self) -> str:
        return "\n".join(entry.message for entry in self.log.ring.since(0)[1])


@pytest.fixture
def play(virtual_loop: VirtualLoop) -> Play:
    return Play(virtual_loop)


def test_offer_progress_answer_and_end(play: Play) -> None:
    play.mo.notify(Offered(SDP, ()))
    assert isinstance(play.mt.last, Offered) and play.session.state == INIT
    play.mt.notify(Progress(183, SDP))
    assert play.session.state == INIT and play.mt.joined == 1
    play.mt.notify(Progress(180))
    assert play.session.state == RINGING
    play.mt.notify(Answered(SDP))
    assert play.session.state == START and play.mt.joined == 2
    play.mo.notify(BYE)
    assert play.mt.last is BYE
    assert play.session.state == STOP
    assert (play.mo.released, play.mt.released, play.ended) == (1, 1, [play.session])


@pytest.mark.parametrize(
    "event",
    [
        Changing("INVITE", SDP),
        ChangeRefused(491),
        ChangeCancelled(),
        Informed(1, (), b""),
        InfoAnswered(1, 200),
    ],
)
@pytest.mark.parametrize("side", [MO, MT])
def test_in_a_running_call_each_event_goes_to_the_other_side(play: Play, side: str, event: Event) -> None:
    play.started()
    teller, other = (play.mo, play.mt) if side == MO else (play.mt, play.mo)
    teller.notify(event)
    assert other.last is event and teller.got[-1:] != [event]


@pytest.mark.parametrize("event", [Changed(SDP), Acknowledged(SDP)])
def test_changed_media_are_connected_anew(play: Play, event: Event) -> None:
    play.started()
    before = play.mt.joined
    play.mt.notify(event)
    assert play.mo.last is event and play.mt.joined == before + 1


@pytest.mark.parametrize("event", [Progress(180), Answered(SDP), Refused(486), Offered(SDP, ())])
def test_what_stands_nowhere_in_the_table_is_late_and_dropped(play: Play, event: Event) -> None:
    play.started()
    before = list(play.mo.got)
    play.mt.notify(event)
    assert play.mo.got == before and play.session.state == START
    assert "is late" in play.text()


def test_nothing_reaches_anyone_after_the_end(play: Play) -> None:
    play.started()
    play.mt.notify(BYE)
    before = (list(play.mo.got), list(play.mt.got))
    for side in (MO, MT):
        for event in (BYE, Changing("INVITE", None), Answered(SDP)):
            play.session.event(side, event)
    play.session.stop(Cause("again"))
    assert (play.mo.got, play.mt.got) == before
    assert len(play.ended) == 1 and play.mo.released == 1


@pytest.mark.parametrize("side", [MO, MT])
def test_a_change_that_the_other_side_cannot_take_is_refused_to_who_asked(play: Play, side: str) -> None:
    play.started()
    teller, other = (play.mo, play.mt) if side == MO else (play.mt, play.mo)
    other.raises = Reject(503, "no media port is free")
    teller.notify(Changing("INVITE", SDP))
    assert isinstance(teller.last, ChangeRefused) and teller.last.status == 503
    assert play.session.state == START


def test_a_callee_that_cannot_be_called_is_refused_to_the_caller_with_all_that_explains_it(
    play: Play,
) -> None:
    play.mt.raises = Reject(503, "no media port is free", headers=(("Retry-After", "10"),))
    play.mo.notify(Offered(SDP, ()))
    refusal = play.mo.got[0]
    assert isinstance(refusal, Refused) and refusal.status == 503
    assert ("Retry-After", "10") in refusal.headers
    assert play.session.state == STOP and play.mo.released == play.mt.released == 1


@pytest.mark.parametrize("where", ["offer", "answer", "change", "end"])
def test_a_fault_ends_this_call_and_releases_everything(play: Play, where: str) -> None:
    fault = ZeroDivisionError("a fault")
    if where == "offer":
        play.mt.raises = fault
        play.mo.notify(Offered(SDP, ()))
    else:
        play.mo.notify(Offered(SDP, ()))
        play.mo.raises = fault
        if where == "answer":
            play.mt.notify(Answered(SDP))
        else:
            play.mo.raises = None
            play.mt.notify(Answered(SDP))
            play.mo.raises = fault
            play.mt.notify(Changing("INVITE", SDP) if where == "change" else BYE)
    assert play.session.state == STOP
    assert play.mo.released == play.mt.released == 1
    assert play.ended == [play.session]
    assert "ended by a fault" in play.text()


def test_stop_tells_both_and_survives_a_party_that_does_not_take_it(play: Play) -> None:
    play.started()
    play.mt.raises = ZeroDivisionError()
    play.session.stop(Cause("shutdown"))
    assert "ended by a fault" in play.text()
    assert isinstance(play.mo.last, Ended)
    assert play.mo.released == play.mt.released == 1


@pytest.mark.parametrize("event", [Progress(183, SDP), Answered(SDP)])
def test_a_caller_that_ends_the_call_on_what_it_hears_is_not_connected_any_more(
    play: Play, virtual_loop: VirtualLoop, event: Event
) -> None:
    play.mo.notify(Offered(SDP, ()))
    play.mo.does = lambda: play.mo.notify(BYE)
    play.mt.notify(event)
    assert play.session.state == STOP and play.mt.joined == 0
    assert play.mo.released == play.mt.released == len(play.ended) == 1
    assert virtual_loop.pending_timers() == 0


def test_a_caller_that_ends_the_call_on_a_refusal_ends_it_once(play: Play) -> None:
    play.mo.notify(Offered(SDP, ()))
    play.mo.does = lambda: play.mo.notify(BYE)
    play.mt.notify(Refused(486))
    assert play.mo.released == play.mt.released == len(play.ended) == 1


def test_no_fault_leaves_the_session_even_where_the_end_is_told(play: Play) -> None:
    play.started()
    play.mo.raises = ZeroDivisionError()
    play.mt.raises = Reject(503, "no media port is free")
    play.mo.notify(Changing("INVITE", SDP))  # the other side refuses, and who asked fails on hearing that
    assert play.session.state == STOP
    assert isinstance(play.mo.last, Ended) and isinstance(play.mt.last, Ended)
    assert play.mo.released == play.mt.released == len(play.ended) == 1


def test_nothing_passes_before_the_offer_and_there_is_one(play: Play) -> None:
    play.mt.notify(Answered(SDP))
    assert play.mo.got == []
    play.mo.notify(Offered(SDP, ()))
    play.mo.notify(Offered(SDP, ()))
    assert len(play.mt.got) == 1


def test_silence_of_both_sides_ends_the_call(virtual_loop: VirtualLoop) -> None:
    play = Play(virtual_loop).started()
    virtual_loop.advance(20)
    play.mo.heard = virtual_loop.time()
    virtual_loop.advance(29)
    assert play.session.state == START
    virtual_loop.advance(2)
    assert play.session.state == STOP
    assert "dialog_timeout" in play.text()
    assert virtual_loop.pending_timers() == 0


def test_silence_on_hold_does_not_and_the_end_stops_the_watch(virtual_loop: VirtualLoop) -> None:
    play = Play(virtual_loop).started()
    play.mo.two_way = False
    virtual_loop.advance(3600)
    assert play.session.state == START
    play.mo.notify(BYE)
    assert virtual_loop.pending_timers() == 0


def test_without_dialog_timeout_nothing_is_watched(virtual_loop: VirtualLoop) -> None:
    Play(virtual_loop, "dialog_timeout: 0").started()
    assert virtual_loop.pending_timers() == 0


def test_the_table_lets_no_state_after_the_end_do_anything() -> None:
    assert not [key for key in TABLE if key[0] == STOP]
