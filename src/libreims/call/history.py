"""What became of each dialog: its states, its messages, its media, until 30 seconds after its end.

The remote API's `dialog_get` and its `dialog` event are read from here (manual §6.6, §6.7).  A running call
only appends to a list; records for readers (`call.dialog_view`) are made when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from libreims.base.bus import Bus
from libreims.base.clock import Cancellable, Clock, UtcClock
from libreims.call.dialog_view import DialogView, Media, freeze, view

if TYPE_CHECKING:
    from libreims.call.leg import Leg
    from libreims.call.session import Session

INIT: Final = "init"
RINGING: Final = "ringing"
START: Final = "start"
HOLD: Final = "hold"
STOP: Final = "stop"

SERVER: Final = "server"
"""A phone calls another phone: we are the server of its INVITE."""
ECHO: Final = "echo"
"""A phone calls an echo number."""
MT_CALL: Final = "mt call"
"""We call a phone: for another phone (`mo_dialog` says which), or by `mt_call`."""

KEPT: Final = 30.0
"""Seconds that a dialog stays listed after its end (manual, `dialog_get`)."""
NO_QOS: Final[Mapping[int, str]] = MappingProxyType({})

Events = list[float | str]
"""In turn: clock time, `state` or `send` or `recv`, and the state or the name of the message."""


class Followed(Protocol):
    """Where the messages of a dialog are told: `cscf.callflow`."""

    def follow(self, call_id: str, events: Events) -> None:
        """Append every message with this Call-ID from now on."""

    def unfollow(self, call_id: str, events: Events) -> None:
        """Stop; harmless where others are followed meanwhile."""


class Record:
    """One dialog as `dialog_get` lists it."""

    __slots__ = (
        "_history",
        "call_id",
        "callee",
        "caller",
        "created",
        "date",
        "ended",
        "events",
        "kind",
        "leg",
        "medias",
        "number",
        "peers",
        "qos",
        "session",
        "started",
        "state",
    )

    def __init__(self, history: History, number: int, kind: str, caller: str, callee: str) -> None:
        self._history = history
        self.number = number
        self.kind = kind
        """`server`, `echo` or `mt call`."""
        self.caller = caller
        """IMPU, or whatever `mt_call` gave as caller."""
        self.callee = callee
        self.created = history.time()
        """Clock time."""
        self.date = history.utc()
        """UTC of the same moment."""
        self.started = 0.0
        self.ended = 0.0
        """Clock times; 0 before."""
        self.state = INIT
        self.events: Events = [self.created, "state", INIT]
        self.peers: tuple[Record, ...] = ()
        """The dialogs on the other side of the call: one, or all the phones that ring together."""
        self.session: Session | None = None
        """The call, as long as it is on."""
        self.leg: Leg | None = None
        self.medias: tuple[Media, ...] | None = None
        """The media at the end of the dialog; None as long as it is on."""
        self.qos = NO_QOS
        """QoS state of each m-line; `disabled` for those that are not in it."""
        self.call_id = ""

    @property
    def session_id(self) -> str:
        """The dialog's name in the remote API."""
        return f"{self.number:08x}"

    def follow(self, call_id: str) -> None:
        """List the messages with this Call-ID from now on."""
        self.call_id = call_id
        self._history.hook.follow(call_id, self.events)

    def invited(self, call_id: str) -> None:
        """The dialog begins with an INVITE that came in and had its 100 before there was a record."""
        time = self.created
        self.events += (time, "recv", "sip_invite", time, "send", "sip_100")
        self.follow(call_id)

    def enter(self, state: str) -> None:
        """The dialog is in this state now; nothing happens where it is already, or is over."""
        before = self.state
        if state == before or before == STOP:
            return
        history = self._history
        now = history.time()
        self.state = state
        self.events += (now, "state", state)
        if state == STOP:
            self._stopped(now)
        elif state == START and not self.started:
            self.started = now
        if history.bus.wanted(DialogChanged):
            impi = self.leg.phone if self.leg is not None else ""
            history.bus.publish(DialogChanged(view(self, now), impi))

    def publish(self, event: object) -> None:
        """Tell whoever listens outside."""
        self._history.bus.publish(event)

    def _stopped(self, now: float) -> None:
        self.ended = now
        if self.leg is not None:
            self.medias = freeze(self.leg.media)
        self._history.stopped(self)

    def forget(self) -> None:
        """Its dialog is gone: no message will come any more."""
        self.enter(STOP)
        if self.call_id:
            self._history.hook.unfollow(self.call_id, self.events)
            self.call_id = ""
        self.leg = None
        self.session = None


