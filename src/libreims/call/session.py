"""A call: what happens between its two parties.

The table says, for each state and side, what an event does; an event that stands nowhere is late and is
dropped.  Whatever ends the call ends in `finish`, which releases everything once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from libreims.base.clock import Cancellable
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
    Offered,
    Progress,
    Refused,
    Reserved,
    sip_reason,
)
from libreims.call.party import CallingParty, Party
from libreims.call.services import CallServices
from libreims.call.statistics import CANCELLED, NORMAL, STOPPED

Args = ParamSpec("Args")

NEW = "new"
"""Nothing is offered yet."""
INIT = "init"
RINGING = "ringing"
START = "start"
STOP = "stop"

MO = "MO"
MT = "MT"


FAULT = Cause("internal error", sip_reason(500, "Internal error"), 500)
"""What both sides are told when the program is at fault."""


class Session:
    """One call between the caller's leg (MO) and who is called (MT)."""

    __slots__ = (
        "_finished",
        "_services",
        "_started",
        "_watch",
        "log_id",
        "mo",
        "mt",
        "number",
        "outcome",
        "setup",
        "state",
    )

    def __init__(
        self,
        services: CallServices,
        number: int,
        mo: CallingParty,
        mt: Party,
        finished: Callable[[Session], None],
    ) -> None:
        self._services = services
        self._finished = finished
        self._watch: Cancellable | None = None
        self._started = services.clock.time()
        self.number = number
        """Among the calls that are on."""
        self.log_id: int | None = None
        """Identifier of the caller's binding, or else of the callee's (manual §9.1)."""
        self.mo = mo
        self.mt = mt
        self.state = NEW
        self.setup: float | None = None
        """Seconds until the answer; None before."""
        self.outcome = ""
        """How it ended, in the words of `call.statistics`."""
        mo.notify = partial(self.event, MO)
        mt.notify = partial(self.event, MT)

    def event(self, side: str, event: Event) -> None:
        """A party tells something.

        One of the places where any exception is caught: a fault in a call ends this call, not the
        server.
        """
        handler = TABLE.get((self.state, side, type(event)))
        if handler is None:
            self._log_dropped(side, event)
            return
        if not self._survives(self._attempt, handler, side, event):
            self.stop(FAULT)

    def _survives(self, step: Callable[Args, None], *args: Args.args, **kwargs: Args.kwargs) -> bool:
        """Take a step; False when it raised."""
        try:
            step(*args, **kwargs)
        except Exception as error:
            self._services.log.exception(f"the call of {self.mo.phone} is ended by a fault", error)
            return False
        return True

    def _attempt(self, handler: Handler, side: str, event: Event) -> None:
        try:
            handler(self, side, event)
        except Reject as reject:
            self._services.log.error(reject.why, id=self.log_id)
            self._refuse(side, event, reject)

    # -- handlers ------------------------------------------------------------------------------------

    def _offered(self, side: str, event: Event) -> None:
        self.state = INIT
        self._tell(f"call from {self.mo.phone} to {self.mt.phone}")
        self.mt.handle(event)

    def _progress(self, side: str, event: Event) -> None:
        assert isinstance(event, Progress)
        if event.status == 180 and self.state == INIT:
            self.state = RINGING
            self._tell(f"{self.mt.phone} rings")
        self.mo.handle(event)
        if self.state == STOP:
            return  # the caller could not take it
        if event.description is not None and self.mo.early_media and not event.silent:
            self.mt.join(self.mo.media)

    def _answered(self, side: str, event: Event) -> None:
        self.state = START
        now = self._services.clock.time()
        self.setup = now - self._started
        self._started = now
        self._tell(f"{self.mt.phone} answers")
        self.mo.handle(event)
        if self.state == STOP:
            return  # the caller could not take it
        self.mt.join(self.mo.media)
        if not self.mo.media.expects_packets():  # it begins on hold
            self.mo.renewed()
            self.mt.renewed()
        self._watch_activity(self._services.config.current.dialog_timeout)

    def _refused(self, side: str, event: Event) -> None:
        assert isinstance(event, Refused)
        self.state = STOP
        self.outcome = str(event.status)
        if not self._survives(self.mo.handle, event):
            self._survives(self.mo.handle, Ended(FAULT))
        self._finish(f"refused by {self.mt.phone}: {event.status} {event.reason or ''}".rstrip())

    def _pass(self, side: str, event: Event) -> None:
        (self.mt if side == MO else self.mo).handle(event)

    def _changed(self, side: str, event: Event) -> None:
        self._pass(side, event)
        if self.state == STOP:
            return  # that was more than the call could stand
        self.mt.join(self.mo.media)
        self.mo.renewed()
        self.mt.renewed()

    def _ended(self, side: str, event: Event) -> None:
        assert isinstance(event, Ended)
        other = self.mt if side == MO else self.mo
        if self.state == START:
            self.outcome = NORMAL
        else:
            self.outcome = CANCELLED if side == MO else str(event.cause.status)
        self.state = STOP
        self._survives(other.handle, event)
        self._finish(event.cause.text)

    # -- the end ---------------------------------------------------------------------------------------

    def stop(self, cause: Cause) -> None:
        """End the call from our side, in whatever state it is; nothing that a party does stops that."""
        self._stop(cause)

    def _stop(self, cause: Cause, refusal: Refused | None = None) -> None:
        if self.state == STOP:
            return
        self.outcome = STOPPED if self.state == START else str(refusal.status if refusal else cause.status)
        self.state = STOP
        ended = Ended(cause)
        self._survives(self.mt.handle, ended)
        if refusal is not None:
            self._survives(self.mo.handle, refusal)
        self._survives(self.mo.handle, ended)
        self._finish(cause.text)

    def _finish(self, text: str) -> None:
        """Everything that the call held is given back, once, however it ended."""
        self.state = STOP
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._survives(self.mo.release)
        self._survives(self.mt.release)
        seconds = self._services.clock.time() - self._started
        self._tell(f"call ends after {seconds:.1f} s: {text}")
        self._finished(self)

    def _refuse(self, side: str, event: Event, reject: Reject) -> None:
        """A party could not do what was asked of it: a change is refused, anything else ends the call."""
        if self.state == STOP:
            return
        if isinstance(event, Changing):
            (self.mo if side == MO else self.mt).handle(ChangeRefused(reject.status))
            return
        reason = sip_reason(reject.status, reject.why)
        refusal = None
        if isinstance(event, Offered | Progress | Answered):
            # The caller still waits: its answer takes along what the refusal says (Retry-After, Warning).
            refusal = Refused(reject.status, reject.reason, reject.headers + reason)
        self._stop(Cause(reject.why, reason, reject.status), refusal)

    # -- silence -----------------------------------------------------------------------------------------

    def _watch_activity(self, delay: float) -> None:
        if delay > 0:
            self._watch = self._services.clock.call_later(delay, self._check_activity)

    def _check_activity(self) -> None:
        """`dialog_timeout`: neither packet nor message from either side for so long."""
        self._watch = None
        timeout = self._services.config.current.dialog_timeout
        if timeout <= 0:
            return  # switched off meanwhile
        silent = self._services.clock.time() - max(self.mo.last_activity(), self.mt.last_activity())
        if not self.mo.media.expects_packets():
            self._watch_activity(timeout)  # on hold, or no media at all: silence is what was agreed
        elif silent + 1e-3 < timeout:
            self._watch_activity(timeout - silent)
        else:
            text = f"no packet and no message from either side for {silent:.0f} s (dialog_timeout)"
            self.stop(Cause(text, sip_reason(408, "Media timeout")))

    def _tell(self, text: str) -> None:
        self._services.log.info(text, id=self.log_id)

    def _log_dropped(self, side: str, event: Event) -> None:
        name = type(event).__name__
        self._services.log.debug(f"{name} from the {side} side in state {self.state} is late", id=self.log_id)


Handler = Callable[[Session, str, Event], None]


def _table() -> dict[tuple[str, str, type[Event]], Handler]:
    table: dict[tuple[str, str, type[Event]], Handler] = {
        (NEW, MO, Offered): Session._offered,
    }
    for state in (INIT, RINGING):
        table[state, MT, Progress] = Session._progress
        table[state, MT, Answered] = Session._answered
        table[state, MT, Refused] = Session._refused
        table[state, MO, Reserved] = Session._pass
        table[state, MT, Reserved] = Session._pass
    for side in (MO, MT):
        table[NEW, side, Ended] = Session._ended
    for state in (INIT, RINGING, START):
        for side in (MO, MT):
            table[state, side, Ended] = Session._ended
            table[state, side, Informed] = Session._pass
            table[state, side, InfoAnswered] = Session._pass
    for side in (MO, MT):
        table[START, side, Changing] = Session._pass
        table[START, side, ChangeRefused] = Session._pass
        table[START, side, ChangeCancelled] = Session._pass
        table[START, side, Changed] = Session._changed
        table[START, side, Acknowledged] = Session._changed
    return table


TABLE = _table()
"""(state, side that tells, event) -> handler."""
