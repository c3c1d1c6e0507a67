"""Several phones of one user that ring together (RFC 3261 §16.7 as a user agent sees it).

To the session it is one party.  The first phone that answers is the party from then on, the others
are cancelled; when all refuse, the best refusal counts (§16.7 step 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain

from libreims.base.clock import Cancellable
from libreims.base.errors import Reject
from libreims.call.events import Answered, Cause, Ended, Event, Notify, Offered, Progress, Refused, sip_reason
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
        if isinstance(event, Offered):
            self._offer = event
            self._wait()
        elif isinstance(event, Ended):
            self._settle()
        for branch in tuple(self._ringing):
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
        for branch in self._branches:
            branch.release()

    def _event(self, branch: Party, event: Event) -> None:
        if self._winner is not None:
            if branch is self._winner:
                self.notify(event)
            return
        if branch not in self._ringing:
            return  # it has refused, or was given up
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
                for other in self._ringing:
                    if other is not branch:
                        self._give_up(other, ELSEWHERE)
                self.notify(event)
            case Refused():
                self._refused(branch, event)
            case Ended():
                self._refused(branch, Refused(event.cause.status, None, event.cause.headers))
            case _:
                self.notify(event)

    def _refused(self, branch: Party, event: Refused) -> None:
        if branch not in self._ringing:
            return
        self._ringing.remove(branch)
        branch.release()
        if branch is self._audible:
            self._audible = None
        self._refusals.append(event)
        if event.status >= 600:  # RFC 3261 §16.7 step 5: nobody wants the call
            for other in self._ringing:
                self._give_up(other, Cause(f"{branch.phone} declined for all", event.headers))
            self._ringing.clear()
            self._settle()
        if not self._ringing and not self._next():
            self.notify(min(self._refusals, key=_rank))

    # -- one group after the other (RFC 3261 §16.6: sequential search) -----------------------------------

    def _next(self) -> bool:
        """Call the next group; False when there is none."""
        if not self._later or self._offer is None:
            return False
        self._ringing = list(self._later.pop(0))
        self._wait()
        for branch in tuple(self._ringing):
            try:
                branch.handle(self._offer)
            except Reject as reject:
                if self._services is not None:
                    self._services.log.warn(f"{branch.phone} is not called: {reject.why}")
                self._refused(branch, Refused(reject.status, reject.reason, reject.headers))
        return True

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._later and self._services is not None:
            self._timer = self._services.clock.call_later(PATIENCE, self._impatient)

    def _impatient(self) -> None:
        """Nobody of this group answers: it is the next one's turn."""
        self._timer = None
        for branch in self._ringing:
            self._give_up(branch, PASSED_ON)
            self._refusals.append(Refused(PASSED_ON.status, None, PASSED_ON.headers))
        self._audible = None
        self._next()

    def _settle(self) -> None:
        """No other group is called any more."""
        self._later.clear()
        self._wait()

    @staticmethod
    def _give_up(branch: Party, cause: Cause) -> None:
        """Cancel a branch; its media ports are not needed for what is left to be said to it."""
        branch.handle(Ended(cause))
        branch.release()


def _rank(refusal: Refused) -> tuple[int, int]:
    """6xx first, then the lowest class; within 4xx those that tell the caller most (§16.7 step 6)."""
    status = refusal.status
    kind = 0 if status >= 600 else status // 100
    return kind, 0 if status in (486, 401, 407, 415, 420, 484, 488) else 1
