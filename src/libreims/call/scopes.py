"""Whose callflow modifiers are in force for a message (manual §5.2.1, `callflow_modifier`).

In the dialog with the caller (MO) those of the callee's IMPU, or of the echo number; in the dialog with
the callee (MT) those of the IMPU that the caller calls with.  Outside calls (REGISTER, SUBSCRIBE,
MESSAGE, NOTIFY) there is one user only: all modifiers of its own IMPUs.  The counterpart that `impu` and
`imei` are compared with is always the phone at the other end of the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from libreims.base.errors import Reject
from libreims.call.caller import Caller
from libreims.call.history import ECHO as ECHO_CALL
from libreims.call.history import MT_CALL, STOP, Record
from libreims.call.leg import Leg
from libreims.call.uac_leg import Target
from libreims.cscf.modifiers import (
    CallflowContext,
    LiveModifier,
    ModifierStates,
    imei_of_contact,
    impus_of,
)
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import Message, Request
from libreims.proto.sip.uri import Uri
from libreims.users.admin import ECHO, UserChanged
from libreims.users.bindings import Bindings
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.impu import candidates
from libreims.users.subscriber import ImpuEntry, Subscriber

OUTSIDE_CALLS = frozenset({"REGISTER", "SUBSCRIBE", "MESSAGE", "NOTIFY"})
REMEMBERED = 16384
"""Phones whose access network is remembered; the oldest are forgotten first."""


class FindsCaller(Protocol):
    """What is needed of `call.locate`."""

    def caller(self, request: Request, flow: Flow) -> Caller:
        """Who is behind a request. Raises Reject."""


class FindsLeg(Protocol):
    """What is needed of `call.calls`."""

    def leg_of(self, message: Message) -> Leg | None:
        """The leg whose dialog a request from the phone belongs to."""


class CallflowScopes:
    """Finds the modifiers for the hook (`cscf.deviations.Scopes`) and for new legs."""

    def __init__(
        self, users: SubscriberDatabase, bindings: Bindings, callers: FindsCaller, legs: FindsLeg
    ) -> None:
        self._users = users
        self._bindings = bindings
        self._callers = callers
        self._legs = legs
        self._states = ModifierStates()
        self._access: dict[Address, str] = {}

    @property
    def active(self) -> bool:
        """Whether any IMPU has modifiers at all."""
        return self._users.has_modifiers

    def of_request(self, request: Request, flow: Flow) -> CallflowContext | None:
        """For a received request. Raises SipParseError."""
        self._note_access(request, flow)
        if request.to.tag is not None:
            leg = self._legs.leg_of(request)
            if leg is not None:
                return leg.callflow
        elif request.method == "INVITE":
            return self._of_invite(request, flow)
        if request.method not in OUTSIDE_CALLS:
            return None  # of a call that is not there (any more)
        address = request.to if request.method == "REGISTER" else request.from_
        return self._of_user(address.uri, request, flow)

    def of_sent(self, request: Request, flow: Flow) -> CallflowContext | None:
        """For a request of ours outside calls: NOTIFY, MESSAGE."""
        return self._of_user(request.to.uri, request, flow)

    def of_target(self, caller: Caller, target: Target) -> CallflowContext | None:
        """For the dialog with a callee."""
        if caller.subscriber is None or caller.entry is None:
            return None
        modifiers = self._states.of(caller.subscriber.impi, caller.entry)
        if not modifiers:
            return None
        imei = self._imei_at(target.phone, target.flow)
        called = candidates(NameAddr.parse(target.to).uri)[:1]
        return CallflowContext(modifiers, impus_of(*called), imei, self._access.get(target.flow.remote, ""))

    def renew(self, event: UserChanged, dialogs: Iterable[Record]) -> None:
        """Callflow modifiers were changed: what is configured now is in force for the calls that are on."""
        if not event.modifiers:
            return
        user = self._users.by_impi(event.impi)
        if event.impi == ECHO:
            self._states.forget("", self._users.echo)
        else:
            self._states.forget(event.impi, user.impus if user is not None else ())
        for dialog in dialogs:
            leg = dialog.leg
            if leg is not None and dialog.state != STOP:
                self._renew(dialog, leg)

    def _renew(self, dialog: Record, leg: Leg) -> None:
        mt = dialog.kind == MT_CALL
        source, counterpart = (dialog.caller, dialog.callee) if mt else (dialog.callee, dialog.caller)
        calling = next((each.leg for each in dialog.peers if each.leg is not None), None) if mt else None
        phone = calling.phone if calling is not None else None
        imei = self._imei_at(calling.phone, calling.flow) if calling is not None else ""
        found = tuple(
            [
                each
                for each in self._users.owners(source)
                if (each.subscriber is None) is (dialog.kind == ECHO_CALL)
                and (phone is None or each.subscriber is None or each.subscriber.impi == phone)
                and (not imei or each.entry.applies_to(imei))
            ]
        )
        modifiers = self._of_callee(found)
        context = leg.callflow
        if context is not None:
            context.modifiers = modifiers
        elif modifiers:
            imei, access = self._imei_at(leg.phone, leg.flow), self._access.get(leg.flow.remote, "")
            leg.modified_by(CallflowContext(modifiers, impus_of(counterpart), imei, access))

    # -- inside --------------------------------------------------------------------------------------

    def _of_invite(self, request: Request, flow: Flow) -> CallflowContext | None:
        modifiers = self._of_callee(self._users.by_impu(request.target))
        if not modifiers:
            return None
        try:
            caller = self._callers.caller(request, flow)
        except Reject:
            return None  # who is not registered is refused by the procedure, modifiers or not
        imei = caller.binding.imei if caller.binding is not None else ""
        return CallflowContext(modifiers, _identities(caller, request, imei), imei)

    def _of_callee(self, found: tuple[Found, ...]) -> tuple[LiveModifier, ...]:
        for subscriber, entry in found:
            modifiers = self._states.of(subscriber.impi if subscriber is not None else "", entry)
            if modifiers:
                return modifiers
        return ()

    def _of_user(self, uri: Uri, request: Request, flow: Flow) -> CallflowContext | None:
        subscriber = self._owner(uri)
        if subscriber is None:
            return None
        modifiers: list[LiveModifier] = []
        for entry in subscriber.impus:
            modifiers += self._states.of(subscriber.impi, entry)
        if not modifiers:
            return None
        imei = imei_of_contact(request) if request.method == "REGISTER" else ""
        imei = imei or self._imei_at(subscriber.impi, flow)
        access = self._access.get(flow.remote, "")
        return CallflowContext(tuple(modifiers), impus_of(*candidates(uri)[:1]), imei, access)

    def _owner(self, uri: Uri) -> Subscriber | None:
        """The user with an IMPU, or with the one made from its IMSI (TS 23.003 §13.4B)."""
        for subscriber, _ in self._users.by_impu(uri):
            if subscriber is not None:
                return subscriber
        return self._users.by_imsi(uri.user)

    def _imei_at(self, impi: str, flow: Flow) -> str:
        for binding in self._bindings.of(impi):
            # A protected port of ours is for one phone, whose own port changes as it registers again.
            if binding.flow.remote == flow.remote or (binding.protected and binding.flow.local == flow.local):
                return binding.imei
        return ""

    def _note_access(self, request: Request, flow: Flow) -> None:
        values = request.get_all("P-Access-Network-Info")
        if not values:
            return
        known = self._access
        if flow.remote not in known and len(known) >= REMEMBERED:
            del known[next(iter(known))]
        known[flow.remote] = ",".join(values)


def _identities(caller: Caller, request: Request, imei: str) -> frozenset[str]:
    """The caller's identity and its other form (SIP or tel), by which it is known too."""
    if caller.subscriber is None or caller.entry is None:
        return impus_of(*candidates(request.from_.uri)[:1])
    kinds: dict[str, ImpuEntry] = {caller.entry.key[:4]: caller.entry}
    for entry in caller.subscriber.registered_with(imei):
        kinds.setdefault(entry.key[:4], entry)
    return impus_of(*(entry.key for entry in kinds.values()))
