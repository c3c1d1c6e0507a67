"""One security agreement and its life (TS 33.203 §7, TS 24.229 §5.2.2): a table of (state, event).

Offered with a 401, agreed with the 200 to the REGISTER that comes through it.  After a re-registration the
one before it stays until the phone has used the new one and 64*T1 more, after a de-registration 64*T1, so
that the 200 can be repeated.  What has to be done at the end is `ipsec.agreements`' affair.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from libreims.ipsec.installation import Installation
from libreims.proto.sip.flow import Address

OFFER_LIFETIME = 240.0
"""Seconds for the phone to come back through it: reg-await-auth (TS 24.229 §7.8)."""
MARGIN = 30.0
"""Seconds that an agreement outlives its registration (TS 24.229 §5.2.2)."""


class State(Enum):
    """Where an agreement is."""

    OFFERED = auto()
    """The 401 has named it, or will."""
    AGREED = auto()
    """The phone has registered through it last."""
    SUPERSEDED = auto()
    """The phone has registered through another one since."""
    ENDING = auto()
    """The registration is over."""
    ENDED = auto()
    """Nothing comes or goes through it."""


class Event(Enum):
    """What happens to it."""

    REGISTERED = auto()
    """A REGISTER that came through it is about to be answered with 200."""
    REPLACED = auto()
    """The phone has registered through another one."""
    FOLLOWED = auto()
    """The phone has used the other one."""
    RELEASED = auto()
    """No contact is registered through it any more."""
    WITHDRAWN = auto()
    """The phone has been given another offer."""
    DEADLINE = auto()


class Keeper(Protocol):
    """Who holds the agreements."""

    def lasts(self, agreement: Agreement, until: float) -> None:
        """Move its deadline to this time of the clock."""

    def ended(self, agreement: Agreement) -> None:
        """Take it down."""


class Agreement:
    """The state of one; `fire` is the only way to change it."""

    __slots__ = (
        "associations",
        "deadline",
        "emergency",
        "impi",
        "installation",
        "keeper",
        "linger",
        "nonce",
        "number",
        "offered",
        "offered_at",
        "ours",
        "ports",
        "proven",
        "reached",
        "said",
        "state",
        "theirs",
        "way",
    )

    def __init__(self, keeper: Keeper, impi: str, installation: Installation) -> None:
        self.keeper = keeper
        self.impi = impi
        self.installation = installation
        self.ports, self.way, self.theirs, self.ours, self.associations = installation
        self.emergency = False
        self.nonce = ""
        """Of the challenge that it was offered with."""
        self.offered: tuple[str, ...] = ()
        """Security-Client of the REGISTER that was challenged, until it is agreed on."""
        self.offered_at = 0.0
        """Time of the clock."""
        self.said = str(self.ours)
        """Security-Server of the challenge."""
        self.reached = False
        """A REGISTER has come through it."""
        self.proven = False
        """The challenge that it came with has been answered rightly."""
        self.number = 0
        """Of the binding that was registered through it."""
        self.deadline = 0.0
        """Time of the clock."""
        self.linger = 32.0
        """Seconds that a transaction may be repeated: 64*T1."""
        self.state = State.OFFERED

    @property
    def local(self) -> Address:
        """Our protected server port."""
        return self.ports.local

    @property
    def phone(self) -> Address:
        """The phone's protected client port."""
        return self.way.client

    def __str__(self) -> str:
        """For a log line."""
        host, ours, theirs = self.local[0], self.ours, self.theirs
        return (
            f"{ours.alg}/{ours.ealg}, phone {self.phone[0]} ports {theirs.port_c} {theirs.port_s} "
            f"SPIs {theirs.spi_c:#010x} {theirs.spi_s:#010x}, "
            f"server {host} ports {ours.port_c} {ours.port_s} SPIs {ours.spi_c:#010x} {ours.spi_s:#010x}"
        )

    def fire(self, event: Event, now: float, lifetime: float = 0.0) -> bool:
        """Let an event happen at a time of the clock; False for one that means nothing in this state.

        `lifetime`: seconds that a registration lasts.
        """
        handler = _TABLE.get((self.state, event))
        if handler is not None:
            handler(self, now, lifetime)
        return handler is not None

    # Handlers.

    def _agree(self, now: float, lifetime: float) -> None:
        # TS 24.229 §5.2.2: the registration and 30 s, or what was there before if that is longer.
        until = now + lifetime + MARGIN
        if self.state is State.AGREED:
            until = max(until, self.deadline)
        self.state = State.AGREED
        self._last(until)

    def _supersede(self, now: float, lifetime: float) -> None:
        self.state = State.SUPERSEDED

    def _shorten(self, now: float, lifetime: float) -> None:
        self._last(min(self.deadline, now + self.linger))

    def _release(self, now: float, lifetime: float) -> None:
        self.state = State.ENDING
        self._shorten(now, lifetime)

    def _end(self, now: float, lifetime: float) -> None:
        self.state = State.ENDED
        self.keeper.ended(self)

    def _last(self, until: float) -> None:
        self.deadline = until
        self.keeper.lasts(self, until)


_Handler = Callable[[Agreement, float, float], None]
_TABLE: dict[tuple[State, Event], _Handler] = {
    (State.OFFERED, Event.REGISTERED): Agreement._agree,
    (State.OFFERED, Event.WITHDRAWN): Agreement._end,
    (State.OFFERED, Event.DEADLINE): Agreement._end,
    (State.AGREED, Event.REGISTERED): Agreement._agree,
    (State.AGREED, Event.REPLACED): Agreement._supersede,
    (State.AGREED, Event.RELEASED): Agreement._release,
    (State.AGREED, Event.DEADLINE): Agreement._end,
    # The phone has gone back to it, as one does that got no answer through the new one.
    (State.SUPERSEDED, Event.REGISTERED): Agreement._agree,
    (State.SUPERSEDED, Event.FOLLOWED): Agreement._shorten,
    (State.SUPERSEDED, Event.RELEASED): Agreement._release,
    (State.SUPERSEDED, Event.DEADLINE): Agreement._end,
    # A phone that registers again before its agreement is gone.
    (State.ENDING, Event.REGISTERED): Agreement._agree,
    (State.ENDING, Event.DEADLINE): Agreement._end,
}
