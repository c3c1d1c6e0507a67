"""Which submissions came in: for repetitions (SIP), duplicates (TP-RD) and SMS-COMMAND (TP-MN)."""

from __future__ import annotations

from libreims.base.clock import Clock, UtcClock
from libreims.sms.pending import Origin, Pending, Submission
from libreims.sms.recent import Fate, Recent
from libreims.sms.seen import Seen
from libreims.store.port import Store


class Ledger:
    """Finds messages by how they were submitted: those that wait, and those that are done."""

    def __init__(self, store: Store, clock: Clock, utc: UtcClock) -> None:
        self._by_request: dict[Submission, str] = {}
        self._by_reference: dict[tuple[str, int, str], str] = {}
        self._recent = Recent()
        self._seen = Seen(store, clock, utc)
        self.restore = self._seen.restore
        """Take up what an earlier process remembered. Raises StoreError."""
        self.close = self._seen.close
        """Stop the timers."""

    def enter(self, pending: Pending) -> None:
        """A message waits."""
        origin = pending.origin
        if origin is not None:
            self._by_request[origin.submission] = pending.id
            if origin.destination is not None:
                self._by_reference[_reference(origin)] = pending.id

    def close_account(self, pending: Pending) -> None:
        """Write down that a message that was taken over from the store is done. Raises StoreError."""
        if pending.origin is not None:
            self._seen.note(pending.id, pending.origin)

    def leave(self, pending: Pending, fate: Fate) -> None:
        """A message is done with."""
        origin = pending.origin
        if origin is None:
            return
        self._recent.note(origin, fate)
        if self._by_request.get(origin.submission) == pending.id:
            del self._by_request[origin.submission]
        if origin.destination is not None and self._by_reference.get(_reference(origin)) == pending.id:
            del self._by_reference[_reference(origin)]

    def came_in(self, submission: Submission) -> bool:
        """Whether this MESSAGE has been accepted before."""
        return submission in self._by_request or submission in self._seen or submission in self._recent

    def waiting(self, impi: str, reference: int, destination: str) -> str | None:
        """The message that waits from this user with this TP-MR to this number; the newest of several."""
        return self._by_reference.get((impi, reference, destination))

    def fate(self, impi: str, reference: int, destination: str) -> Fate | None:
        """What became of such a message, where it has gone lately."""
        return self._recent.fate(impi, reference, destination)


def _reference(origin: Origin) -> tuple[str, int, str]:
    assert origin.destination is not None
    return origin.impi, origin.reference, origin.destination.number
