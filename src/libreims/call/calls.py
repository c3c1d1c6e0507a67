"""All calls of the server: new ones are set up here, in-dialog messages find their leg here."""

from __future__ import annotations

from libreims.base.counters import Counters
from libreims.base.errors import Reject
from libreims.base.tokens import Tokens
from libreims.call.caller import Caller
from libreims.call.echo import EchoParty
from libreims.call.events import Cause, sip_reason
from libreims.call.fork import Fork
from libreims.call.history import ECHO, MT_CALL, SERVER, History, Record
from libreims.call.leg import Leg
from libreims.call.leg_media import LegMedia
from libreims.call.locate import Locator
from libreims.call.media_policy import policy_of
from libreims.call.party import CallingParty, Party, StartingParty
from libreims.call.ring_only import RingOnly
from libreims.call.scopes import CallflowScopes
from libreims.call.services import CallServices
from libreims.call.session import Session
from libreims.call.statistics import CallStatistics
from libreims.call.uac_leg import Target, UacLeg
from libreims.call.uas_leg import UasLeg
from libreims.config.schema import SipAddr
from libreims.cscf.answer import Answer
from libreims.media.ports import OutOfPorts
from libreims.media.relay import MediaPort, MediaRelay
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.message import Message, Request
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.users.database import Found
from libreims.users.profile import effective
from libreims.users.subscriber import ImpuEntry, Subscriber

DialogKey = tuple[str, str]
"""(Call-ID, our tag): what an in-dialog request of the phone carries (RFC 3261 §12.2.2)."""


class LegTable:
    """The legs by the dialog that a request from the phone names."""

    __slots__ = ("_legs",)

    def __init__(self) -> None:
        self._legs: dict[DialogKey, Leg] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def enter(self, leg: Leg) -> None:
        """A leg has a dialog now."""
        assert leg.dialog is not None
        self._legs[leg.dialog.call_id, leg.dialog.local_tag] = leg

    def leave(self, leg: Leg) -> None:
        """A leg's dialog is gone."""
        assert leg.dialog is not None
        self._legs.pop((leg.dialog.call_id, leg.dialog.local_tag), None)

    def find(self, call_id: str, local_tag: str) -> Leg | None:
        """The leg with this Call-ID and tag of ours."""
        return self._legs.get((call_id, local_tag))


