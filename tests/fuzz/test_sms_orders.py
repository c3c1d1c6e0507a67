"""The queue of one user with phones that do anything, in any order, on a clock turned by hand.

Whatever happens: one message under way at a time, each ends once, those of a line end in order unless one
is refused, expires, is removed, declined or never acknowledged; and once a phone takes everything, nothing is
left.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

from libreims.base.log import Log
from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.failure import Status
from libreims.proto.sms.segments import segment
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.item import Item, Line, State
from libreims.sms.pending import Pending
from libreims.sms.port import Delivered, Outcome, Phone, Refused, Taken, Unreached
from libreims.sms.queue import SubscriberQueue
from support.manual_clock import ManualClock

SEEDS = int(os.environ.get("LIBREIMS_SMS_SEEDS", "150"))
STEPS = 120
OUTCOMES: tuple[Outcome, ...] = (
    Taken(),
    Taken(),
    Delivered(),
    Delivered(),
    Refused(22),
    Refused(111),
    Refused(111, 0xD4),
    Refused(111, 0xD3),
    Unreached("is away"),
    Unreached("is away", retry_after=100),
    Unreached("answers 403", declined=True),
    Unreached("knows no messages", unfit=True),
)
NOW = Timestamp.at(1_800_000_000)


class World:
    """The centre and the bearer of one queue."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.utc = self.clock.time
        self.log = Log.null().layer("ims")
        self.bearer = self
        self.queue = SubscriberQueue("bob", self)
        self.reachable: list[Phone] = []
        self.items: dict[str, Item] = {}
        self.settled: dict[str, Status] = {}
        self.last: dict[Line, int] = {}
        """Of each line the last message that was delivered."""
        self.attempts: list[tuple[str, str]] = []
        self.numbers = iter(range(1, 1 << 20))

    # -- what the queue asks of the centre and the bearer

    def settle(self, items: Sequence[Item], status: Status, why: str) -> None:
        for item in items:
            assert item.state is State.GONE
            assert item.pending.id not in self.settled, "it ends once"
            self.settled[item.pending.id] = status
            if item.aside or item.pending.part is not None or why == "acknowledged late":
                continue
            if status is Status.RECEIVED:
                line = item.line
                assert item.number > self.last.get(line, 0), "in the order of acceptance"
                self.last[line] = item.number

    def new_attempt(self) -> str:
        return f"a{next(self.numbers)}"

    def retry_delay(self, rounds: int) -> float:
        return 30.0 * rounds

    def delay(self, pending: Pending) -> float:
        return 5.0 if pending.impu == "slow" else 0.0

    def phones(self, pending: Pending) -> list[Phone]:
        return list(self.reachable)

    def absent(self, pending: Pending) -> str:
        return "nobody is there"

    def deliver(self, messages: Sequence[Pending], phone: Phone, attempt: str, *, more: bool) -> None:
        active = {id for id, item in self.items.items() if item.state in (State.SENDING, State.AWAITING)}
        assert active == {each.id for each in messages}, "one at a time"
        assert phone in self.reachable
        self.attempts.append((messages[0].id, attempt))
        if self.chance.random() < 0.1:  # at once, before the queue has gone on
            self.tell(messages[0].id, attempt, Unreached("is gone"))

    def withdraw(self, id: str, attempt: str) -> None:
        assert (id, attempt) in self.attempts

    # -- what happens

    def tell(self, id: str, attempt: str, outcome: Outcome) -> None:
        if id not in self.settled:
            self.queue.outcome(self.items[id], outcome, attempt)
            self.queue.go()

    def submit(self, count: int = 1) -> None:
        impu = self.chance.choice(("tel:1", "tel:2", "slow"))
        parts = segment("x" * (200 if self.chance.random() < 0.2 else 5), self.chance.randrange(3)).parts
        for part in parts * count:
            number = next(self.numbers)
            data, dcs = (part, 0) if self.chance.random() < 0.9 else (UserData.of_octets(b"ab"), 4)
            pending = Pending(
                f"m{number}",
                "bob",
                impu,
                Deliver(Address("1"), NOW, data, dcs=dcs),
                self.utc(),
                self.utc() + 1e6,
                single_shot=self.chance.random() < 0.05,
            )
            item = self.items[pending.id] = Item(pending, number)
            self.queue.add(item)
        self.queue.go()

    def step(self) -> None:
        chance = self.chance
        match chance.randrange(8):
            case 0 | 1:
                self.submit()
            case 2:
                phones = [Phone(next(self.numbers), "a phone", chance.random() < 0.3, self.utc())]
                before = self.reachable
                self.reachable = chance.choice((phones, phones + self.reachable, self.reachable[1:]))
                for number in {each.key for each in before} - {each.key for each in self.reachable}:
                    self.queue.phone_left(number)
                self.queue.registered_anew(phones[0].key)
                self.queue.phones_changed()
            case 3 | 4 | 5:
                if self.attempts:
                    id, attempt = chance.choice(self.attempts[-3:])
                    self.tell(id, attempt, chance.choice(OUTCOMES))
            case 6:
                self.clock.advance(chance.choice((0.1, 5, 41, 200)))
            case 7:
                left = [item for id, item in self.items.items() if id not in self.settled]
                if left and chance.random() < 0.3:
                    item = chance.choice(left)
                    if chance.random() < 0.5:
                        self.queue.remove([item], Status.DELETED_BY_ORIGINATOR, "deleted")
                    else:
                        self.queue.expire(item)
                elif self.reachable:
                    self.queue.memory_available(chance.choice(self.reachable).key)
        assert len(self.queue) == len(self.items) - len(self.settled)

    def finish(self) -> None:
        """A new phone that takes everything."""
        self.reachable = [Phone(next(self.numbers), "a good phone", False, self.utc())]
        self.queue.phones_changed()
        for _ in range(5000):
            if not len(self.queue):
                return
            if self.attempts:
                id, attempt = self.attempts[-1]
                self.tell(id, attempt, Delivered())
            self.clock.advance(10)
        raise AssertionError(f"{len(self.queue)} messages are left")


def test_any_order_of_events() -> None:
    for seed in range(SEEDS):
        world = World(seed)
        try:
            for _ in range(STEPS):
                world.step()
            world.finish()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        world.queue.close()
        assert world.clock.waiting == 0, f"seed {seed}: a timer is left"
        assert set(world.settled) == set(world.items)
