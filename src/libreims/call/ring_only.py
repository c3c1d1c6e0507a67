"""`ring_only` of a user's IMPU: its phones ring, and that is all that the caller ever gets to know.

A phone that is answered is hung up at once; the caller hears it ring until it gives up itself, or until every
phone has been given up.
"""

from __future__ import annotations

from libreims.base.clock import Cancellable, Clock
from libreims.base.log import LayerLog
from libreims.call.echo import RING_TIME
from libreims.call.events import Answered, Cause, Ended, Event, Notify, Refused, sip_reason
from libreims.call.leg import unconnected
from libreims.call.party import Near, Party

ANSWERED = Cause("the IMPU may only ring (ring_only)", sip_reason(480, "Ringing only"))


class RingOnly:
    """A party that lets no answer through."""

    def __init__(self, party: Party, clock: Clock, log: LayerLog) -> None:
        self.phone = party.phone
        self.notify: Notify = unconnected
        self._party = party
        self._clock = clock
        self._log = log
        self._timer: Cancellable | None = None
        self._answered = False
        party.notify = self._event

    def handle(self, event: Event) -> None:
        """An event of the caller."""
        if not self._answered:
            self._party.handle(event)

    def join(self, near: Near) -> None:
        """Early media pass."""
        if not self._answered:
            self._party.join(near)

    def renewed(self) -> None:
        """No media are changed before the answer."""

    def last_activity(self) -> float:
        """That of the phones."""
        return self._party.last_activity()

    def release(self) -> None:
        """The session is over."""
        self.notify = unconnected
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._party.release()

    def _event(self, event: Event) -> None:
        if self._answered:
            return
        if not isinstance(event, Answered):
            self.notify(event)
            return
        self._answered = True
        self._log.info(f"{self.phone} was answered and is hung up: its IMPU may only ring (ring_only)")
        self._party.handle(Ended(ANSWERED))
        self._timer = self._clock.call_later(RING_TIME, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.notify(Refused(480, None, sip_reason(480, "Ringing only")))