class Calls:
    """The calls, and the procedure of a new call."""

    def __init__(
        self,
        services: CallServices,
        legs: LegTable,
        locator: Locator,
        relay: MediaRelay,
        counters: Counters,
        history: History,
    ) -> None:
        self._services = services
        self._legs = legs
        self._locator = locator
        self._relay = relay
        self._counters = counters
        self._history = history
        self._sessions: dict[int, Session] = {}
        self._last_number = 0
        self._ending = False
        self.statistics = CallStatistics()
        self.scopes: CallflowScopes | None = None
        """Who knows the callflow modifiers of a callee's dialog."""

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The calls that are on."""
        return tuple(self._sessions.values())

    @property
    def dialogs(self) -> int:
        """Dialogs that exist, for leak tests: it outlives its call until the BYE is answered."""
        return len(self._legs)

    # -- a new call ------------------------------------------------------------------------------------

    def invite(self, transaction: ServerTransaction, caller: Caller) -> None:
        """An INVITE outside a dialog; raises Reject."""
        request = transaction.request
        number = self._new_number()
        self._services.agent.respond(transaction, Answer(100))
        found = self._locator.callee(request, caller)
        echo = found[0].entry if found and found[0].subscriber is None else None
        targets = [] if echo is not None else self._locator.targets(found, caller, request)
        mo = UasLeg(self._services, self._media(transaction.flow, request.call_id), transaction, caller)
        record = self._record(
            mo,
            SERVER if echo is None else ECHO,
            caller.entry.key if caller.entry is not None else caller.phone,
            found[0].entry.key if found else request.uri,
        )
        record.invited(request.call_id)
        own = (caller.entry.settings,) if caller.entry is not None else ()
        mt: Party
        if echo is not None:
            mo.media.policy = policy_of(*own, echo.settings)
            mt = EchoParty(echo.key, echo.settings, self._services, record)
        else:
            mo.media.policy = policy_of(*own)
            mt = self._branches(targets, found, record)
            self._modify(caller, targets, record.peers)
        session = self._session(number, mo, mt)
        session.log_id = caller.binding.number if caller.binding is not None else _binding_of(targets)
        for each in (record, *record.peers):
            each.session = session
        try:
            mo.start()
        except (Reject, SipParseError) as error:
            # The router answers; what was begun is given back.
            mo.release()
            mt.release()
            del self._sessions[number]
            self.statistics.finished(str(error.status), None)
            raise

    def _modify(self, caller: Caller, targets: list[Target], records: tuple[Record, ...]) -> None:
        """Put the caller's callflow modifiers in force for the dialogs with the called phones."""
        scopes = self.scopes
        if scopes is not None and scopes.active:
            for target, record in zip(targets, records, strict=True):
                if isinstance(record.leg, Leg):
                    record.leg.modified_by(scopes.of_target(caller, target))

    def originate(
        self,
        caller: Caller,
        name: str,
        party: StartingParty,
        targets: list[Target],
        found: tuple[Found, ...],
    ) -> Record:
        """A call that the server itself makes (`call.originate`); the record of its first phone's dialog.

        `name`: who the phone thinks is calling, for the record. Raises Reject.
        """
        number = self._new_number()
        mt, records = self._legs_to(targets, found, name)
        if caller.subscriber is not None:
            self._modify(caller, targets, records)
        session = self._session(number, party, mt)
        session.log_id = _binding_of(targets)
        for each in records:
            each.session = session
        party.start()
        return records[0]

    def _session(self, number: int, mo: CallingParty, mt: Party) -> Session:
        session = Session(self._services, number, mo, mt, self._finished)
        self._sessions[number] = session
        self._counters.count("call")
        return session

    def _record(self, leg: Leg, kind: str, caller: str, callee: str) -> Record:
        record = leg.record = self._history.open(kind, caller, callee)
        record.leg = leg
        return record

    def _branches(self, targets: list[Target], found: tuple[Found, ...], record: Record) -> Party:
        """The called side of a call between phones."""
        party, records = self._legs_to(targets, found, record.caller)
        record.peers = records
        for each in records:
            each.peers = (record,)
        return party

    def _legs_to(
        self, targets: list[Target], found: tuple[Found, ...], caller: str
    ) -> tuple[Party, tuple[Record, ...]]:
        """Legs to all targets as one party, and their records."""
        legs = []
        records = []
        ring_only = False
        for target in targets:
            owner, entry = _owner(found, target)
            profile = effective(self._services.config.current, owner, entry)
            call_id = self._services.tokens.call_id()
            leg = UacLeg(self._services, self._media(target.flow, call_id), target, profile, call_id)
            callee = target.uri
            if entry is not None:
                callee = entry.key
                ring_only = ring_only or entry.settings.ring_only
                leg.media.policy = policy_of(entry.settings)
            records.append(self._record(leg, MT_CALL, caller, callee))
            legs.append(leg)
        party = self._together(targets, legs)
        if ring_only:
            party = RingOnly(party, self._services.clock, self._services.log)
        return party, tuple(records)

    def _together(self, targets: list[Target], legs: list[UacLeg]) -> Party:
        """One leg, or several that ring together where they are preferred alike (q), else in turn."""
        services = self._services
        if len(legs) == 1:
            return legs[0]
        groups: dict[float, list[UacLeg]] = {}
        for target, leg in zip(targets, legs, strict=True):
            groups.setdefault(target.q, []).append(leg)
        first, *later = [groups[q] for q in sorted(groups, reverse=True)]
        return Fork(first, later=later, services=services)

    def _media(self, flow: Flow, call_id: str) -> LegMedia:
        """Media ports at the address that faces the phone, for the dialog with this Call-ID."""
        number = self._services.agent.log_id(call_id)
        socket = self._socket(flow.local)
        bound = (socket.bind_addr or socket.addr)[0]

        def open_port(kind: str) -> MediaPort:
            try:
                return self._relay.open(bound, socket.port_min, socket.port_max, kind=kind, id=number)
            except OutOfPorts as error:
                raise Reject(
                    503, f"no media port is free: {error}", headers=(("Retry-After", "10"),)
                ) from None

        return LegMedia(open_port, socket.addr[0], _session_id(self._services.tokens))

    def _socket(self, local: Address) -> SipAddr:
        """The `sip_addr` entry of one of our addresses."""
        sockets = self._services.config.current.sip_addr
        for socket in sockets:
            if local == socket.addr:
                return socket
        for socket in sockets:
            if local[0] in (socket.addr[0], (socket.bind_addr or socket.addr)[0]):
                return socket
        return sockets[0]

    def _new_number(self) -> int:
        """The number of a new call. Raises Reject when there is to be none."""
        if self._ending:
            raise Reject(503, "no call begins any more: the server ends", headers=(("Retry-After", "10"),))
        if len(self._sessions) > 0xFFFF:
            raise Reject(
                503, "65536 calls are on, no more can be told apart", headers=(("Retry-After", "10"),)
            )
        number = self._last_number
        while True:
            number = (number + 1) & 0xFFFF
            if number not in self._sessions:
                self._last_number = number
                return number

    def _finished(self, session: Session) -> None:
        self._sessions.pop(session.number, None)
        self.statistics.finished(session.outcome, session.setup)

    # -- messages of calls that exist --------------------------------------------------------------------

    def leg_of(self, message: Message) -> Leg | None:
        """The leg whose dialog a request from the phone belongs to."""
        leg = self._legs.find(message.call_id, message.to.tag or "")
        if leg is not None and leg.dialog is not None and leg.dialog.remote_tag != (message.from_.tag or ""):
            return None
        return leg

    def in_dialog(self, transaction: ServerTransaction) -> bool:
        """A request of a dialog; False when it is no call's. Raises Reject."""
        leg = self.leg_of(transaction.request)
        if leg is not None:
            leg.received(transaction)
        return leg is not None

    def ack_received(self, ack: Request) -> bool:
        """An ACK for a 2xx; False when it belongs to no call."""
        leg = self.leg_of(ack)
        if leg is not None:
            leg.ack_received(ack)
        return leg is not None

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """CANCEL of an INVITE that has no final response; the stack has answered the CANCEL itself."""
        leg = self._legs.find(transaction.request.call_id, transaction.local_tag)
        if leg is not None:
            leg.cancel_received(transaction, cancel)
        else:  # the caller is still being authenticated
            self._services.agent.respond(transaction, Answer(487))

    def stop_all(self, text: str) -> None:
        """End every call, and begin no more: the server goes down."""
        self._ending = True
        for session in self.sessions:
            session.stop(Cause(text, sip_reason(503, text), 503))


def _binding_of(targets: list[Target]) -> int | None:
    """Identifier in the log of the first registration that is called."""
    return next((each.binding for each in targets if each.binding is not None), None)


def _owner(found: tuple[Found, ...], target: Target) -> tuple[Subscriber | None, ImpuEntry | None]:
    """The user and IMPU that a target was found by; none for one of the trunk."""
    for subscriber, entry in found:
        if subscriber is not None and subscriber.impi == target.phone:
            return subscriber, entry
    return None, None


def _session_id(tokens: Tokens) -> int:
    return tokens.integer(1, 2**62 - 1)
