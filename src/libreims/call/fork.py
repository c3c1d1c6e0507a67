"""Several phones of one user that ring together (RFC 3261 §16.7 as a user agent sees it).

To the session it is one party.  The first phone that answers is the party from then on, the others
are cancelled; when all refuse, the best refusal counts (§16.7 step 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain

from libreims.base.clock import Cancellable
from libreims.base.errors import Reject
from libreims.call.events import (
    Answered,
    Cause,
    Ended,
    Event,
    InfoAnswered,
    Informed,
    Notify,
    Offered,
    Progress,
    Refused,
    Reserved,
    sip_reason,
)
from libreims.call.guard import guarded
from libreims.call.leg import unconnected
from libreims.call.party import Near, Party
from libreims.call.services import CallServices

ELSEWHERE = Cause(
    "answered by another phone of the same user",
    sip_reason(200, "Call completed elsewhere"),
)

PASSED_ON = Cause("no answer, a phone of lower preference is called", sip_reason(408, "No answer"), 408)
PATIENCE = 30.0
"""Seconds that phones ring before those of lower preference are called instead."""


class Fork:
    """Parallel branches to all contacts of a user, those of lower preference after the others."""

    def __init__(
        self,
        branches: Sequence[Party],
        *,
        later: Sequence[Sequence[Party]] = (),
        services: CallServices | None = None,
    ) -> None:
        """`later`: branches that ring when all before them have refused, or after `PATIENCE`."""
        branches = (*branches, *chain.from_iterable(later))
        self.phone = " and ".join(dict.fromkeys(branch.phone for branch in branches))
        self.notify: Notify = unconnected
        self._branches = branches
        self._ringing = list(branches[: len(branches) - sum(map(len, later))])
        self._later = list(later)
        self._services = services
        self._timer: Cancellable | None = None
        self._offer: Offered | None = None
        self._uncalled: list[Party] = []  # of those that ring: their turn comes in a moment
        self._refusals: list[Refused] = []
        self._winner: Party | None = None
        self._audible: Party | None = None  # whose early media the caller hears
        for branch in branches:
            branch.notify = partial(self._event, branch)

    def handle(self, event: Event) -> None:
        """An event of the caller: for the winner, or for everyone while there is none."""
        if self._winner is not None:
            self._winner.handle(event)
            return
        match event:
            case Offered():
                self._offer = event
                self._wait()
                self._call()
            case Ended():
                self._settle()
                self._give_up_all(event.cause)
            case Informed():
                self.notify(InfoAnswered(event.number, 480))
            case _:
                if isinstance(event, Reserved) and self._offer is not None:
                    self._offer = self._offer._replace(ready=True)  # for those that are called later
                for branch in tuple(self._ringing):
                    # What another one said meanwhile may have ended it.
                    if branch in self._ringing and branch not in self._uncalled:
                        branch.handle(event)

    def join(self, near: Near) -> None:
        """Connect the caller to who has answered, or to the first that sends early media."""
        branch = self._winner or self._audible
        if branch is not None:
            branch.join(near)

    def renewed(self) -> None:
        """Only who has answered has media."""
        if self._winner is not None:
            self._winner.renewed()

    def last_activity(self) -> float:
        """Of who has answered, before that of all branches."""
        if self._winner is not None:
            return self._winner.last_activity()
        return max(branch.last_activity() for branch in self._branches)

    def release(self) -> None:
        """The session is over."""
        self.notify = unconnected
        self._settle()
        with ExitStack() as each:
            for branch in self._branches:
                each.callback(branch.release)

    def _event(self, branch: Party, event: Event) -> None:
        if self._winner is not None:
            if branch is self._winner:
                self.notify(event)
            return
        if branch not in self._ringing or self._offer is None:
            return  # it has refused, was given up, or was never called
        match event:
            case Progress():
                if event.description is not None:
                    self._audible = self._audible or branch
                    if branch is not self._audible:
                        event = Progress(event.status, None, event.headers)
                self.notify(event)
            case Answered():
                self._winner = branch
                self._settle()
                self._ringing.remove(branch)
                with ExitStack() as last:
                    last.callback(self.notify, event)
                    self._give_up_all(ELSEWHERE)
            case Refused():
                self._refused(branch, event)
            case Ended():
                self._refused(branch, Refused(event.cause.status, None, event.cause.headers))
            case Informed():  # several phones may ask, with the same numbers
                branch.handle(InfoAnswered(event.number, 480))
            case _:
                self.notify(event)

    def _refused(self, branch: Party, event: Refused, cause: Cause | None = None) -> None:
        """A phone is out of it; `cause`: it does not know that yet."""
        if branch not in self._ringing:
            return
        self._ringing.remove(branch)
        if branch is self._audible:
            self._audible = None
        with ExitStack() as last:
            last.callback(branch.release)
            if cause is not None:
                branch.handle(Ended(cause))
        self._refusals.append(event)
        if event.status >= 600:  # RFC 3261 §16.7 step 5: nobody wants the call
            self._settle()
            self._give_up_all(Cause(f"{branch.phone} declined for all", event.headers))
        if not self._ringing and not self._next():
            self.notify(min(self._refusals, key=_rank))

    # -- one group after the other (RFC 3261 §16.6: sequential search) -----------------------------------

    def _next(self) -> bool:
        """Call the next group; False when there is none."""
        if not self._later or self._offer is None:
            return False
        self._ringing = list(self._later.pop(0))
        self._wait()
        self._call()
        return True

    @guarded
    def _call(self) -> None:
        """Call all of this group; a phone that cannot be called does not keep the others from ringing."""
        uncalled = self._uncalled = list(self._ringing)
        while uncalled:
            branch = uncalled.pop(0)
            if self._offer is None or branch not in self._ringing:
                continue  # what another one said meanwhile has decided
            try:
                branch.handle(self._offer)
            except Reject as reject:
                if branch is self._winner:
                    raise
                if self._services is not None:
                    self._services.log.warn(f"{branch.phone} is not called: {reject.why}")
                reason = sip_reason(reject.status, reject.why)
                cause = Cause(reject.why, reason, reject.status)
                self._refused(branch, Refused(reject.status, reject.reason, reject.headers + reason), cause)

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._later and self._services is not None:
            self._timer = self._services.clock.call_later(PATIENCE, self._impatient)

    @guarded
    def _impatient(self) -> None:
        """Nobody of this group answers: it is the next one's turn."""
        self._timer = None
        self._refusals += [Refused(PASSED_ON.status, None, PASSED_ON.headers)] * len(self._ringing)
        self._audible = None
        self._give_up_all(PASSED_ON)
        self._next()

    @property
    def leg(self) -> Fork:
        """Itself: see `guard`."""
        return self

    def failed(self, error: Exception) -> None:
        """A group could not be called: the call ends on both sides."""
        if self._services is not None:
            self._services.log.exception(f"the call to {self.phone} is ended by a fault", error)
        if self.notify is unconnected:
            return
        cause = Cause("internal error", sip_reason(500, "Internal error"), 500)
        if isinstance(error, Reject):
            cause = Cause(error.why, sip_reason(error.status, error.why), error.status)
        notify, self.notify = self.notify, unconnected
        with ExitStack() as last:
            last.callback(notify, Ended(cause))
            self.handle(Ended(cause))

    def _settle(self) -> None:
        """No other group is called any more."""
        self._later.clear()
        self._wait()

    def _give_up_all(self, cause: Cause) -> None:
        """Cancel all that ring; their media ports are not needed for what is left to be said to them.

        Each is told, whatever another one makes of it.
        """
        ringing, self._ringing = self._ringing, []
        with ExitStack() as each:
            for branch in reversed(ringing):
                each.callback(branch.release)
                each.callback(branch.handle, Ended(cause))


def _rank(refusal: Refused) -> tuple[int, int]:
    """6xx first, then the lowest class; within 4xx those that tell the caller most (§16.7 step 6)."""
    status = refusal.status
    kind = 0 if status >= 600 else status // 100
    return kind, 0 if status in (486, 401, 407, 415, 420, 484, 488) else 1
