"""The SMS centre: takes messages, keeps them, lets the queues send them, and says what became of them.

Store and forward of TS 23.040 §3.2, §9.1.  A message is in the store before `accept` returns, and so before
its sender is answered; it leaves the store when a phone has acknowledged it, or when it is given up.  After a
crash a message that was under way is sent again: delivered at least once, twice only where the
acknowledgement was lost.  Who submits is `sms.submission`, `sms.pager` and `sms.control`; phones are reached
through `SmsBearer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from libreims.base.bus import Bus
from libreims.base.clock import Cancellable, Clock, UtcClock
from libreims.base.log import LayerLog
from libreims.base.steps import Steps
from libreims.base.tokens import Tokens
from libreims.config.store import ConfigStore
from libreims.proto.sms.failure import FailureCause, Status
from libreims.proto.sms.rp_cause import RpCause
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.errors import SmsRefused
from libreims.sms.events import PendingChanged
from libreims.sms.item import Item, State
from libreims.sms.ledger import Ledger
from libreims.sms.pending import Pending, Submission
from libreims.sms.port import Outcome, SmsBearer
from libreims.sms.queue import SubscriberQueue
from libreims.sms.receiver import receivers
from libreims.sms.recent import Fate
from libreims.sms.status_report import status_report
from libreims.store.port import Store, StoreError
from libreims.users.admin import UserChanged
from libreims.users.bindings import BindingsChanged
from libreims.users.database import SubscriberDatabase
from libreims.users.expiry import Expiry

KIND: Final = "sms"
"""Of the records in the store."""
REGISTRATION_GRACE: Final = 0.1
"""Seconds from a registration to the first message, so that the 200 (OK) to REGISTER comes first."""
FIRST_RETRY: Final = 30.0
LAST_RETRY: Final = 900.0
"""Seconds until phones are tried again without `sms_retry_delay`: doubled each time up to the last."""
SHORTEST_RETRY: Final = 1.0
MOST_OF_USER: Final = 10_000
MOST: Final = 200_000
"""Messages that wait, for one user and for all together."""
SLICE: Final = 200
"""Messages that are flushed in one go: about two milliseconds."""
Zone = Callable[[float], int]
"""The time zone at a moment (UTC), in quarters of an hour east of Greenwich."""


class SmsCentre:
    """All messages that wait."""

    def __init__(
        self,
        config: ConfigStore,
        users: SubscriberDatabase,
        bearer: SmsBearer,
        store: Store,
        *,
        clock: Clock,
        utc: UtcClock,
        zone: Zone,
        tokens: Tokens,
        bus: Bus,
        log: LayerLog,
    ) -> None:
        self.bearer = bearer
        self.clock = clock
        self.utc = utc
        self.log = log
        self._config = config
        self._users = users
        self._store = store
        self._records = store.records(KIND)
        self._zone = zone
        self._tokens = tokens
        self._bus = bus
        self._queues: dict[str, SubscriberQueue] = {}
        self._items: dict[str, Item] = {}
        self._ledger = Ledger(store, clock, utc)
        self._expiry: Expiry[str] = Expiry(clock, self._expired)
        self._ready: dict[str, None] = {}
        self._soon: Cancellable | None = None
        self._number = 0
        self.accepted = 0
        """Messages taken in since the beginning."""
        self.settled: dict[Status, int] = {}
        """Messages that are done with, by what became of them."""
        bus.subscribe(BindingsChanged, self._bindings_changed)
        bus.subscribe(UserChanged, self._user_changed)

    def __len__(self) -> int:
        return len(self._items)

    # -- taking messages -------------------------------------------------------------------------------

    def new_id(self) -> str:
        """An identifier for a message: 16 hexadecimal digits."""
        return self._tokens.hex(8)

    def new_attempt(self) -> str:
        """See `Keeper`."""
        return self._tokens.call_id()

    def now(self) -> Timestamp:
        """TP-SCTS of what comes in now, in local time."""
        utc = self.utc()
        return Timestamp.at(utc, self._zone(utc))

    def expires(self, validity: float | None = None) -> float:
        """UTC at which a message that comes in now is given up; `validity` in seconds, else `sms_expires`."""
        return self.utc() + (self._config.current.sms_expires if validity is None else validity)

    def accept(self, messages: Sequence[Pending], *, tried: int | None = None) -> None:
        """Keep messages, all or none, and let them on their way.

        `tried`: a phone that has just been asked in vain.  Raises SmsRefused where there is no room or the
        store cannot be written.
        """
        self._check_room(messages)
        try:
            self._put(messages)
        except StoreError as error:
            raise SmsRefused(
                RpCause.TEMPORARY_FAILURE,
                f"SMS refused, it cannot be kept: {error}",
                failure=FailureCause.SC_SYSTEM_FAILURE,
                status=503,
            ) from error
        self._take_in(messages, tried)

    def _check_room(self, messages: Sequence[Pending]) -> None:
        wanted = len(messages)
        for impi in {each.impi for each in messages}:
            queue = self._queues.get(impi)
            if (len(queue) if queue else 0) + wanted > MOST_OF_USER:
                raise _congested(f"{MOST_OF_USER} messages wait for {impi} already")
        if len(self._items) + wanted > MOST:
            raise _congested(f"{MOST} messages wait already")

    def _put(self, messages: Sequence[Pending]) -> None:
        with self._store.transaction():
            for pending in messages:
                self._records.put(pending.id, pending.record())

    def _take_in(self, messages: Sequence[Pending], tried: int | None = None) -> None:
        self.accepted += len(messages)
        for pending in messages:
            item = self._enter(pending)
            if tried is not None:
                item.tried.add(tried)
            if self.log.info_on:
                self.log.info(f"SMS {pending.id} from {pending.sender} for {pending.impi} is accepted")
        for impi in dict.fromkeys(each.impi for each in messages):
            self._ready[impi] = None
            self._tell(impi)
        if self._soon is None:
            # The answer to who brought them goes first: a phone may write to itself.
            self._soon = self.clock.call_later(0.0, self._send_ready)

    def _send_ready(self) -> None:
        self._soon = None
        ready, self._ready = self._ready, {}
        for impi in ready:
            self.go_on(impi)

    def _enter(self, pending: Pending) -> Item:
        self._number += 1
        item = self._items[pending.id] = Item(pending, self._number)
        queue = self._queues.get(pending.impi)
        if queue is None:
            queue = self._queues[pending.impi] = SubscriberQueue(pending.impi, self)
        queue.add(item)
        self._expiry.start(pending.id, max(0.0, pending.expires_at - self.utc()))
        self._ledger.enter(pending)
        return item

    # -- what is known of messages ---------------------------------------------------------------------

    def pending_of(self, impi: str) -> int:
        """How many messages wait for a user."""
        queue = self._queues.get(impi)
        return len(queue) if queue is not None else 0

    def waits(self, impi: str, impu: str) -> bool:
        """Whether messages wait for an IMPU: a new one has to go behind them."""
        queue = self._queues.get(impi)
        return queue is not None and queue.has_line(impu)

    def came_in(self, submission: Submission) -> bool:
        """Whether this MESSAGE has been accepted before."""
        return self._ledger.came_in(submission)

    def submitted(self, impi: str, reference: int, destination: str) -> Pending | None:
        """The message that is held from this user with this TP-MR to this number; the newest of several."""
        id = self._ledger.waiting(impi, reference, destination)
        return self._items[id].pending if id is not None else None

    def fate(self, impi: str, reference: int, destination: str) -> Fate | None:
        """What became of such a message, where it has gone lately."""
        return self._ledger.fate(impi, reference, destination)

    # -- changes of messages ---------------------------------------------------------------------------

    def request_report(self, pending: Pending, wanted: bool) -> None:
        """SMS-COMMAND: a status report is, or is not, to come. Raises StoreError."""
        changed = pending.with_report(wanted)
        self._records.put(changed.id, changed.record())
        self._items[changed.id].pending = changed

    def delete(self, pending: Pending) -> None:
        """SMS-COMMAND: the sender takes a message back."""
        self._remove([self._items[pending.id]], Status.DELETED_BY_ORIGINATOR, "its sender deleted it")

    def flushing(self, impi: str) -> Steps[int]:
        """Give up every message for a user, in steps of a few milliseconds; the result is how many they were.

        What is under way comes last, so that nothing else is sent meanwhile.
        """
        queue = self._queues.get(impi)
        items = queue.items if queue is not None else []
        flushed = 0
        while items:
            left = [each for each in items[-SLICE:] if each.state is not State.GONE]
            del items[-SLICE:]
            self._remove(left, Status.DELETED_BY_ADMINISTRATION, "flushed")
            flushed += len(left)
            if items:
                yield
        return flushed

    def _remove(self, items: Sequence[Item], status: Status, why: str) -> None:
        if items:
            self._queues[items[0].pending.impi].remove(items, status, why)

    # -- from the bearers (`port.Outcomes`) ------------------------------------------------------------

    def outcome(self, id: str, outcome: Outcome, *, attempt: str = "", impi: str = "") -> str:
        """See `Outcomes`."""
        item = self._items.get(id)
        if item is None:
            return ""
        pending = item.pending
        if impi and not self._receives(impi, pending):
            self.log.warn(f"{impi} acknowledges SMS {id}, which is for {pending.impi}: ignored")
            return ""
        self._queues[pending.impi].outcome(item, outcome, attempt)
        return pending.impi

    def go_on(self, impi: str) -> None:
        """See `Outcomes`."""
        queue = self._queues.get(impi)
        if queue is not None:
            queue.go()

    def _receives(self, impi: str, pending: Pending) -> bool:
        """Whether a message can have gone to a phone of this user: an IMPU may belong to several users."""
        return impi == pending.impi or any(
            owner is not None and owner.impi == impi for owner, _ in self._users.owners(pending.impu)
        )

    def memory_available(self, impi: str, phone: int) -> None:
        """See `Outcomes`."""
        for queue in self._sharing(impi):
            queue.memory_available(phone)

    # -- from the queues (`queue.Keeper`) --------------------------------------------------------------

    def retry_delay(self, rounds: int) -> float:
        """See `Keeper`."""
        wanted = self._config.current.sms_retry_delay
        if wanted is not None:
            return max(wanted, SHORTEST_RETRY)
        return min(FIRST_RETRY * 2.0 ** min(rounds - 1, 10), LAST_RETRY)

    def delay(self, pending: Pending) -> float:
        """See `Keeper`."""
        found = receivers(self._users, pending)
        return (found[0].entry.settings.sms_delay if found else None) or 0.0

    def settle(self, items: Sequence[Item], status: Status, why: str) -> None:
        """See `Keeper`."""
        utc = self.utc()
        now = Timestamp.at(utc, self._zone(utc))
        expires = self.expires()
        reports = []
        for item in items:
            report = status_report(item.pending, status, now, self.new_id, expires)
            if report is not None and self._takes_report(report.impi):
                reports.append(report)
        try:
            with self._store.transaction():
                for item in items:
                    self._records.delete(item.pending.id)
                    if item.restored:
                        self._ledger.close_account(item.pending)
                for report in reports:
                    self._records.put(report.id, report.record())
        except StoreError:
            pass  # the store has said so; the messages may be sent once more after a restart
        self.settled[status] = self.settled.get(status, 0) + len(items)
        for item in items:
            self._forget(item.pending, Fate(item.pending.tpdu.timestamp, utc, status))
            self._note(item.pending, status, why)
        self._tell(items[0].pending.impi)
        if reports:
            self._take_in(reports)

    def _takes_report(self, impi: str) -> bool:
        """Whether a status report is of use: to a user that is there, and takes those that came before."""
        return self._users.by_impi(impi) is not None and self.pending_of(impi) < MOST_OF_USER

    def _forget(self, pending: Pending, fate: Fate) -> None:
        del self._items[pending.id]
        self._expiry.stop(pending.id)
        self._ledger.leave(pending, fate)
        queue = self._queues.get(pending.impi)
        if queue is not None and not len(queue):
            queue.close()
            del self._queues[pending.impi]

    def _note(self, pending: Pending, status: Status, why: str) -> None:
        text = f"SMS {pending.id} from {pending.sender} for {pending.impi}: {why}"
        if status is Status.RECEIVED:
            self.log.info(text)
        else:
            self.log.warn(f"{text}; it is given up")

    # -- what happens elsewhere ------------------------------------------------------------------------

    def _expired(self, id: str) -> None:
        item = self._items[id]
        self._queues[item.pending.impi].expire(item)

    def _bindings_changed(self, event: BindingsChanged) -> None:
        if not self._queues:
            return
        left, anew, there = [], [], False
        for cause, binding, previous in event.changes:
            there = there or not cause.ends
            if cause.ends or (previous is not None and previous.flow != binding.flow):
                left.append(binding.number)
            # A phone that lost power registers its old contact with another Call-ID (RFC 3261 §10.2).
            if previous is not None and previous.call_id != binding.call_id:
                anew.append(binding.number)
        for queue in self._sharing(event.impi):
            for number in left:
                queue.phone_left(number)
            for number in anew:
                queue.registered_anew(number)
            if there or left:
                self.clock.call_later(REGISTRATION_GRACE, self._wake, queue.impi)

    def _user_changed(self, event: UserChanged) -> None:
        if self._queues:
            for queue in self._sharing(event.impi):
                self.clock.call_later(REGISTRATION_GRACE, self._wake, queue.impi)

    def _wake(self, impi: str) -> None:
        queue = self._queues.get(impi)
        if queue is not None:
            queue.phones_changed()

    def _sharing(self, impi: str) -> list[SubscriberQueue]:
        """The queues whose messages may go to the phones of a user."""
        impis = {impi: None}
        subscriber = self._users.by_impi(impi)
        if subscriber is not None:
            for entry in subscriber.impus:
                for owner, _ in self._users.owners(entry.key):
                    if owner is not None:
                        impis[owner.impi] = None
        return [self._queues[each] for each in impis if each in self._queues]

    def _tell(self, impi: str) -> None:
        if self._bus.wanted(PendingChanged):
            self._bus.publish(PendingChanged(impi, self.pending_of(impi)))

    # -- start and stop --------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up what an earlier process left, before anything comes in. Raises StoreError."""
        for id, value in self._records.items():
            try:
                pending = Pending.read(id, value)
            except ValueError as error:
                self.log.error(f"the record of SMS {id} cannot be read and is left alone: {error}")
                continue
            self._enter(pending).restored = True
        self._ledger.restore()
        now = self.utc()
        for item in list(self._items.values()):
            if item.pending.expires_at <= now:
                self._expired(item.pending.id)
        if self._items:
            self.log.info(f"{len(self._items)} SMS wait since the last time")

    def resume(self) -> None:
        """Phones can be reached: send what waits."""
        for impi in self._queues:
            self.clock.call_later(REGISTRATION_GRACE, self._wake, impi)

    def close(self) -> None:
        """Stop the timers; the messages stay in the store."""
        self._expiry.clear()
        self._ledger.close()
        if self._soon is not None:
            self._soon.cancel()
        for queue in self._queues.values():
            queue.close()


def _congested(why: str) -> SmsRefused:
    return SmsRefused(
        RpCause.CONGESTION,
        f"SMS refused: {why}; sms_flush removes them",
        failure=FailureCause.SC_BUSY,
        status=503,
    )
