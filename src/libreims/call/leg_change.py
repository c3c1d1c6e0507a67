"""A change that the server makes in the dialog of one phone without asking the other one.

For the actions `reinvite` and `downgrade` on calls between two phones.
"""

from __future__ import annotations

from collections.abc import Callable

from libreims.base.errors import Reject
from libreims.call.events import Changed, ChangeRefused, Changing, Event
from libreims.call.leg import CONFIRMED, Leg
from libreims.call.own_offer import OwnOffer
from libreims.proto.sdp.description import SessionDescription


class LegChange:
    """One re-INVITE, repeated where it meets one of the phone's own."""

    def __init__(self, leg: Leg, make: Callable[[], SessionDescription | None]) -> None:
        """`make` tells what is to be offered, at the moment of sending; None: nothing any more."""
        assert leg.dialog is not None
        self._leg = leg
        self._make = make
        services = leg.services
        self._own = OwnOffer(services.clock, services.tokens, leg.dialog.initiator, self._send)

    def start(self) -> None:
        """Ask the phone."""
        self._own.ask()

    def _send(self) -> None:
        leg = self._leg
        description = self._make() if leg.state == CONFIRMED else None
        if description is None:
            self._own.close()
        else:
            try:
                leg.modify.offer(Changing("INVITE", description), self._outcome)
            except Reject as reject:
                self._own.close()
                leg.services.log.warn(f"{leg.phone} is not asked to change the call: {reject.why}")

    def _outcome(self, event: Event) -> None:
        match event:
            case Changed():
                self._own.accepted()
                self._leg.renewed()
            case ChangeRefused() if not self._own.refused(event):
                leg = self._leg
                leg.services.log.warn(
                    f"{leg.phone} refuses the change of the call ({event.status}), which stays as it was"
                )
            case _:
                pass
