"""Submissions that came in with an earlier process and are done: their 202 may have been lost with it.

Whoever sent one goes on sending it, perhaps to a third process, which has to know that it was taken.  While
one process lives the SIP transaction does this; so only messages that were taken over from the store are
remembered here, for as long as a request may be repeated (64*T1, RFC 3261 §17.1.2.2).
"""

from __future__ import annotations

import contextlib
from typing import Final

from libreims.base.clock import Clock, UtcClock
from libreims.sms.pending import Origin, Submission
from libreims.store.port import Store, StoreError
from libreims.users.expiry import Expiry

KIND: Final = "sms_seen"
LIFETIME: Final = 200.0
"""Seconds: 64*T1 with the server's T1 of 2 s, and time for a start."""


class Seen:
    """What is remembered, in the store and in memory."""

    def __init__(self, store: Store, clock: Clock, utc: UtcClock) -> None:
        self._records = store.records(KIND)
        self._utc = utc
        self._ids: dict[Submission, str] = {}
        self._submissions: dict[str, Submission] = {}
        self._expiry: Expiry[str] = Expiry(clock, self._forget)

    def __contains__(self, submission: Submission) -> bool:
        """Whether a MESSAGE is remembered."""
        return submission in self._ids

    def note(self, id: str, origin: Origin) -> None:
        """Remember the submission of the message with this identifier. Raises StoreError."""
        until = self._utc() + LIFETIME
        value = {"impi": origin.impi, "call_id": origin.call_id, "cseq": origin.cseq, "until": until}
        self._records.put(id, value)
        self._keep(id, origin.submission, LIFETIME)

    def _keep(self, id: str, submission: Submission, lifetime: float) -> None:
        self._ids[submission] = id
        self._submissions[id] = submission
        self._expiry.start(id, max(0.0, lifetime))

    def _forget(self, id: str) -> None:
        submission = self._submissions.pop(id)
        if self._ids.get(submission) == id:
            del self._ids[submission]
        # The store says what is wrong; what is left is read and forgotten at the next start.
        with contextlib.suppress(StoreError):
            self._records.delete(id)

    def restore(self) -> None:
        """Take up what an earlier process remembered. Raises StoreError."""
        now = self._utc()
        for id, value in self._records.items():
            try:
                submission = str(value["impi"]), str(value["call_id"]), int(value["cseq"])
                left = float(value["until"]) - now
            except (KeyError, TypeError, ValueError):
                submission, left = ("", "", 0), 0.0  # no record of ours: forgotten
            self._keep(id, submission, left)

    def close(self) -> None:
        """Stop the timers."""
        self._expiry.clear()
