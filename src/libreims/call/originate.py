"""Calls that the server itself makes: `mt_call` of the remote API and of the monitor (manual §6.6).

The server is the calling party: it offers `sdp_file` (or `mt_call_sdp_file`, or the codecs that every phone
has), sends back what it hears like the echo numbers, and hangs up after `duration`.
"""

from __future__ import annotations

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError, Reject
from libreims.call.caller import Caller
from libreims.call.calls import Calls
from libreims.call.events import Answered, Cause, Ended, Event, Offered, sip_reason
from libreims.call.sdp_file import read_sdp_file
from libreims.call.server_party import ServerParty
from libreims.call.services import CallServices
from libreims.call.uac_leg import Target
from libreims.cscf.reach import hidden_by_nat
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import quote
from libreims.proto.sip.uri import Uri
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import Found, SubscriberDatabase, all_of
from libreims.users.identity import Identity, called_address, called_party, identity_of, preferred_entry
from libreims.users.impu import candidates_of
from libreims.users.profile import effective, public_uri
from libreims.users.subscriber import ImpuEntry, Subscriber

DEFAULT_CALLER = "ims"
"""User part of From where `caller` is not given."""
LONGEST = 10_000_000.0
"""Largest `duration`, in seconds."""


class CallingServer(ServerParty):
    """The calling side of a call that the server makes."""

    def __init__(
        self,
        services: CallServices,
        name: str,
        description: SessionDescription | None,
        duration: float | None,
    ) -> None:
        """`duration`: seconds from the answer to the end; None: as long as the phone likes."""
        super().__init__(services, f"the server as {name}", caller=True)
        self._description = description
        self._duration = duration
        self._timer: Cancellable | None = None

    def start(self) -> None:
        """Call."""
        self.notify(Offered(self.offer(), ()))

    def first_offer(self) -> SessionDescription:
        """The description of the call's file."""
        return self._description or super().first_offer()

    def handle(self, event: Event) -> None:
        """An event of the phone."""
        if not isinstance(event, Answered):
            super().handle(event)
        elif self._duration is not None:
            self._timer = self._services.clock.call_later(self._duration, self._over)

    def release(self) -> None:
        """The session is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().release()

    def _over(self) -> None:
        self._timer = None
        text = f"the duration of {self._duration:g} s is over"
        self.notify(Ended(Cause(text, sip_reason(200, "Duration of the call is over"))))


class Originate:
    """Starts calls to phones."""

    def __init__(
        self, services: CallServices, calls: Calls, users: SubscriberDatabase, bindings: Bindings
    ) -> None:
        self._services = services
        self._calls = calls
        self._users = users
        self._bindings = bindings

    def mt_call(
        self,
        *,
        impi: str | None = None,
        impu: str | None = None,
        contact: str | None = None,
        caller: str | None = None,
        sdp_file: str | None = None,
        sos: bool = False,
        duration: float | None = None,
    ) -> str:
        """Call a user, by exactly one of IMPI, IMPU and contact URI; returns the session id of the dialog.

        `caller` is what the phone sees: an IMPU, a URI, a number, or any text.  `sos`: phones that are
        registered for emergency calls only.  Raises LibreImsError, with a sentence.
        """
        if duration is not None and not 0 < duration <= LONGEST:
            raise LibreImsError(f"duration: {duration:g} is out of range, seconds above 0 are expected")
        found, bindings = self._called(impi, impu, contact, sos)
        settings = self._services.config.current
        who, name = self._caller(caller)
        subscriber = found[0].subscriber
        description = self._description(sdp_file, effective(settings, subscriber, None).mt_call_sdp_file)
        targets = [self._target(binding, found, who.identity) for binding in bindings]
        party = CallingServer(self._services, name, description, duration)
        try:
            record = self._calls.originate(who, name, party, targets, found)
        except Reject as reject:
            raise LibreImsError(f"mt_call: {reject.why}") from reject
        return record.session_id

    def _description(self, given: str | None, configured: str | None) -> SessionDescription | None:
        """What to offer; the name of a configured file has the directory of the configuration already."""
        if given:
            return read_sdp_file(given, self._services.config.directory)
        return read_sdp_file(configured) if configured else None

    # -- who is called -----------------------------------------------------------------------------------

    def _called(
        self, impi: str | None, impu: str | None, contact: str | None, sos: bool
    ) -> tuple[tuple[Found, ...], list[Binding]]:
        given = [name for name, value in (("impi", impi), ("impu", impu), ("contact", contact)) if value]
        if len(given) != 1:
            which = " and ".join(given) + " are given" if given else "none of them is given"
            raise LibreImsError(f"mt_call: one of impi, impu and contact is needed, {which}")
        if contact:
            return self._by_contact(contact, sos)
        if impi:
            found = self._by_impi(impi)
            text = f"impi: {impi}"
        else:
            found = self._users.find(candidates_of(impu or ""))
            text = f"impu: {impu}"
            if not found:
                raise LibreImsError(f"{text} belongs to no user of ue_db")
            if found[0].subscriber is None:
                raise LibreImsError(f"{text} is an echo number, mt_call calls phones")
        bindings = self._bindings.reachable(found, emergency=sos)
        if not bindings:
            how = "for emergency calls (sos)" if sos else "now"
            raise LibreImsError(f"{text} is not registered {how}")
        return found, bindings

    def _by_impi(self, impi: str) -> tuple[Found, ...]:
        subscriber = self._users.by_impi(impi)
        if subscriber is None:
            raise LibreImsError(f"impi: {impi} is no user of ue_db")
        return _all_of(subscriber)

    def _by_contact(self, contact: str, sos: bool) -> tuple[tuple[Found, ...], list[Binding]]:
        text = contact.strip().removeprefix("<").removesuffix(">")
        binding = self._bindings.by_contact(text)
        subscriber = self._users.by_impi(binding.impi) if binding is not None else None
        if binding is None or subscriber is None:
            raise LibreImsError(f"contact: {contact} is not registered now")
        if sos and not binding.emergency:
            raise LibreImsError(f"contact: {contact} is not registered for emergency calls (sos)")
        return _all_of(subscriber), [binding]

    def _target(self, binding: Binding, found: tuple[Found, ...], identity: Identity) -> Target:
        settings = self._services.config.current
        subscriber, entry = _owner(binding, found)
        preferred = preferred_entry(subscriber, binding.imei)
        uri = binding.contact
        if preferred is not None and not binding.path:
            uri = public_uri(settings, subscriber, preferred)
        return Target(
            uri=uri,
            flow=binding.flow,
            route=binding.path,
            from_=identity.from_,
            to=called_address(settings, subscriber, entry)[0],
            headers=identity.headers + called_party(settings, subscriber, entry),
            phone=subscriber.impi,
            behind_nat=not binding.path and hidden_by_nat(binding.contact, binding.flow),
            binding=binding.number,
            q=binding.q,
            volte=binding.features.volte,
        )

    # -- who calls -----------------------------------------------------------------------------------------

    def _caller(self, text: str | None) -> tuple[Caller, str]:
        """Who the phone sees, and the name of it for `dialog_get`."""
        settings = self._services.config.current
        text = (text or "").strip()
        if any(char in text for char in "\r\n\0"):
            raise LibreImsError(f"caller: {text!r} has a line break")
        if not text:
            return _stranger(f"<{Uri.sip(DEFAULT_CALLER, settings.domain)}>", DEFAULT_CALLER)
        found = self._users.find(candidates_of(text))
        if found and found[0].subscriber is not None:
            subscriber, entry = found[0].subscriber, found[0].entry
            identity = identity_of(settings, subscriber, entry)
            return Caller(subscriber.impi, identity, subscriber, None, entry), entry.key
        return _stranger(_address(text, settings.domain), text)


def _all_of(subscriber: Subscriber) -> tuple[Found, ...]:
    """Every IMPU of a user, the ones for normal registration first. Raises LibreImsError."""
    if not subscriber.impus:
        raise LibreImsError(f"mt_call: {subscriber.impi} has no IMPU to be called at")
    return all_of(subscriber)


def _owner(binding: Binding, found: tuple[Found, ...]) -> tuple[Subscriber, ImpuEntry]:
    for subscriber, entry in found:
        if subscriber is not None and subscriber.impi == binding.impi and entry.applies_to(binding.imei):
            return subscriber, entry
    # By its contact a phone can be called that has none of its user's IMPUs (`imei`).
    subscriber, entry = next((owner, entry) for owner, entry in found if owner is not None)
    return subscriber, entry


def _stranger(address: str, name: str) -> tuple[Caller, str]:
    return Caller(name, Identity(address)), name


def _address(text: str, domain: str) -> str:
    """From of a caller who is no user: a URI as it is, a number or a name as a SIP user of the domain."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel", "urn") and rest:
        if scheme.lower().startswith("sip") and "@" not in rest:
            text = f"{text}@{domain}"
        try:
            return f"<{Uri.parse(text)}>"
        except SipParseError as error:
            raise LibreImsError(f"caller: {text} is no valid URI: {error.reason}") from error
    number = text.replace(" ", "").replace("-", "")
    if number.removeprefix("+").isdigit() and number.isascii():
        return f"<{Uri.sip(number, domain)};user=phone>"
    user, at, host = text.partition("@")
    if at and user and host and " " not in text:
        try:
            return f"<{Uri.parse(f'sip:{text}')}>"
        except SipParseError:
            pass  # any text will do
    return f"{quote(text)} <{Uri.sip(text, domain)}>"
