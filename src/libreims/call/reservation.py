"""The resources of one phone before its call is answered (RFC 3312, RFC 4032; TS 24.229 §5.1.3, §5.1.4).

What follows from what both sides have said is decided in `proto.sdp.precondition_decision`; this asks there
whenever something has changed, says so to the phone by UPDATE where it has to know, and to the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libreims.base.clock import Cancellable
from libreims.call.events import Changed, ChangeRefused, Changing, Event
from libreims.call.guard import guarded
from libreims.call.own_offer import OwnOffer
from libreims.pcc.port import PolicyControl
from libreims.proto.sdp.precondition import Preconditions
from libreims.proto.sdp.precondition_decision import Decision, Role, decide, situation

if TYPE_CHECKING:
    from libreims.call.leg import Leg

PATIENCE: Final = 30.0
"""Seconds that a callee who has answered, or rings, is kept from a caller without its resources."""

REQUIRED: Final = "required"
PENDING: Final = "pending"
RESERVED: Final = "erab_set"
"""QoS states of `dialog_get` (manual §6.6); `disabled` is that of a dialog without preconditions."""


class Reservation:
    """The preconditions of one leg, until it is answered."""

    __slots__ = ("_leg", "_met", "_own", "_policy", "_preconditions", "_ready", "_role", "_timer")

    def __init__(
        self, leg: Leg, role: Role, preconditions: Preconditions, policy: PolicyControl, *, ready: bool
    ) -> None:
        """`ready`: nothing of the far side is to be waited for."""
        self._leg = leg
        self._role: Role = role
        self._preconditions = preconditions
        self._policy = policy
        self._ready = ready
        self._met = False  # the session knows that the phone's resources are there
        services = leg.services
        self._own = OwnOffer(services.clock, services.tokens, role == "MT", self._update)
        self._timer: Cancellable | None = None
        leg.media.preconditions = preconditions
        if ready:
            preconditions.reserve()

    @property
    def leg(self) -> Leg:
        """Whose resources they are."""
        return self._leg

    @property
    def in_use(self) -> bool:
        """Whether the phone takes part."""
        return self._preconditions.in_use

    @property
    def peer_ready(self) -> bool:
        """Whether nothing of this phone is to be waited for."""
        return self._preconditions.peer_is_met()

    @property
    def open(self) -> bool:
        """Whether the phone may be told that the callee rings, or has answered."""
        return self._decision().alert

    def _decision(self) -> Decision:
        bearer = self._policy.bearer(self._leg.record.session_id)
        return decide(situation(self._role, "on", self._preconditions, bearer, self._ready))

    def far_side_ready(self) -> None:
        """The other phone has its resources."""
        if not self._ready:
            self._ready = True
            self._preconditions.reserve()
            self.changed()

    def changed(self) -> None:
        """The phone has said something, or our side has got its resources."""
        leg = self._leg
        self._note()
        decision = self._decision()
        if decision.fail:
            leg.unreservable()
            return
        if leg.offer_answered and self.peer_ready and not self._met:
            self._met = True
            leg.resources_there()
        if decision.update and leg.may_update and not self._own.pending:
            self._own.ask()

    def _note(self, *, answered: bool = False) -> None:
        """The state of each m-line, for `dialog_get`; a phone that has answered has what it needs."""
        states = {}
        for index, table in enumerate(self._preconditions.tables):
            if table is not None and table.in_use:
                if answered or (self._leg.offer_answered and table.peer_is_met()):
                    states[index] = RESERVED
                else:
                    states[index] = PENDING if self._leg.offer_answered else REQUIRED
        self._leg.record.qos = states

    # -- UPDATE ------------------------------------------------------------------------------------------

    def _update(self) -> None:
        leg = self._leg
        far = leg.media.far
        if far is None or not leg.may_update:
            self._own.close()
        else:
            leg.modify.offer(Changing("UPDATE", far), self._told)

    def _told(self, event: Event) -> None:
        leg = self._leg
        if isinstance(event, Changed):
            self._own.accepted()
            leg.renegotiated()
        elif isinstance(event, ChangeRefused):
            self._preconditions.untold()
            if not self._own.refused(event):
                leg.services.log.warn(
                    f"{leg.phone} refuses to be told of the other side's resources by UPDATE "
                    f"({event.status}); should it wait for them, set precondition to silent for it"
                )

    # -- time ----------------------------------------------------------------------------------------------

    def waits(self) -> None:
        """Something is kept from the phone until its resources are there."""
        if self._timer is None:
            self._timer = self._leg.services.clock.call_later(PATIENCE, self._too_late)

    @guarded
    def _too_late(self) -> None:
        self._timer = None
        if not self.open:
            self._leg.unreservable()

    def close(self, *, answered: bool) -> None:
        """Answered, or over."""
        if answered:
            self._note(answered=True)
        self._own.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._leg.media.preconditions = None
