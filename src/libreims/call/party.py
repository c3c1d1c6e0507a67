"""What a session knows of each of its two sides."""

from __future__ import annotations

from typing import Protocol

from libreims.call.events import Event, Notify
from libreims.call.leg_media import LegMedia


class Party(Protocol):
    """A phone's leg, several phones that ring together, the echo service."""

    notify: Notify
    """Set by the session: where this party's events go."""
    phone: str
    """Who it is, for the log."""

    def handle(self, event: Event) -> None:
        """An event of the other side."""

    def join(self, near: LegMedia) -> None:
        """Connect the media of the other side, as far as they are known, to this one's."""

    def last_activity(self) -> float:
        """Clock time of the latest packet or message of this side."""

    def release(self) -> None:
        """The session is over: close media and timers. Dialogs end by themselves after `Ended`."""
