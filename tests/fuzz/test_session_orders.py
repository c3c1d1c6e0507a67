"""The real session, and the real fork, between doubles that hold both directions to the contract.

Each order is a run of random events of both sides: late ones, illegal ones, answers from within a question,
faults and refusals raised inside a party, the silence of `dialog_timeout`, the end from our own side.
Whatever happens, the laws of `Double` hold, and the call ends once with nothing left.

In half of the orders the parties have manners: they ask only what may be asked and answer each question once.
Then each question has to have exactly one answer too.  2,000 orders in the ordinary suite; more with

    LIBREIMS_ORDERS=100000 ./test tests/fuzz/test_session_orders.py
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from libreims.base.errors import Reject
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
    Reserved,
)
from libreims.call.fork import Fork
from libreims.call.party import Party
from libreims.call.session import INIT, MO, MT, RINGING, STOP, Session
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp
from support.manual_clock import ManualClock

ORDERS = int(os.environ.get("LIBREIMS_ORDERS", "2000"))
PARTS = 20
SDP = SessionDescription.parse(sdp("10.0.0.7"))
TIMEOUT = 50.0
DEEP = 3
"""How far parties answer from within what they are told."""

OF_A_RUNNING_CALL = (Changing, Changed, ChangeRefused, ChangeCancelled, Acknowledged)
ILLEGAL: tuple[Callable[[Random], Event], ...] = (
    lambda dice: Offered(dice.choice((SDP, None)), (), ready=False),
    lambda dice: Progress(dice.choice((180, 183, 199)), dice.choice((SDP, None)), silent=dice.random() < 0.2),
    lambda dice: Answered(SDP),
    lambda dice: Refused(dice.choice((404, 486, 503, 603))),
    lambda dice: Reserved(),
    lambda dice: Acknowledged(SDP),
    lambda dice: Changing(dice.choice(("INVITE", "UPDATE")), dice.choice((SDP, None))),
    lambda dice: Changed(SDP),
    lambda dice: ChangeRefused(491),
    lambda dice: ChangeCancelled(),
    lambda dice: Informed(dice.randrange(4), (), b""),
    lambda dice: InfoAnswered(dice.randrange(4), 200),
    lambda dice: Ended(Cause("out of order")),
)


class Fault(Exception):
    """What a party with a mistake in it raises."""


class Order:
    """One call and what happens in it."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)
        self.manners = seed % 2 == 0
        self.faulty = dice.choice((0.0, 0.0, 0.02, 0.1))
        self.eager = dice.choice((0.0, 0.2, 0.6))
        self.over = False
        self.depth = 0
        self.trace: list[str] = []
        self.logged: list[str] = []
        self.clock = ManualClock()
        self.finished = 0
        self.raised = False
        config = SimpleNamespace(current=SimpleNamespace(dialog_timeout=dice.choice((0, TIMEOUT))))
        services: Any = SimpleNamespace(clock=self.clock, config=config, log=self)
        self.mo = Double(self, MO, "mo")
        groups = [1] if dice.random() < 0.5 else dice.choice(([2], [3], [1, 1], [2, 1], [1, 2, 1]))
        self.branches = [Double(self, MT, f"mt{number}") for number in range(sum(groups))]
        mt: Any = self.branches[0]
        if len(self.branches) > 1:
            mt = self._fork(groups, services)
        mo: Any = self.mo
        self.session = Session(services, 1, mo, mt, self._finished)
        self.parties = [self.mo, *self.branches]

    def _fork(self, groups: Sequence[int], services: Any) -> Fork:
        rest: list[Any] = list(self.branches)
        parts: list[list[Party]] = [[rest.pop(0) for _ in range(size)] for size in groups]
        return Fork(parts[0], later=parts[1:], services=services)

    def _finished(self, session: Session) -> None:
        self.finished += 1

    # the log
    def info(self, text: str, **_: object) -> None: ...

    def debug(self, text: str, **_: object) -> None: ...

    def warn(self, text: str, **_: object) -> None: ...

    def error(self, text: str, **_: object) -> None: ...

    def exception(self, text: str, error: BaseException) -> None:
        """What the program caught: only what a double raised on purpose may be among it."""
        assert isinstance(error, Fault | Reject), (error, self.trace)

    def law(self, holds: bool, text: str) -> None:
        if not holds:
            raise Broken(f"{text}\n" + "\n".join(self.trace))

    def run(self) -> Counter[str]:
        """Play it to its end; which events were told, for the test of the test."""
        dice = self.dice
        for _ in range(dice.randrange(4, 30)):
            self.step()
        if self.manners and not self.over:
            self.faulty = self.eager = 0.0
            for party in self.parties:
                party.settle()
            for party in self.parties:
                if not self.over and not party.out:
                    self.law(not party.asked and not party.infos, f"{party.phone} waits for an answer")
        if dice.random() < 0.5:
            self.session.stop(Cause("the end of the order"))
        else:
            self.mo.tell(Ended(Cause("the end of the order")))
        for _ in range(3):
            self.step()
        self.check_end()
        return Counter(line.split("(")[0].split("=")[0] for line in self.trace)

    def step(self) -> None:
        dice = self.dice
        chance = dice.random()
        if chance < 0.1:
            seconds = dice.choice((1.0, 20.0, 31.0, 60.0))
            self.trace.append(f"time {seconds:g}")
            try:
                self.clock.advance(seconds)
            except (Fault, Reject):  # the loop reports it; `check_end` sees that all were told before
                self.law(len(self.branches) > 1, "an exception leaves a timer of the session")
        elif chance < 0.115:
            self.trace.append("stop")
            self.session.stop(Cause("stopped"))
        else:
            dice.choice((self.mo, dice.choice(self.branches))).act()

    def check_end(self) -> None:
        law = self.law
        law(self.session.state == STOP, "the session does not end")
        law(self.finished == 1, f"finished called {self.finished} times")
        law(self.clock.waiting == 0, "a timer still runs")
        for party in self.parties:
            law(party.released >= 1, f"{party.phone} is not released")
            if party in (self.mo, self.session.mt):
                law(party.released == 1, f"{party.phone} is released {party.released} times")
            if party.begun and not party.out:
                law(party.ended + party.refused > 0, f"{party.phone} is not told that the call is over")


