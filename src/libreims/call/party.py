"""What a session knows of each of its two sides."""

from __future__ import annotations

from typing import Protocol

from libreims.call.events import Event, Notify
from libreims.call.leg_media import LegMedia


class Near(Protocol):
    """The media of the caller: a phone's, or the server's own."""

    def bridge(self, far: LegMedia) -> None:
        """Connect them to the callee's."""

    def expects_packets(self) -> bool:
        """Whether something is to flow both ways."""


class Party(Protocol):
    """A phone's leg, several phones that ring together, the server itself."""

    notify: Notify
    """Set by the session: where this party's events go."""
    phone: str
    """Who it is, for the log."""

    def handle(self, event: Event) -> None:
        """An event of the other side."""

    def join(self, near: Near) -> None:
        """Connect the media of the other side, as far as they are known, to this one's."""

    def renewed(self) -> None:
        """The media of the running call are known, or have been changed."""

    def last_activity(self) -> float:
        """Clock time of the latest packet or message of this side."""

    def release(self) -> None:
        """The session is over: close media and timers. Dialogs end by themselves after `Ended`."""


class CallingParty(Party, Protocol):
    """Who may stand on the caller's side."""

    @property
    def early_media(self) -> bool:
        """Whether it is connected to the callee before the answer already."""

    @property
    def media(self) -> Near:
        """What the callee is connected to."""


class StartingParty(CallingParty, Protocol):
    """Who begins a call without a phone having asked for it."""

    def start(self) -> None:
        """Offer the call to the session."""
