"""Who calls, and who is called: from the headers of an INVITE to registered phones.

Every refusal says what was looked for and what to change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from libreims.base.errors import Reject
from libreims.call.uac_leg import Target
from libreims.config.store import ConfigStore
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import Request
from libreims.proto.sip.uri import Uri
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.impu import candidates
from libreims.users.profile import public_uri
from libreims.users.subscriber import ImpuEntry, Subscriber


@dataclass(frozen=True, slots=True)
class Caller:
    """A registered phone and the public identity that it calls with."""

    subscriber: Subscriber
    binding: Binding
    entry: ImpuEntry
    display_name: str
    identities: tuple[str, ...]
    """URIs of P-Asserted-Identity: the SIP and the tel form, as far as there are both (RFC 3325 §9.1)."""


class Locator:
    """Finds callers and callees among the users and their bindings."""

    def __init__(self, users: SubscriberDatabase, bindings: Bindings, config: ConfigStore) -> None:
        self._users = users
        self._bindings = bindings
        self._config = config

    # -- the caller ----------------------------------------------------------------------------------

    def caller(self, request: Request, flow: Flow) -> Caller:
        """The registered phone behind a request, by where it comes from. Raises Reject (403)."""
        claimed = self._claimed(request)
        for binding in self._bindings_behind(flow, claimed):
            subscriber = self._users.by_impi(binding.impi)
            if subscriber is not None:
                return self._caller(subscriber, binding, claimed)
        host, port = flow.remote
        raise Reject(
            403,
            f"{request.method} from {request.from_.uri_text} at {host}:{port} refused: no phone is "
            "registered from this address with this identity; let it register first, from the same address",
        )

    def _claimed(self, request: Request) -> list[Uri]:
        """Identities that the request names, the one that the user chose first (TS 24.229 §5.2.6.3)."""
        claimed = [request.from_.uri]
        if "P-Preferred-Identity" in request.fields:
            claimed[:0] = [NameAddr.parse(value).uri for value in request.elements("P-Preferred-Identity")]
        return claimed

    def _bindings_behind(self, flow: Flow, claimed: list[Uri]) -> list[Binding]:
        behind = list(islice(self._bindings.by_remote(flow.remote), 2))
        if len(behind) == 1:
            return behind
        # Many phones behind one address, or a phone whose requests leave from another port (TCP).
        for uri in claimed:
            named = self._bindings.reachable(self._users.by_impu(uri), emergency=None)
            here = [each for each in named if each.flow.remote[0] == flow.remote[0]]
            if here:
                here.sort(key=lambda each: each.flow.remote != flow.remote)
                return here
        return behind[:1]

    def _caller(self, subscriber: Subscriber, binding: Binding, claimed: list[Uri]) -> Caller:
        settings = self._config.current
        entry = None
        for uri in claimed:
            entry = entry or subscriber.entry(candidates(uri), binding.imei)
        registered = subscriber.registered_with(binding.imei)
        if entry is None:
            # TS 24.229 §5.2.6.3.2: an identity that is not the user's own is replaced by the default one.
            entry = registered[0] if registered else subscriber.impus[0]
        kinds = {entry.key[:4]: public_uri(settings, subscriber, entry)}
        for other in registered:
            kinds.setdefault(other.key[:4], public_uri(settings, subscriber, other))
        name = entry.settings.display_name or ""
        return Caller(subscriber, binding, entry, name, tuple(kinds.values()))

    # -- the callee ------------------------------------------------------------------------------------

    def callee(self, request: Request) -> tuple[Found, ...]:
        """Who has the IMPU of the Request-URI: users, or one echo number. Raises Reject (404)."""
        found = self._users.by_impu(request.target)
        if not found:
            raise Reject(
                404,
                f"call to {request.uri} refused: nobody has this number; add it as impu of a user in ue_db, "
                "or to echo",
                headers=(("Reason", 'Q.850;cause=1;text="Unallocated number"'),),
            )
        return found

    def targets(self, found: Iterable[Found], caller: Caller, request: Request) -> list[Target]:
        """The phones to ring. Raises Reject (480, 486)."""
        found = tuple(found)
        registered = self._bindings.reachable(found)
        others = [binding for binding in registered if binding.number != caller.binding.number]
        if not registered:
            raise Reject(
                480,
                f"call to {request.uri} refused: {self._names(found)} is known but not registered now",
                headers=(("Reason", 'Q.850;cause=20;text="Subscriber absent"'),),
            )
        if not others:
            raise Reject(
                486,
                f"call to {request.uri} refused: the number belongs to the calling phone itself",
                headers=(("Reason", 'Q.850;cause=17;text="User busy"'),),
            )
        headers = self._identity_headers(caller)
        return [self._target(binding, found, caller, headers) for binding in others]

    def _identity_headers(self, caller: Caller) -> tuple[tuple[str, str], ...]:
        return tuple([("P-Asserted-Identity", _address(caller, uri)) for uri in caller.identities])

    def _target(
        self,
        binding: Binding,
        found: tuple[Found, ...],
        caller: Caller,
        headers: tuple[tuple[str, str], ...],
    ) -> Target:
        subscriber = next(each for each, _ in found if each is not None and each.impi == binding.impi)
        entry = next(entry for each, entry in found if each is subscriber)
        contact = Uri.parse(binding.contact)
        return Target(
            uri=binding.contact,
            flow=binding.flow,
            route=binding.path,
            from_=_address(caller, caller.identities[0]),
            to=f"<{public_uri(self._config.current, subscriber, entry)}>",
            headers=headers,
            phone=subscriber.impi,
            behind_nat=not binding.path and contact.host != binding.flow.remote[0],
        )

    def _names(self, found: tuple[Found, ...]) -> str:
        return ", ".join(subscriber.impi for subscriber, _ in found if subscriber is not None)


def _address(caller: Caller, uri: str) -> str:
    """A name-addr of the caller's with this URI."""
    return str(NameAddr(uri, caller.display_name)) if caller.display_name else f"<{uri}>"