class Broken(BaseException):
    """A law is broken; no handler of the program catches this."""


class Double:
    """A phone or several: what it hears is held to the contract, what it tells is random."""

    def __init__(self, order: Order, side: str, phone: str) -> None:
        self.order = order
        self.side = side
        self.phone = phone
        self.notify: Notify = lambda event: None
        self.early_media = order.dice.random() < 0.7
        self.media: Any = self
        self.begun = False  # MO has offered, MT has been offered
        self.answered = False  # the call is on, as far as this side knows
        self.out = False  # it told the end itself
        self.ended = self.refused = self.released = 0
        self.asked: Changing | None = None  # its own change, not answered yet
        self.held: Changing | None = None  # the other side's, not answered yet
        self.owes_ack = self.due_ack = False
        self.infos: set[int] = set()
        self.infos_held: list[int] = []
        self.number = 0
        self.reserved = False  # the session has heard so

    # -- what it hears ---------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        order = self.order
        order.trace.append(f"{self.phone} hears {event!r:.70}")
        law = order.law
        law(not self.released, f"{self.phone} hears {event!r:.40} after its release")
        law(not self.ended, f"{self.phone} hears {event!r:.40} after Ended")
        law(not self.refused or isinstance(event, Ended), f"{self.phone} hears {event!r:.40} after Refused")
        self._ordinary(event)
        if not isinstance(event, Ended | Refused):
            law(order.session.state != STOP, f"{self.phone} hears {event!r:.40} in a call that is over")
        over = isinstance(event, Ended | Refused)
        if over:
            self._note(event)
        self._fail("before")
        if not over:
            self._note(event)
        if order.depth < DEEP and order.dice.random() < order.eager:
            order.depth += 1
            try:
                self.act()
            finally:
                order.depth -= 1
        if not order.manners:  # what is half done can neither be refused nor fail with manners
            self._fail("after")

    def _ordinary(self, event: Event) -> None:
        """What may come to this side at this stage, however the other one behaves."""
        law, name = self.order.law, f"{self.phone} hears {event!r:.40}"
        law(not isinstance(event, Offered) or (self.side == MT and not self.begun), name)
        if isinstance(event, Progress | Answered | Refused):
            law(self.side == MO and self.begun, name)
            law(
                not self.answered or (isinstance(event, Refused) and self.order.raised),
                f"{name} after Answered",
            )
        if isinstance(event, OF_A_RUNNING_CALL):
            law(self.answered, f"{name} before the call is on")
        law(self.begun or isinstance(event, Offered | Ended), f"{name} before the offer")

    def _fail(self, when: str) -> None:
        order = self.order
        if order.dice.random() >= order.faulty:
            return
        order.raised = True
        kind = order.dice.choice((Fault, Reject))
        order.trace.append(f"{self.phone} raises {kind.__name__} {when}")
        if kind is Fault:
            raise Fault(when)
        raise Reject(503, when)

    def _note(self, event: Event) -> None:
        law = self.order.law if self.order.manners else _lenient
        match event:
            case Offered():
                self.order.law(event.ready or not self.order.mo.reserved, f"{self.phone} will wait for ever")
                self.begun = True
                self.due_ack = event.description is None
            case Answered():
                self.answered = True
            case Refused():
                self.refused += 1
            case Ended():
                self.ended += 1
            case Changing():
                law(self.held is None, f"{self.phone} is asked while it is asked")
                law(self.asked is None, f"{self.phone} is asked while it asks")
                self.held = event
            case Changed():
                law(self.asked is not None, f"{self.phone} gets an answer that it did not ask for")
                self.owes_ack = self.asked is not None and self.asked.description is None
                self.asked = None
            case ChangeRefused():
                law(self.asked is not None, f"{self.phone} gets a refusal that it did not ask for")
                self.asked = None
            case ChangeCancelled():
                law(self.held is not None, f"{self.phone} is not asked what is taken back")
            case Acknowledged():
                law(self.due_ack, f"{self.phone} gets an acknowledgement that it does not wait for")
                self.due_ack = False
            case Informed():
                self.infos_held.append(event.number)
            case InfoAnswered():
                law(event.number in self.infos, f"{self.phone} gets two answers to an INFO, or a wrong one")
                self.infos.discard(event.number)

    def join(self, near: Any) -> None:
        law, session = self.order.law, self.order.session
        self.order.trace.append(f"{self.phone} is joined")
        law(session.state != STOP and not self.released, f"{self.phone} is joined in a call that is over")
        law(self.begun, f"{self.phone} is joined and was not called")
        self._fail("joined")

    def bridge(self, far: Any) -> None:
        raise Broken("only a party's own media are bridged")

    def renewed(self) -> None:
        self.order.law(not self.released, f"{self.phone} is renewed after its release")
        self._fail("renewed")

    def expects_packets(self) -> bool:
        return self.order.dice.random() < 0.8

    def last_activity(self) -> float:
        clock = self.order.clock
        return clock.now - self.order.dice.choice((0, 10, TIMEOUT, 2 * TIMEOUT))

    def release(self) -> None:
        order = self.order
        order.trace.append(f"{self.phone} is released")
        self.released += 1
        order.over = order.over or self in (order.mo, order.session.mt)
        if self in (order.mo, order.session.mt) and order.dice.random() < order.faulty:
            order.trace.append(f"{self.phone} raises in its release")
            raise Fault("release")

    # -- what it tells ---------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """As a leg does: what comes out of a fork's doing is a fault of the call (`guard`)."""
        self.order.trace.append(f"{self.phone} tells {event!r:.70}")
        self._remember(event)
        try:
            self.notify(event)
        except (Fault, Reject):
            self.order.law(self.order.session.mt is not self, "an exception leaves the session")
            self.order.law(self is not self.order.mo, "an exception leaves the session")
            self.out = True
            self.notify(Ended(Cause("a fault")))

    def _remember(self, event: Event) -> None:
        match event:
            case Offered() if self.side == MO:
                self.begun = True
                self.owes_ack = event.description is None
            case Answered() if self.side == MT:
                self.answered = self.begun and not self.out
            case Reserved():
                self.reserved = self.reserved or self.order.session.state in (INIT, RINGING)
            case Ended():
                self.out = self.out or self.begun or self.side == MO
            case Refused():
                self.out = self.out or (self.side == MT and self.begun and not self.answered)
            case Changing():
                self.asked = event
            case Changed():
                self.due_ack = self.held is not None and self.held.description is None
                self.held = None
            case ChangeRefused():
                self.held = None
            case Acknowledged():
                self.owes_ack = False
            case Informed():
                self.infos.add(event.number)

    def act(self) -> None:
        """Tell something: what the contract allows, or anything."""
        dice = self.order.dice
        if not self.order.manners:
            if dice.random() < 0.5:
                self.tell(dice.choice(ILLEGAL)(dice))
                return
        elif self.out or self.released or self.ended or self.refused:
            if dice.random() < 0.3:  # it crossed what ended the call
                self.notify(dice.choice(ILLEGAL)(dice))
            return
        event = self._next()
        if event is not None:
            self.tell(event)

    def _next(self) -> Event | None:
        """What the contract allows now."""
        dice = self.order.dice
        if not self.begun:
            offer = Offered(dice.choice((SDP, SDP, None)), (), ready=False)
            return offer if self.side == MO else None
        if dice.random() < 0.04:
            if self.side == MT and not self.answered:
                return Refused(dice.choice((480, 486, 603)))
            return Ended(Cause("hung up"))
        choices: list[Event] = []
        if self.infos_held:
            choices.append(InfoAnswered(self.infos_held.pop(dice.randrange(len(self.infos_held))), 200))
            return choices[0]
        if not self.answered:
            choices.append(Reserved())
            if self.side == MT:
                choices += [Progress(180), Progress(183, SDP), Answered(SDP), Progress(183, SDP, silent=True)]
        elif self.held is not None:
            choices += [Changed(SDP), ChangeRefused(488)]
        elif self.asked is not None:
            choices += [ChangeCancelled()] if self.asked.method == "INVITE" else []
        elif self.owes_ack:
            choices.append(Acknowledged(SDP))
        elif not self.due_ack and self._quiet():
            choices += [Changing("INVITE", SDP), Changing("UPDATE", SDP), Changing("INVITE", None)]
        self.number += 1
        choices.append(Informed(self.number, (), b""))
        return dice.choice(choices)

    def _quiet(self) -> bool:
        """No question of the other side is on its way: both know of it at once, there is no wire between."""
        order = self.order
        others = [each for each in order.parties if each.side != self.side and each.answered]
        return all(not each.asked and not each.owes_ack and not each.held for each in others)

    def settle(self) -> None:
        """Answer all that is asked."""
        while not self.released and not self.out:
            if self.infos_held:
                self.tell(InfoAnswered(self.infos_held.pop(), 200))
            elif self.held is not None:
                self.tell(ChangeRefused(488))
            else:
                break


