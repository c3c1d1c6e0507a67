"""Phones that ring together and in turn (RFC 3261 §16.6, §16.7)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from libreims.base.errors import Reject
from libreims.call.events import (
    Answered,
    Cause,
    Ended,
    Event,
    InfoAnswered,
    Informed,
    Notify,
    Offered,
    Progress,
    Refused,
    Reserved,
)
from libreims.call.fork import ELSEWHERE, PASSED_ON, PATIENCE, Fork
from libreims.call.leg import unconnected
from libreims.proto.sdp.description import SessionDescription
from support.manual_clock import ManualClock

OFFER = Offered(None, ())
SDP = SessionDescription.parse(b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\n")


class Branch:
    """A phone of which a test tells what it does."""

    def __init__(self, phone: str, fault: Reject | None = None) -> None:
        self.phone = phone
        self.notify: Notify = unconnected
        self.heard: list[Event] = []
        self.released = 0
        self._fault = fault

    def handle(self, event: Event) -> None:
        if self._fault is not None and isinstance(event, Offered):
            raise self._fault
        self.heard.append(event)

    def join(self, near: Any) -> None:
        self.heard.append(near)

    def renewed(self) -> None:
        self.heard.append(Progress(0))

    def last_activity(self) -> float:
        return 0.0

    def release(self) -> None:
        self.released += 1


class Rig:
    """A fork of groups; `told` is what the caller's side hears."""

    def __init__(self, *groups: str, faults: dict[str, Reject] | None = None) -> None:
        self.clock = ManualClock()
        self.warnings: list[str] = []
        log = SimpleNamespace(warn=self.warnings.append, exception=lambda text, error: None)
        services: Any = SimpleNamespace(clock=self.clock, log=log)
        self.branches = {name: Branch(name, (faults or {}).get(name)) for group in groups for name in group}
        first, *later = [[self.branches[name] for name in group] for group in groups]
        self.fork = Fork(first, later=later, services=services)
        self.told: list[Event] = []
        self.fork.notify = self.told.append

    def __getitem__(self, name: str) -> Branch:
        return self.branches[name]

    def start(self) -> Rig:
        self.fork.handle(OFFER)
        return self

    @property
    def called(self) -> str:
        return "".join(name for name, branch in self.branches.items() if OFFER in branch.heard)

    def refuse(self, name: str, status: int) -> None:
        self[name].notify(Refused(status))


def test_a_group_follows_when_all_before_it_have_refused() -> None:
    rig = Rig("ab", "c", "de").start()
    assert rig.called == "ab"
    rig.refuse("a", 480)
    assert rig.called == "ab"
    rig.refuse("b", 486)
    assert rig.called == "abc"
    rig.refuse("c", 500)
    assert rig.called == "abcde" and rig.told == []
    rig.refuse("d", 404)
    rig.refuse("e", 480)
    assert rig.told == [Refused(486)]
    assert rig.clock.waiting == 0


def test_impatience_goes_on_to_the_next_group_but_not_past_the_last() -> None:
    rig = Rig("ab", "c").start()
    rig["a"].notify(Progress(183, SDP))
    rig.clock.advance(PATIENCE - 1)
    assert rig.called == "ab"
    rig.clock.advance(1)
    assert rig.called == "abc"
    for name in "ab":
        assert rig[name].heard[-1] == Ended(PASSED_ON)
        assert rig[name].released == 1
    rig["a"].notify(Answered(SDP))  # its 200 crossed the CANCEL; the leg ends that itself
    assert rig.clock.waiting == 0
    rig["c"].notify(Progress(183, SDP))
    assert rig.told[-1] == Progress(183, SDP), "the early media of the next group are heard"
    rig.refuse("c", 500)
    assert rig.told[-1] == Refused(408, None, PASSED_ON.headers)


@pytest.mark.parametrize("end", ["answer", "decline", "caller", "release"])
def test_what_ends_the_search(end: str) -> None:
    rig = Rig("ab", "c").start()
    if end == "answer":
        rig["a"].notify(Answered(SDP))
        assert rig["b"].heard[-1] == Ended(ELSEWHERE)
        assert rig.told == [Answered(SDP)]
    elif end == "decline":
        rig.refuse("a", 603)
        assert rig.told == [Refused(603)]
        assert isinstance(rig["b"].heard[-1], Ended)
    elif end == "caller":
        rig.fork.handle(Ended(Cause("hung up")))
        rig.refuse("a", 487)
        rig.refuse("b", 487)
        assert isinstance(rig["a"].heard[-1], Ended) and isinstance(rig["b"].heard[-1], Ended)
        assert rig.told == [], "who hung up is told nothing"
    else:
        rig.fork.release()
        assert all(branch.released for branch in rig.branches.values())
    rig.clock.advance(10 * PATIENCE)
    assert rig.called == "ab"
    assert rig.clock.waiting == 0


