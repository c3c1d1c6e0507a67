"""The messages that wait for one user: one under way at a time, in the order of their acceptance.

TS 23.040 §3.2 asks for store and forward, not for an order; phones show what comes in order.  What may go to
different phones does not stop one another, so there are lines: one for each IMPU (`imei`), each apart for
text, which phones without SMS take too.  A message that a phone declines, or takes and never acknowledges,
steps aside for those behind it.

What a phone, a timer or an operator does to a message stands in `_TABLE`; nothing here waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

from libreims.base.clock import Cancellable, Clock, UtcClock
from libreims.base.log import LayerLog
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.rp_cause import RpCause
from libreims.sms.item import Item, Line, State
from libreims.sms.parts import PARTS_PATIENCE, joined
from libreims.sms.pending import Pending
from libreims.sms.port import Delivered, Outcome, Phone, Refused, SmsBearer, Taken, Unreached

TR1N: Final = 40.0
"""Seconds to wait for a phone to answer, and then for its RP-ACK (TS 24.011 §10.1: 35 to 45)."""
ASIDE: Final = 8
"""Messages of a line that have stepped aside: a phone that takes nothing at all is bothered with few."""
NO_MEMORY: Final = frozenset({FailureCause.SIM_STORAGE_FULL, FailureCause.MEMORY_CAPACITY_EXCEEDED})


class Keeper(Protocol):
    """What a queue needs of the centre."""

    clock: Clock
    utc: UtcClock
    log: LayerLog
    bearer: SmsBearer

    def settle(self, items: Sequence[Item], status: Status, why: str) -> None:
        """Messages have left their queue, delivered or not: forget them, report."""

    def new_attempt(self) -> str:
        """An identifier for an attempt."""

    def retry_delay(self, rounds: int) -> float:
        """Seconds until phones that did not take a message are tried again."""

    def delay(self, pending: Pending) -> float:
        """`sms_delay` of the receiver."""


class SubscriberQueue:
    """The messages of one user."""

    def __init__(self, impi: str, keeper: Keeper) -> None:
        self.impi = impi
        self._keeper = keeper
        self._lines: dict[Line, OrderedDict[str, Item]] = {}
        self._active: list[Item] = []
        self._phone: Phone | None = None  # that has the active ones
        self._patience: Cancellable | None = None  # TR1N
        self._wake: Cancellable | None = None
        self._full: set[int] = set()  # phones without memory
        self._unfit: set[int] = set()  # phones that take no messages as we send them
        self._running = False

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def items(self) -> list[Item]:
        """All messages, in the order of acceptance."""
        found = [item for line in self._lines.values() for item in line.values()]
        return sorted(found, key=_number)

    def has_line(self, impu: str) -> bool:
        """Whether text waits for this IMPU."""
        return Line(impu, False, True) in self._lines

    def add(self, item: Item) -> None:
        """Put a message at the end of its line; `go` lets it on its way."""
        self._lines.setdefault(item.line, OrderedDict())[item.pending.id] = item

    def close(self) -> None:
        """Stop the timers."""
        self._stop_waiting()
        self._stop_waking()

    # -- what moves it on --------------------------------------------------------------------------------

    def go(self) -> None:
        """Send what can be sent now."""
        if self._running:
            return
        self._running = True
        try:
            while not self._active and self._step():
                pass
        finally:
            self._running = False

    def phones_changed(self) -> None:
        """A phone of the user has registered, or is there still: try at once what was put off."""
        for item in self._heads():  # no others have been tried
            if item.state is State.WAITING:
                item.not_before, item.rounds, item.retry_after = 0.0, 0, 0.0
                item.tried.clear()
        self.go()

    def phone_left(self, phone: int) -> None:
        """A phone is not where it was; `phones_changed` follows. What it has taken has its RP-ACK awaited."""
        if self._phone is None or self._phone.key != phone or self._active[0].state is not State.SENDING:
            return
        self._withdraw(Unreached("has left before it answered"))

    def registered_anew(self, phone: int) -> None:
        """A phone has begun again, with whatever memory it has now; `phones_changed` follows."""
        self._full.discard(phone)
        self._unfit.discard(phone)

    def memory_available(self, phone: int) -> None:
        """RP-SMMA of a phone (TS 24.011 §7.3.2): it can store messages again."""
        if phone in self._full:
            self._full.discard(phone)
            self.phones_changed()

    def outcome(self, item: Item, outcome: Outcome, attempt: str = "") -> None:
        """A phone or the way to it told something of a message; `go` has to follow."""
        if attempt != item.attempt and not isinstance(outcome, Delivered):
            return  # about an attempt that was given up
        step = _TABLE.get((item.state, type(outcome)))
        if step is not None:
            step(self, item, outcome)

    def expire(self, item: Item) -> None:
        """Its time is over; one that is under way has its answer awaited."""
        if item.state is State.WAITING:
            self._settle([item], Status.VALIDITY_PERIOD_EXPIRED, "its validity period is over")
            self.go()

    def remove(self, items: Sequence[Item], status: Status, why: str) -> None:
        """Take messages out, whatever their state."""
        if any(item in items for item in self._active):
            if self._active[0].state is State.SENDING:
                self._call_off()
            for item in self._end_attempt()[0]:
                item.state = State.WAITING
        self._settle(items, status, why)
        self.go()

    # -- sending -----------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Try the heads of the lines, oldest first; True when something changed at once."""
        soonest: float | None = None
        for item in sorted(self._heads(), key=_turn):
            wait = self._attempt(item)
            if wait == 0:
                return True
            if wait is not None and (soonest is None or wait < soonest):
                soonest = wait
        self._stop_waking()
        if soonest is not None:
            self._wake = self._keeper.clock.call_later(soonest, self._woken)
        return False

    def _heads(self) -> Iterator[Item]:
        """Of each line the first message, and the next one where that has stepped aside."""
        for line in self._lines.values():
            for item in islice(line.values(), ASIDE + 1):
                yield item
                if not item.aside:
                    break

    def _woken(self) -> None:
        self._wake = None
        self.go()

    def _attempt(self, item: Item) -> float | None:
        """Send the head of a line: 0 when it is on its way, the seconds to wait, None without a phone."""
        keeper = self._keeper
        left = item.not_before - keeper.clock.time()
        if left > 0:
            return left
        there = [each for each in keeper.bearer.phones(item.pending) if each.key not in item.refusers]
        able = [each for each in there if self._fits(each, item)]
        phone = next((each for each in able if each.key not in item.tried), None)
        if phone is None:
            return self._without_phone(item, there, able)
        pending = item.pending
        delay = keeper.delay(pending)
        if delay > 0:
            left = max(pending.accepted_at, phone.since) + delay - keeper.utc()
            if left > 0:
                return left
        items = [item]
        if phone.text_only and pending.part is not None:
            line = self._lines[item.line]
            parts = joined(each.pending for each in line.values())
            if parts is not None:
                items = [line[part.id] for part in parts]
            else:
                left = pending.accepted_at + PARTS_PATIENCE - keeper.utc()
                if left > 0:
                    return left
        self._send(items, phone)
        return 0.0

    def _fits(self, phone: Phone, item: Item) -> bool:
        """Whether a phone can take a message as it is now."""
        if phone.key in self._full or phone.key in self._unfit:
            return False
        return not phone.text_only or item.pending.text is not None

    def _without_phone(self, item: Item, there: list[Phone], able: list[Phone]) -> float | None:
        """No phone is left to try: give the message up, or wait for a time or for a phone."""
        if item.refused is not None and not there:
            self._settle([item], Status.CONNECTION_REJECTED, f"refused: {item.refused}")
            return 0.0
        if item.pending.single_shot:
            why = "no phone took it, and its sender wants one attempt only"
            self._settle([item], Status.GAVE_UP_NO_RESPONSE, why)
            return 0.0
        return self._put_off(item) if able else None

    def _put_off(self, item: Item) -> float:
        """Every phone has been tried."""
        keeper = self._keeper
        item.rounds += 1
        item.tried.clear()
        delay = max(keeper.retry_delay(item.rounds), item.retry_after)
        item.retry_after = 0.0
        item.not_before = keeper.clock.time() + delay
        keeper.log.info(
            f"SMS {item.pending.id} for {self.impi} is sent again in {delay:g} s, or when a phone registers"
        )
        return delay

    def _send(self, items: list[Item], phone: Phone) -> None:
        self._active, self._phone = items, phone
        attempt = self._keeper.new_attempt()
        for item in items:
            item.state, item.attempt = State.SENDING, attempt
            item.tried.add(phone.key)
        self._wait()
        sos = items[0].line.sos
        waiting = sum(len(line) for key, line in self._lines.items() if key.sos is sos)
        self._keeper.bearer.deliver(
            [item.pending for item in items], phone, attempt, more=waiting > len(items)
        )

    # -- outcomes ----------------------------------------------------------------------------------------

    def _taken(self, item: Item, outcome: Outcome) -> None:
        for each in self._active:
            each.state = State.AWAITING
        self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self._patience = self._keeper.clock.call_later(TR1N, self._silent)

    def _silent(self) -> None:
        """TR1N: no answer, or no RP-ACK."""
        self._patience = None
        if self._active[0].state is State.SENDING:
            self._withdraw(Unreached(f"has not answered for {TR1N:g} s"))
        else:
            self._failed(Unreached(f"sent no RP-ACK within {TR1N:g} s", declined=True))
        self.go()

    def _withdraw(self, outcome: Unreached) -> None:
        self._call_off()
        self._failed(outcome)

    def _call_off(self) -> None:
        first = self._active[0]
        self._keeper.bearer.withdraw(first.pending.id, first.attempt)

    def _delivered(self, item: Item, outcome: Outcome) -> None:
        items, phone = self._end_attempt()
        self._settle(items, Status.RECEIVED, f"delivered to {phone.name}")

    def _late(self, item: Item, outcome: Outcome) -> None:
        """An RP-ACK for an attempt that was given up: the phone has the message all the same."""
        self._settle([item], Status.RECEIVED, "acknowledged late")

    def _refused(self, item: Item, outcome: Outcome) -> None:
        assert isinstance(outcome, Refused)
        items, phone = self._end_attempt()
        log = self._keeper.log
        number = item.pending.id
        if outcome.cause == RpCause.MEMORY_CAPACITY_EXCEEDED or outcome.failure in NO_MEMORY:
            self._full.add(phone.key)
            log.info(
                f"SMS {number} for {self.impi}: {phone.name} has no memory for it ({outcome}); it waits "
                "until the phone has (RP-SMMA) or registers anew"
            )
        elif outcome.failure == FailureCause.SIM_TOOLKIT_BUSY:
            log.info(f"SMS {number} for {self.impi}: {phone.name} is busy ({outcome})")
        else:
            log.warn(f"SMS {number} for {self.impi}: {phone.name} refuses it: {outcome}")
            for each in items:
                each.refused = outcome
                each.refusers.add(phone.key)
        self._back(items)

    def _unreached(self, item: Item, outcome: Outcome) -> None:
        assert isinstance(outcome, Unreached)
        self._failed(outcome)

    def _failed(self, outcome: Unreached) -> None:
        items, phone = self._end_attempt()
        if outcome.unfit:
            self._unfit.add(phone.key)
        for item in items:
            item.retry_after = outcome.retry_after
            item.aside = item.aside or outcome.declined
        self._keeper.log.info(
            f"SMS {items[0].pending.id} for {self.impi} did not arrive: {phone.name} {outcome.why}"
        )
        self._back(items)

    def _back(self, items: list[Item]) -> None:
        """After an attempt in vain: to the next phone, to wait, or to nowhere."""
        for item in items:
            item.state = State.WAITING
        now = self._keeper.utc()
        expired = [item for item in items if item.pending.expires_at <= now]
        if expired:
            self._settle(expired, Status.VALIDITY_PERIOD_EXPIRED, "its validity period is over")

    def _end_attempt(self) -> tuple[list[Item], Phone]:
        items, phone = self._active, self._phone
        assert phone is not None
        self._active, self._phone = [], None
        self._stop_waiting()
        return items, phone

    def _settle(self, items: Sequence[Item], status: Status, why: str) -> None:
        for item in items:
            item.state = State.GONE
            line = self._lines[item.line]
            del line[item.pending.id]
            if not line:
                del self._lines[item.line]
        self._keeper.settle(items, status, why)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_waking(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None


_TABLE: Final[dict[tuple[State, type], Callable[[SubscriberQueue, Item, Outcome], None]]] = {
    (State.SENDING, Taken): SubscriberQueue._taken,
    (State.SENDING, Delivered): SubscriberQueue._delivered,
    (State.SENDING, Refused): SubscriberQueue._refused,
    (State.SENDING, Unreached): SubscriberQueue._unreached,
    (State.AWAITING, Delivered): SubscriberQueue._delivered,
    (State.AWAITING, Refused): SubscriberQueue._refused,
    (State.WAITING, Delivered): SubscriberQueue._late,
}
"""What a message does with what is told of it; anything else comes too late and is dropped."""


def _number(item: Item) -> int:
    return item.number


def _turn(item: Item) -> tuple[bool, int]:
    return item.aside, item.number
