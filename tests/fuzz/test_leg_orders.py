"""Both kinds of leg between phones without manners and a session that commands them at random.

The session of each call is replaced: its two legs hear nothing of each other, each is told what a session
may tell at its stage, at any moment: answers that nobody gave, changes, refusals, the end.

The laws: no fault in the log, one final response for each INVITE, an ACK for each 2xx, at most one BYE from
our side in a dialog, and when all is over no dialog, media port, transaction or timer is left.

More seeds with

    LIBREIMS_LEG_SEEDS=1000 ./test tests/fuzz/test_leg_orders.py
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from libreims.base.log_ring import LogRing
from libreims.call import calls
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
    Offered,
    Progress,
    Refused,
    Reserved,
)
from libreims.call.services import CallServices
from libreims.call.session import STOP
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.message import Request
from support.lab import CONFIG, Lab
from support.virtual import VirtualLoop, run
from support.wild_early import VOLTE, WildEarlyPhone
from support.wire import messages, violations

SEEDS = int(os.environ.get("LIBREIMS_LEG_SEEDS", "10"))
CAST = ("alice", "bob", "carol", "carol")
LIFE = 15.0
REST = 500.0
FAULTS = ("fault", "Traceback", "internal error", "AssertionError")
HEARD: Counter[str] = Counter()
"""What the legs told and were told, over all runs."""


class Side:
    """A leg, and what its session has told and heard."""

    def __init__(self, session: WildSession, leg: Any, calling: bool) -> None:
        self.session = session
        self.leg = leg
        self.calling = calling
        self.offer: SessionDescription | None = None  # the latest that the phone is known to understand
        self.wants_offer = False
        self.begun = self.answered = self.out = False
        self.asked: Changing | None = None
        self.held: Changing | None = None
        self.taken_back = False  # the phone has cancelled what is held
        self.owes_ack = False
        self.infos: list[int] = []
        leg.notify = self.heard

    def heard(self, event: Event) -> None:
        HEARD[f"{'MO' if self.calling else 'MT'} tells {type(event).__name__}"] += 1
        session = self.session
        match event:
            case Offered():
                self.begun = True
                self.offer = event.description
                self.wants_offer = event.description is None
                session.called(event)
            case Answered() | Changed() if event.description is not None:
                self.offer = event.description
                if isinstance(event, Answered):
                    self.answered = True
                    self.owes_ack = self.wants_offer
                else:
                    self.owes_ack = self.asked is not None and self.asked.description is None
                    self.asked = None
            case ChangeRefused():
                self.asked = None
            case Changing():
                assert self.held is None or self.taken_back, "asked while it is asked"
                self.held = event
                self.taken_back = False
            case ChangeCancelled():
                assert self.held is not None, "what is taken back was never asked"
                self.taken_back = True
            case Informed():
                self.infos.append(event.number)
            case Refused() | Ended():
                assert not self.out, f"{event} after the end"
                self.out = True
                session.finish()

    def choices(self, dice: Random) -> list[Event]:
        """What a session may tell now."""
        sdp = self.offer or self.session.sample
        if self.out or not self.begun or sdp is None:
            return []
        found: list[Event] = [Informed(dice.randrange(1, 99), (), b"x"), Reserved()]
        if self.infos:
            found.append(InfoAnswered(self.infos[0], 200))
        if not self.answered:
            if self.calling:
                found += [Progress(180), Progress(183, sdp), Progress(183, sdp, silent=True), Answered(sdp)]
                found += [Answered(sdp), Refused(486)] if dice.random() < 0.3 else []
            return found
        found.pop(1)  # resources are no matter any more
        if self.held is not None:
            answer = Changed(self.held.description or sdp)
            found += [answer, answer, answer, ChangeRefused(488)]
        elif self.owes_ack:
            return [Acknowledged(sdp)]
        elif self.asked is not None:
            found += [ChangeCancelled()] if self.asked.method == "INVITE" else []
        else:
            found += [Changing("INVITE", sdp), Changing("UPDATE", sdp), Changing("INVITE", None)]
        return found

    def tell(self, event: Event) -> None:
        HEARD[f"{'MO' if self.calling else 'MT'} hears {type(event).__name__}"] += 1
        match event:
            case Answered():
                self.answered = True
            case Refused() | Ended():
                self.out = True
            case Changing():
                self.asked = event
            case Changed() | ChangeRefused():
                self.offer = event.description if isinstance(event, Changed) else self.offer
                self.held = None
            case Acknowledged():
                self.owes_ack = False
            case InfoAnswered():
                self.infos.remove(event.number)
        self.leg.handle(event)


class WildSession:
    """Stands where `call.session.Session` does."""

    dice: Random
    loop: VirtualLoop

    def __init__(
        self, services: CallServices, number: int, mo: Any, mt: Any, finished: Callable[[Any], None]
    ) -> None:
        self.number = number
        self.mo, self.mt = mo, mt
        self.state = "wild"
        self.outcome, self.setup = "", None
        self.sample: SessionDescription | None = None
        self._finished = finished
        self.sides = [Side(self, mo, True), Side(self, mt, False)]
        self.loop.call_later(self.dice.expovariate(1.0), self._act)

    def called(self, event: Offered) -> None:
        """The caller's offer is the callee's, as in any call."""
        self.sample = event.description
        side = self.sides[1]
        side.begun = True
        side.wants_offer = event.description is None
        side.tell(event)

    def _act(self) -> None:
        if self.state == STOP:
            return
        dice = self.dice
        for side in self.sides:
            self.sample = self.sample or side.offer
        side = dice.choice(self.sides)
        found = side.choices(dice)
        if dice.random() < 0.06:
            self.stop(Cause("the session has enough"))
            return
        if found:
            event = dice.choice(found)
            side.tell(event)
            asked = side.asked  # None when it was refused at once
            if asked is event and asked.method == "INVITE" and dice.random() < 0.3:
                side.tell(ChangeCancelled())
        self.loop.call_later(dice.choice((0.0, 0.01, 0.05, 0.3, 2.0)), self._act)

    def stop(self, cause: Cause) -> None:
        if self.state != STOP:
            self.finish(cause)

    def finish(self, cause: Cause | None = None) -> None:
        """What a session does at the end, once."""
        if self.state == STOP:
            return
        self.state = STOP
        for side in reversed(self.sides):
            if not side.out:
                side.tell(Ended(cause or Cause("the other side is out")))
        for side in self.sides:
            side.leg.release()
        self._finished(self)


def byes(lab: Lab) -> list[str]:
    """Dialogs with more than one BYE from our side; repetitions are the same one."""
    sent = defaultdict(set)
    for wire in messages(lab):
        message = wire.message
        if wire.from_server and isinstance(message, Request) and message.method == "BYE":
            sent[message.call_id, message.to.tag].add(message.cseq.number)
    return [f"{len(each)} BYE in {key}" for key, each in sent.items() if len(each) > 1]


def play(seed: int, manners: float, **network: float) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        WildSession.dice, WildSession.loop = Random(seed), loop
        lab = Lab(loop, CONFIG, seed=seed, trace=True, **network)
        lab.log.ring = LogRing(1_000_000)
        await lab.server.start()
        phones = []
        for number, name in enumerate(CAST, 1):
            phone = WildEarlyPhone(lab, name, f"10.0.1.{number}", "UDP", seed * 10 + number, manners)
            await phone.start()
            while (await phone.register(contact=f"<{phone.uri}>;{VOLTE}")).status != 200:
                pass
            phones.append(phone)
        await asyncio.gather(*(phone.live(LIFE) for phone in phones))
        for _ in range(3):
            for phone in phones:
                phone.hang_up_all()
            await asyncio.sleep(REST)
        log = "\n".join(each.message + each.dump for each in lab.log.ring.since(0)[1] if each.layer == "ims")
        for fault in FAULTS:
            place = log.find(fault)
            assert place < 0, log[max(0, place - 300) : place + 3000]
        assert not lab.server.counters.errors.get("internal", 0)
        loop.raise_errors()
        lab.nothing_left()
        assert lab.server.stack.transactions == 0
        if not network:
            # A 2xx without SDP is right after a reliable answer (RFC 3262 §5).
            assert not [each for each in violations(lab) if "without SDP" not in each]
            assert not byes(lab)
        await lab.server.stop()
        for phone in phones:
            phone.stack.stop()
            phone.transport.close()
        await asyncio.sleep(4000)  # cancelled timers stay in their wheel until they are due
        assert loop.pending_timers() == 0, "a timer of the server still runs"
        assert lab.network.in_use == 0

    run(whole)


@pytest.fixture(autouse=True)
def wild_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "Session", WildSession)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_legs_under_random_orders(seed: int) -> None:
    play(seed, manners=0.4 + (seed % 4) * 0.2)


@pytest.mark.parametrize("seed", range(1000, 1000 + SEEDS // 2))
def test_legs_under_random_orders_on_a_network_that_loses(seed: int) -> None:
    play(seed, 0.8, loss=0.1, duplicate=0.1, jitter=0.02, reorder=0.1)


def test_the_orders_reach_everything() -> None:
    HEARD.clear()
    for seed in range(500, 510):
        play(seed, (0.7, 1.0)[seed % 2])
    for side, verb, names in (
        (
            "MO",
            "tells",
            "Offered Changing ChangeCancelled Changed ChangeRefused Acknowledged Informed InfoAnswered Ended",
        ),
        ("MO", "hears", "Progress Answered Refused Changing ChangeCancelled Changed ChangeRefused Ended"),
        (
            "MT",
            "tells",
            "Progress Answered Refused Changing Changed ChangeRefused Informed InfoAnswered Ended",
        ),
        ("MT", "hears", "Offered Reserved Changing Changed ChangeRefused Acknowledged Informed Ended"),
    ):
        for name in names.split():
            assert HEARD[f"{side} {verb} {name}"] > 0, f"{side} {verb} {name}"