class Unrecorded(Record):
    """For a leg that nobody lists."""

    __slots__ = ()

    def __init__(self) -> None:
        """Nothing is kept."""

    def follow(self, call_id: str) -> None:
        """Nothing is kept."""

    def enter(self, state: str) -> None:
        """Nothing is kept."""

    def forget(self) -> None:
        """Nothing is kept."""


UNRECORDED: Final[Record] = Unrecorded()


@dataclass(frozen=True, slots=True)
class DialogChanged:
    """Bus event: the state of a dialog has changed."""

    dialog: DialogView
    """As `dialog_get` lists it."""
    impi: str = ""
    """Whose dialog it is; for a call to or from the trunk, the name of that."""


@dataclass(frozen=True, slots=True)
class InvitePending:
    """Bus event: a call to an echo number with `remote_control` waits for the action `answer`."""

    session_id: str
    to: str
    from_: str


class History:
    """All dialogs that are on, and those that ended not long ago."""

    def __init__(self, clock: Clock, utc: UtcClock, bus: Bus, hook: Followed) -> None:
        self.time = clock.time
        self.utc = utc
        self.bus = bus
        self.hook = hook
        self._clock = clock
        self._records: dict[int, Record] = {}
        self._over: deque[Record] = deque()
        self._timer: Cancellable | None = None
        self._last = 0

    def __len__(self) -> int:
        return len(self._records)

    def views(self, session_id: str | None = None) -> Iterator[DialogView]:
        """The dialogs, or the one of this name, as readers see them; the oldest first."""
        if session_id is None:
            chosen = iter(self)
        else:
            named = self.find(session_id)
            chosen = iter(() if named is None else (named,))
        return (view(each, self.time()) for each in chosen)

    def __iter__(self) -> Iterator[Record]:
        """The oldest first."""
        return iter(tuple(self._records.values()))

    def open(self, kind: str, caller: str, callee: str) -> Record:
        """Begin the record of a new dialog."""
        self._last = number = self._last % 0xFFFFFFFF + 1
        record = Record(self, number, kind, caller, callee)
        self._records[number] = record
        return record

    def find(self, session_id: str) -> Record | None:
        """The dialog of this name, which may be over."""
        try:
            return self._records.get(int(session_id, 16))
        except ValueError:
            return None

    def latest(self) -> Record | None:
        """The dialog that began last, of those that are on."""
        records = reversed(self._records.values())
        return next((each for each in records if each.call_id and each.state != STOP), None)

    def stopped(self, record: Record) -> None:
        """A dialog is over: it stays listed for a while."""
        self._over.append(record)
        if self._timer is None:
            self._timer = self._clock.call_later(KEPT, self._clean)

    def _clean(self) -> None:
        over = self._over
        now = self.time()
        while over and over[0].ended + KEPT <= now + 1e-3:
            record = over.popleft()
            record.peers = ()  # two dialogs of a call name each other
            del self._records[record.number]
        self._timer = self._clock.call_later(over[0].ended + KEPT - now, self._clean) if over else None

    def close(self) -> None:
        """Stop the timer and forget everything: the server goes down."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for record in self:
            record.peers = ()
        self._records.clear()
        self._over.clear()
