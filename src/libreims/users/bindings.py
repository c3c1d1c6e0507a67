"""Who is registered where (the location service of RFC 3261 §10): bindings with their expiry and events.

A `Binding` is a value: a refresh makes a new one with the same `number`.  Everything that changes goes
through `Bindings.apply`, which stores, keeps the deadlines and publishes one `BindingsChanged` per
procedure; the API, SMS and the reg-event notifier listen to that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from libreims.base.bus import Bus
from libreims.base.clock import Clock, UtcClock
from libreims.net.port import Address, Flow
from libreims.store.port import StoreError
from libreims.users.database import Found
from libreims.users.expiry import Expiry

NUMBERS = 0x10000
"""Log identifiers have four hexadecimal digits (manual §9.1)."""


class Cause(StrEnum):
    """Why a binding changed: the events of RFC 3680 §5.3.2."""

    REGISTERED = "registered"
    CREATED = "created"
    REFRESHED = "refreshed"
    SHORTENED = "shortened"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    PROBATION = "probation"
    UNREGISTERED = "unregistered"
    REJECTED = "rejected"

    ends: bool
    """Whether the binding is gone after it."""


for _cause in Cause:
    _cause.ends = _cause not in (Cause.REGISTERED, Cause.CREATED, Cause.REFRESHED, Cause.SHORTENED)


class Features(NamedTuple):
    """What the phone said it can do, from the feature tags of its Contact (RFC 3840)."""

    sms: bool = False
    """SMS over IP: `+g.3gpp.smsip` (TS 24.341)."""
    video: bool = False
    """`video`."""
    volte: bool = False
    """MMTel: `+g.3gpp.icsi-ref` naming `ims.icsi.mmtel` (TS 24.173)."""


NO_FEATURES = Features()


# One is made for each registration: `frozen` would make that three times as dear.
@dataclass(slots=True, unsafe_hash=True)
class Binding:
    """One contact of one user; a value, never changed once it is made."""

    impi: str
    aor: str
    """Key of the IMPU in the To of the REGISTER; the others of the user are registered implicitly."""
    contact: str
    """The contact URI as text, without angle brackets."""
    flow: Flow
    """Where the REGISTER came from."""
    number: int
    """The identifier in the log, kept over refreshes."""
    call_id: str
    cseq: int
    registered_at: float
    """UTC of the first registration."""
    expires_at: float
    """UTC."""
    q: float = 1.0
    params: str = ""
    """Other Contact parameters as text, `;audio;+g.3gpp.smsip`, to be repeated in answers."""
    features: Features = NO_FEATURES
    instance: str = ""
    """`+sip.instance` without quotes: `<urn:gsma:imei:...>` (RFC 5626 §4.1)."""
    reg_id: int = 0
    """`reg-id` (RFC 5626 §4.2); 0 without."""
    imei: str = ""
    """The 14 digits that IMEIs are compared by."""
    emergency: bool = False
    """Emergency registration: `sos` in the contact URI (TS 24.229 §5.1.6.2)."""
    path: tuple[str, ...] = ()
    """Path values, topmost first: the route set of requests to the contact (RFC 3327 §5)."""
    user_agent: str = ""
    protected: bool = False
    """Registered through IPsec: the flow lives as long as its security associations, in this process only."""


class Change(NamedTuple):
    """What happened to one binding; where `cause.ends`, `binding` is the one that is gone."""

    cause: Cause
    binding: Binding
    previous: Binding | None = None
    """The one that `binding` takes the place of."""


class BindingsChanged(NamedTuple):
    """Event: bindings of one user changed, in one procedure."""

    impi: str
    changes: tuple[Change, ...]


class Keeper(Protocol):
    """Writes bindings where they outlive the server: `users.binding_record.BindingRecords`."""

    def write(self, impi: str, changes: Sequence[Change], current: Mapping[int, Binding], now: float) -> None:
        """Write what `Bindings.apply` is about to do, all or nothing. Raises StoreError."""


class Bindings:
    """The bindings of all users; without `keeper` they live as long as the server."""

    def __init__(self, clock: Clock, utc: UtcClock, bus: Bus, keeper: Keeper | None = None) -> None:
        self._utc = utc
        self._bus = bus
        self._keeper = keeper
        self._by_impi: dict[str, tuple[Binding, ...]] = {}
        self._by_number: dict[int, Binding] = {}
        # Behind one address there is mostly one binding; load generators and proxies have thousands.
        self._by_remote: dict[Address, int | dict[int, None]] = {}
        self._expiry: Expiry[int] = Expiry(clock, self._expired)
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Binding]:
        return iter(tuple(self._by_number.values()))

    # --- lookups

    def of(self, impi: str) -> tuple[Binding, ...]:
        """The bindings of a user, the one that was registered or refreshed last at the end."""
        return self._by_impi.get(impi, ())

    def by_number(self, number: int) -> Binding | None:
        """The binding with this log identifier."""
        return self._by_number.get(number)

    def by_contact(self, contact: str) -> Binding | None:
        """The binding with this contact URI, as text (an operator's command: looks at all of them)."""
        return next((binding for binding in self._by_number.values() if binding.contact == contact), None)

    def by_remote(self, remote: Address) -> Iterator[Binding]:
        """The bindings that were registered from this address and port, to be looked at before any change."""
        numbers = self._by_remote.get(remote)
        if isinstance(numbers, int):
            return iter((self._by_number[numbers],))
        return map(self._by_number.__getitem__, numbers or ())

    def number_at(self, remote: Address) -> int | None:
        """The log identifier of what was registered from this address; None where that is not one binding."""
        numbers = self._by_remote.get(remote)
        return numbers if isinstance(numbers, int) else None

    def reachable(self, found: Iterable[Found], *, emergency: bool | None = False) -> list[Binding]:
        """Where a request to an IMPU goes (`SubscriberDatabase.find`): by q, then the newest first.

        An IMPU that belongs to one phone (`imei`) leads to that phone only.  `emergency`: normal
        registrations (False), emergency registrations (True), or both (None).
        """
        chosen: dict[int, Binding] = {}
        for subscriber, entry in found:
            if subscriber is None:
                continue
            for binding in self.of(subscriber.impi):
                if emergency in (None, binding.emergency) and entry.applies_to(binding.imei):
                    chosen[binding.number] = binding
        result = list(chosen.values())[::-1]
        if len(result) > 1:
            result.sort(key=_priority)
        return result

    def remaining(self, binding: Binding) -> int:
        """Seconds until a binding expires, rounded up, at least 0."""
        left = math.ceil(binding.expires_at - self._utc())
        return left if left > 0 else 0

    # --- changes

    def new_number(self) -> int:
        """Return a log identifier for a new binding: 16 bits while they last, with 100,000 users more."""
        taken = self._by_number
        number = self._last_number + 1
        if number >= NUMBERS and len(taken) < NUMBERS // 2:
            number = 1
        while number in taken:
            number += 1
        self._last_number = number
        return number

    def apply(self, impi: str, changes: Sequence[Change]) -> None:
        """Carry out the changes of one procedure of one user and publish them together.

        A binding that has been refreshed meanwhile is found by its number; one that has gone meanwhile
        cannot go again, and that change is left out.  Raises StoreError, and then nothing has changed.
        """
        now = self._utc()
        if self._keeper is not None:
            self._keeper.write(impi, changes, self._by_number, now)
        self._carry_out(impi, changes, now)

    def _carry_out(self, impi: str, changes: Sequence[Change], now: float) -> None:
        bindings = list(self._by_impi.get(impi, ()))
        done = []
        for change in changes:
            cause, binding, previous = change
            ends = cause.ends
            old = binding if ends else previous
            gone = None if old is None else self._by_number.get(old.number)
            if gone is not None and gone.impi == impi:
                bindings = [each for each in bindings if each is not gone]
                if not ends and gone.number == binding.number and gone.flow.remote == binding.flow.remote:
                    self._take_out(gone)
                else:
                    self._forget(gone)
            elif ends:
                continue
            if not ends:
                bindings.append(binding)
                self._keep(binding, now)
            done.append(change)
        if not done:
            return
        if bindings:
            self._by_impi[impi] = tuple(bindings)
        else:
            self._by_impi.pop(impi, None)
        self._bus.publish(BindingsChanged(impi, tuple(done)))

    def remove(self, bindings: Iterable[Binding], cause: Cause) -> None:
        """Remove bindings, of any users. Raises StoreError."""
        by_impi: dict[str, list[Change]] = {}
        for binding in bindings:
            by_impi.setdefault(binding.impi, []).append(Change(cause, binding))
        for impi, changes in by_impi.items():
            self.apply(impi, changes)

    def close(self) -> None:
        """Stop the timers; nothing expires any more."""
        self._expiry.clear()

    def put_back(self, binding: Binding) -> None:
        """Take a binding over from before a restart; `resume` follows when the server can send."""
        impi = binding.impi
        self._by_impi[impi] = (*self._by_impi.get(impi, ()), binding)
        self._file(binding)
        self._last_number = max(self._last_number, binding.number)

    def resume(self) -> None:
        """Start the deadlines of what was put back; what expired meanwhile expires now."""
        now = self._utc()
        for number, binding in self._by_number.items():
            self._expiry.start(number, binding.expires_at - now)

    def _expired(self, number: int) -> None:
        binding = self._by_number[number]
        changes = (Change(Cause.EXPIRED, binding),)
        try:
            self.apply(binding.impi, changes)
        except StoreError:
            # Its record says when it was over: at the next start it is found out.
            self._carry_out(binding.impi, changes, self._utc())

    def _keep(self, binding: Binding, now: float) -> None:
        self._file(binding)
        self._expiry.start(binding.number, binding.expires_at - now)

    def _file(self, binding: Binding) -> None:
        number = binding.number
        self._by_number[number] = binding
        remote = binding.flow.remote
        others = self._by_remote.setdefault(remote, number)
        if isinstance(others, dict):
            others[number] = None
        elif others != number:
            self._by_remote[remote] = {others: None, number: None}

    def _take_out(self, binding: Binding) -> None:
        """What is refreshed from the same place comes back at once: its deadline only moves."""
        number = binding.number
        del self._by_number[number]
        others = self._by_remote[binding.flow.remote]
        if isinstance(others, dict):
            others.pop(number, None)

    def _forget(self, binding: Binding) -> None:
        number = binding.number
        del self._by_number[number]
        self._expiry.stop(number)
        remote = binding.flow.remote
        others = self._by_remote[remote]
        if isinstance(others, dict):
            others.pop(number, None)
            if len(others) == 1:
                self._by_remote[remote] = next(iter(others))
        else:
            del self._by_remote[remote]


def _priority(binding: Binding) -> float:
    return -binding.q
