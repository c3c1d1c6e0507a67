"""Whatever procedures ask for, in any order: the store has exactly the bindings that are in force.

Changes are drawn with mistakes that real procedures make when they cross: bindings that have gone or were
refreshed meanwhile, numbers that belong to somebody else by now, a store that fails now and then.
"""

from __future__ import annotations

import dataclasses
import random

import pytest

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.net.port import Flow
from libreims.store.port import StoreError
from libreims.users.binding_record import KIND, BindingRecords, from_record
from libreims.users.bindings import Binding, Bindings, Cause, Change
from support.manual_clock import ManualClock
from support.memory_store import MemoryStore

UTC = 1_800_000_000.0
USERS = ("a@d", "b@d", "c@d")
ENDS = [cause for cause in Cause if cause.ends]


class Play:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.bindings = Bindings(
            self.clock, self.utc, Bus(Log.null().layer("ims")), BindingRecords(self.store)
        )
        self.seen: list[Binding] = []

    def utc(self) -> float:
        return UTC + self.clock.time()

    def new(self, impi: str, number: int) -> Binding:
        host = f"10.0.0.{self.chance.randrange(1, 5)}"
        binding = Binding(
            impi=impi,
            aor="sip:x",
            contact=f"sip:x@{host}:{self.chance.randrange(1024, 65536)}",
            flow=Flow("UDP", ("10.0.0.100", 5060), (host, 5060)),
            number=number,
            call_id="c",
            cseq=self.chance.randrange(1, 1000),
            registered_at=self.utc(),
            expires_at=self.utc() + self.chance.randrange(1, 120),
        )
        self.seen.append(binding)
        return binding

    def changes(self, impi: str) -> list[Change]:
        """One procedure: each old binding is named once at most, as `registrar.draft` does."""
        known = [each for each in self.seen[-30:] if each.impi == impi or self.chance.random() < 0.1]
        self.chance.shuffle(known)
        made: list[Change] = []
        fresh = self.bindings.new_number()
        for _ in range(self.chance.randrange(1, 4)):
            old = known.pop() if known and self.chance.random() < 0.8 else None
            if old is not None and any(each.binding.number == old.number for each in made):
                continue
            if old is None:
                made.append(Change(Cause.REGISTERED, self.new(impi, fresh)))
                fresh = self.bindings.new_number()
            elif self.chance.random() < 0.5:
                made.append(Change(self.chance.choice(ENDS), old))
            elif self.bindings.by_number(old.number) in self.bindings.of(impi):
                made.append(Change(Cause.REFRESHED, self.new(impi, old.number), old))
        return made

    def step(self) -> None:
        if self.chance.random() < 0.2:
            self.clock.advance(self.chance.randrange(1, 60))
            return
        impi = self.chance.choice(USERS)
        before = set(self.bindings)
        self.store.full = self.chance.random() < 0.1
        try:
            self.bindings.apply(impi, self.changes(impi))
        except StoreError:
            assert set(self.bindings) == before
        self.store.full = False

    def check(self) -> None:
        kept = {
            dataclasses.replace(binding, cseq=binding.cseq + 1)
            for binding in (from_record(key, value) for key, value in self.store.records(KIND).items())
        }
        assert kept == set(self.bindings)


@pytest.mark.parametrize("seed", range(40))
def test_the_store_has_what_is_in_force(seed: int) -> None:
    play = Play(seed)
    for _ in range(150):
        play.step()
        play.check()
    assert play.store.writes > 50
