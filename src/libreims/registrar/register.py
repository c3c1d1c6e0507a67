"""The registrar: RFC 3261 §10.3 with TS 24.229 §5.4.1, Path (RFC 3327), Service-Route (RFC 3608) and
P-Associated-URI (RFC 7315 §4.1).

Called by the router for every REGISTER.  The only wait is for the credentials; what follows, from the
bindings read to the bindings written, happens in one step, so two REGISTERs never mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from libreims.base.clock import UtcClock
from libreims.base.errors import LibreImsError, Reject
from libreims.base.log import LayerLog
from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.net import address
from libreims.net.port import Address, Flow
from libreims.proto.sip.message import Request
from libreims.registrar.authentication import Authenticator, Challenged
from libreims.registrar.contacts import Contact, contact_header, read_contact
from libreims.registrar.draft import MAX_CONTACTS, Draft, check_order
from libreims.registrar.identify import Identity, identify
from libreims.registrar.schemes import NO_AUTHENTICATION
from libreims.registrar.security import Security
from libreims.store.port import StoreError
from libreims.store.refusal import not_kept
from libreims.users.bindings import Binding, Bindings, Cause, Change
from libreims.users.database import SubscriberDatabase
from libreims.users.impu import candidates_of
from libreims.users.profile import public_address


class Registrar:
    """Answers REGISTER."""

    def __init__(
        self,
        config: ConfigStore,
        database: SubscriberDatabase,
        bindings: Bindings,
        authenticator: Authenticator,
        security: Security,
        utc: UtcClock,
        log: LayerLog,
    ) -> None:
        self._config = config
        self._database = database
        self._bindings = bindings
        self._authenticator = authenticator
        self._security = security
        self._utc = utc
        self._log = log

    async def register(self, request: Request, flow: Flow) -> Answer:
        """Carry out one REGISTER. Raises Reject, SipParseError."""
        settings = self._config.current
        identity = identify(request, self._database, settings.domain)
        scheme = await self._authenticate(request, identity, flow)
        if self._database.by_impi(identity.subscriber.impi) is None:
            raise Reject(403, f"{identity.subscriber.impi} was removed while it registered.")
        if request.contacts_star:
            return self._remove_all(request, identity, flow, scheme)
        answer = self._bind(request, identity, flow, scheme)
        self._security.registered(flow)
        return answer

    async def _authenticate(self, request: Request, identity: Identity, flow: Flow) -> str:
        """The scheme by which the user has been authenticated, as its IPsec demands. Raises Reject."""
        entry, security = identity.entry, self._security
        needed = entry is None or entry.settings.authentication
        attempt = security.check(request, flow, identity.subscriber.impi, authenticated=needed)
        scheme: str = NO_AUTHENTICATION
        if needed:
            force = attempt.fresh or (entry is not None and entry.settings.reauthenticate)
            try:
                result = await self._authenticator.authenticate(
                    request, identity.subscriber, security.origin(flow), force=force
                )
            except Challenged as challenged:
                raise await security.challenge(challenged, attempt) from None
            scheme = result.scheme
        security.accept(attempt, scheme)
        return scheme

    def _bind(self, request: Request, identity: Identity, flow: Flow, scheme: str) -> Answer:
        contacts = [read_contact(contact) for contact in request.contacts]
        if len(contacts) > MAX_CONTACTS:
            raise Reject(
                403,
                f"{identity.subscriber.impi} wants to register {len(contacts)} contacts at once; "
                f"{MAX_CONTACTS} are allowed.",
            )
        return self._update(request, identity, flow, contacts, scheme)

    # --- the bindings

    def _remove_all(self, request: Request, identity: Identity, flow: Flow, scheme: str) -> Answer:
        """`Contact: *` (RFC 3261 §10.3 step 6)."""
        if request.expires != 0:
            raise Reject(
                400, f"{identity.subscriber.impi} sent Contact: * without Expires: 0 (RFC 3261 §10.2.2)."
            )
        mine = self._open_to(flow, scheme, self._own(identity, flow))
        for binding in mine:
            check_order(request, binding)
        changes = [Change(Cause.UNREGISTERED, binding) for binding in mine]
        self._apply(identity, changes)
        return self._answer(request, identity, flow, [])

    def _open_to(self, flow: Flow, scheme: str, bindings: Iterable[Binding]) -> list[Binding]:
        """Those that a REGISTER may change: one that proves nothing, and came outside, none of IPsec's."""
        unproven = scheme == NO_AUTHENTICATION and not self._security.protects(flow)
        return [each for each in bindings if not (unproven and each.protected)]

    def _own(self, identity: Identity, flow: Flow) -> list[Binding]:
        """The bindings that a REGISTER without contact is about: with `multi_sim` not those of others."""
        subscriber = identity.subscriber
        return [
            binding
            for binding in self._bindings.of(subscriber.impi)
            if not subscriber.multi_sim or binding.flow.remote[0] == flow.remote[0]
        ]

    def _update(
        self, request: Request, identity: Identity, flow: Flow, contacts: list[Contact], scheme: str
    ) -> Answer:
        """RFC 3261 §10.3 step 7: all contacts or none."""
        for contact in contacts:
            _check_phone(identity, contact)
        left = self._open_to(flow, scheme, self._bindings.of(identity.subscriber.impi))
        protected = self._security.protects(flow)
        draft = Draft(request, identity, flow, self._utc(), self._config.current, protected=protected)
        # First by URI, then by instance: a phone may register several URIs at once (UDP and TCP).
        by_uri = [_take(left, contact.same_uri) if left else [] for contact in contacts]
        for contact, before in zip(contacts, by_uri, strict=True):
            void = _take(left, contact.same_phone) if left else []
            draft.place(contact, before, void, self._bindings)
        if draft.created and not identity.subscriber.multi_sim:
            left = draft.make_room(left, one_phone=scheme.startswith("AKA"))
        self._apply(identity, draft.changes)
        if not contacts:
            return self._answer(request, identity, flow, self._own(identity, flow))
        if identity.subscriber.multi_sim:
            return self._answer(request, identity, flow, draft.kept)
        return self._answer(request, identity, flow, [*draft.kept, *left])

    def _apply(self, identity: Identity, changes: list[Change]) -> None:
        impi = identity.subscriber.impi
        try:
            self._bindings.apply(impi, changes)
        except StoreError as error:
            raise not_kept(f"The registration of {impi}", error) from error
        if not self._log.info_on:
            return
        for change in changes:
            binding = change.binding
            left = f"{self._bindings.remaining(binding)} s left, " if not change.cause.ends else ""
            self._log.info(
                f"{impi} {change.cause}: {binding.contact} as {binding.aor}, "
                f"{left}from {address.text(binding.flow.remote)} {binding.flow.transport}",
                id=binding.number,
            )

    def unregister(self, uri: str, event: str = Cause.DEACTIVATED) -> int:
        """De-register a user by the network (TS 24.229 §5.4.1.5): its phones are notified with `event`.

        `uri` is a contact URI, or an IMPU for all contacts of its owners.  Returns how many bindings went.
        Raises LibreImsError where nothing is registered so or the event does not end a binding.
        """
        cause = next((each for each in Cause if each == event and each.ends), None)
        if cause is None:
            names = ", ".join(each for each in Cause if each.ends)
            raise LibreImsError(f"event: {event!r} ends no registration, one of {names} is expected")
        binding = self._bindings.by_contact(uri)
        if binding is not None:
            gone = [binding]
        else:
            found = self._database.find(candidates_of(uri))
            gone = self._bindings.reachable(found, emergency=None)
        if not gone:
            raise LibreImsError(
                f"uri: {uri} is neither a contact nor an IMPU of what is registered now; users_get shows both"
            )
        self._bindings.remove(gone, cause)
        return len(gone)

    # --- the answer

    def _answer(self, request: Request, identity: Identity, flow: Flow, shown: list[Binding]) -> Answer:
        """200 OK (RFC 3261 §10.3 step 8, TS 24.229 §5.4.1.2.2)."""
        settings = self._config.current
        subscriber = identity.subscriber
        remaining = self._bindings.remaining
        headers = [("Contact", contact_header(binding, remaining(binding))) for binding in shown]
        path = request.elements("Path") if "Path" in request.fields else []
        if settings.path and "path" in request.tokens("Supported"):
            path = [settings.path if settings.path[0] == "<" else f"<{settings.path}>", *path]
        if path:
            headers.append(("Path", ", ".join(path)))
        if shown and not (shown[0].emergency and all(binding.emergency for binding in shown)):
            headers.append(("Service-Route", _service_route(flow.local)))
        entries = subscriber.registered_with(shown[0].imei if shown else "")
        associated = ", ".join([public_address(settings, subscriber, entry) for entry in entries])
        if associated:
            headers.append(("P-Associated-URI", associated))
        return Answer(200, headers=tuple(headers))


@lru_cache(64)
def _service_route(local: Address) -> str:
    return f"<sip:orig@{address.text(local)};lr>"


def _take(bindings: list[Binding], fits: Callable[[Binding], bool]) -> list[Binding]:
    """Move what fits out of a list."""
    taken = [binding for binding in bindings if fits(binding)]
    if len(taken) == len(bindings):
        bindings.clear()
    elif taken:
        bindings[:] = [binding for binding in bindings if binding not in taken]
    return taken


def _check_phone(identity: Identity, contact: Contact) -> None:
    """With `multi_sim` an IMPU may belong to one phone (manual, `imei`)."""
    subscriber, aor, entry = identity
    if entry is not None and entry.imei and subscriber.entry((aor,), contact.imei or "unknown") is None:
        raise Reject(
            403,
            f"{subscriber.impi} may register as {aor} from the phone with the IMEI {entry.imei} only, "
            f"not from {contact.imei or 'one without IMEI in its Contact'}.",
        )