def _lenient(holds: bool, text: str) -> None:
    """Parties without manners get what the other one sends."""


def play(seed: int) -> Counter[str]:
    order = Order(seed)
    try:
        return order.run()
    except (Broken, Exception) as error:  # noqa: BLE001 - raised again, with what led to it
        trace = "" if isinstance(error, Broken) else "\n".join(order.trace)
        raise AssertionError(f"order {seed}: {error}\n{trace}") from None


@pytest.mark.parametrize("part", range(PARTS))
def test_orders_of_events(part: int) -> None:
    for seed in range(part, ORDERS, PARTS):
        play(seed)


def test_the_orders_reach_everything() -> None:
    """A fuzz that never gets as far as a running call would prove nothing."""
    lines = Counter[str]()
    for seed in range(600):
        lines += play(seed)
    for phone, verb, names in (
        (
            "mo",
            "hears",
            "Progress Answered Refused Ended Reserved Changing Changed ChangeRefused ChangeCancelled",
        ),
        ("mo", "hears", "Acknowledged Informed InfoAnswered"),
        ("mt0", "hears", "Offered Ended Reserved Changing Changed ChangeRefused ChangeCancelled"),
        ("mt0", "hears", "Acknowledged Informed InfoAnswered"),
        ("mt1", "hears", "Offered Ended Changing"),
    ):
        for name in names.split():
            assert lines[f"{phone} {verb} {name}"] > 3, name
    for line in ("stop", "mo raises Fault before", "mt0 raises Reject before", "mt0 is joined", "time 60"):
        assert lines[line] > 3, line