def test_who_cannot_be_called_counts_as_a_refusal() -> None:
    rig = Rig("a", "bc", "d", faults={"b": Reject(503, "no port"), "c": Reject(503, "no port")}).start()
    rig.refuse("a", 480)
    assert rig.called == "ad"
    assert rig.warnings == ["b is not called: no port", "c is not called: no port"]
    rig.refuse("d", 404)
    assert rig.told == [Refused(480)]


def test_the_first_early_media_are_heard_and_headers_pass_all_the_same() -> None:
    rig = Rig("ab").start()
    headers = (("P-Asserted-Identity", "<tel:1>"),)
    rig["a"].notify(Progress(183, SDP, headers))
    rig["b"].notify(Progress(183, SDP, headers))
    assert rig.told == [Progress(183, SDP, headers), Progress(183, None, headers)]


def test_phones_of_one_user_are_named_once() -> None:
    branches = [Branch("bob"), Branch("bob"), Branch("carol")]
    assert Fork(branches[:1], later=[branches[1:]]).phone == "bob and carol"


def test_a_phone_that_cannot_be_called_does_not_keep_the_others_of_its_group_from_ringing() -> None:
    rig = Rig("ab", faults={"a": Reject(503, "no media port is free")}).start()
    assert rig.called == "b"
    assert isinstance(rig["a"].heard[-1], Ended) and rig["a"].released == 1
    rig.refuse("b", 404)
    assert [type(each) for each in rig.told] == [Refused] and rig["b"].released == 1


def test_phones_that_are_called_later_know_that_the_caller_is_ready() -> None:
    rig = Rig("a", "b")
    rig.fork.handle(Offered(None, (), ready=False))
    rig.fork.handle(Reserved())
    rig.refuse("a", 480)
    assert rig["b"].heard == [Offered(None, (), ready=True)]


def test_an_info_before_the_answer_has_one_answer_and_is_nobody_elses() -> None:
    rig = Rig("ab").start()
    rig.fork.handle(Informed(7, (), b""))
    assert rig.told == [InfoAnswered(7, 480)]
    rig["a"].notify(Informed(1, (), b""))
    assert rig["a"].heard[-1] == InfoAnswered(1, 480)
    assert rig["b"].heard == [OFFER] and len(rig.told) == 1


@pytest.mark.parametrize("end", ["caller", "answer", "decline", "impatience"])
def test_a_fault_of_one_phone_does_not_keep_the_others_ringing(end: str) -> None:
    rig = Rig("abc", "d").start()

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    rig["b"].handle = broken  # type: ignore[method-assign]
    if end == "impatience":
        rig.clock.advance(PATIENCE)
        assert isinstance(rig.told[-1], Ended)
    else:
        with pytest.raises(ZeroDivisionError):
            if end == "caller":
                rig.fork.handle(Ended(Cause("hung up")))
            elif end == "answer":
                rig["a"].notify(Answered(SDP))
            else:
                rig.refuse("a", 603)
    assert isinstance(rig["c"].heard[-1], Ended)
    assert rig["b"].released == rig["c"].released == 1
    assert rig.clock.waiting == 0


def test_a_fault_in_calling_the_next_group_ends_the_call() -> None:
    rig = Rig("a", "bc").start()

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    rig["b"].handle = broken  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        rig.refuse("a", 480)
    assert [type(each) for each in rig.told] == [Ended]
    assert rig["b"].released == rig["c"].released == 1
    assert rig.clock.waiting == 0


def test_what_one_phone_says_at_once_ends_the_others_before_they_are_called() -> None:
    rig = Rig("ab")

    def declines(event: Event) -> None:
        rig["a"].notify(Refused(603))

    rig["a"].handle = declines  # type: ignore[method-assign]
    rig.start()
    assert OFFER not in rig["b"].heard
    assert rig.told == [Refused(603)]
