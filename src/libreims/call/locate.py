"""Who calls, and who is called: from the headers of an INVITE to registered phones.

Every refusal says what was looked for and what to change.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from libreims.base.errors import Reject
from libreims.base.tokens import Tokens
from libreims.call import charging
from libreims.call.caller import Caller
from libreims.call.trunk import TrunkPeer
from libreims.call.uac_leg import Target
from libreims.config.store import ConfigStore
from libreims.cscf.reach import hidden_by_nat
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import Request
from libreims.proto.sip.uri import Uri
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.identity import (
    Headers,
    called_address,
    called_party,
    identity_of,
    preferred_entry,
    privacy_of,
)
from libreims.users.impu import candidates
from libreims.users.profile import public_uri
from libreims.users.subscriber import ImpuEntry, Subscriber


class Locator:
    """Finds callers and callees among the users and their bindings."""

    def __init__(
        self,
        users: SubscriberDatabase,
        bindings: Bindings,
        config: ConfigStore,
        trunk: TrunkPeer,
        tokens: Tokens,
        fits: Callable[[Flow, Flow], bool],
    ) -> None:
        """`fits`: whether a request may be of who is registered through another flow (IPsec stays IPsec)."""
        self._users = users
        self._bindings = bindings
        self._config = config
        self._trunk = trunk
        self._tokens = tokens
        self._fits = fits

    # -- the caller ----------------------------------------------------------------------------------

    def caller(self, request: Request, flow: Flow) -> Caller:
        """Who is behind a request, by where it comes from: a registered phone or the trunk.

        Raises Reject (403).
        """
        claimed = self._claimed(request)
        of_trunk = self._trunk.sends(flow)
        outside = ""
        for binding in self._bindings_behind(flow, claimed, sure=not of_trunk):
            if not self._fits(flow, binding.flow) and request.target.scheme != "urn":
                outside = binding.impi
                continue
            subscriber = self._users.by_impi(binding.impi)
            if subscriber is not None:
                return self._caller(subscriber, binding, claimed, request)
        if of_trunk:
            return self._trunk.caller(request, self._tokens)
        host, port = flow.remote
        if outside:
            raise Reject(
                403,
                f"{request.method} from {host}:{port} refused: {outside} is registered through IPsec, and "
                "this came outside of it; only emergency calls may",
            )
        raise Reject(
            403,
            f"{request.method} from {request.from_.uri_text} at {host}:{port} refused: no phone is "
            f"registered from this address with this identity{self._trunk.elsewhere}; let it register first, "
            "from the same address",
        )

    def _claimed(self, request: Request) -> list[Uri]:
        """Identities that the request names, the one that the user chose first (TS 24.229 §5.2.6.3).

        A P-CSCF between the phone and us has made P-Asserted-Identity of the choice; whether the identity is
        the user's own is checked either way.
        """
        claimed = [request.from_.uri]
        fields = request.fields
        for name in ("P-Asserted-Identity", "P-Preferred-Identity"):
            if name in fields:
                claimed[:0] = [NameAddr.parse(value).uri for value in request.elements(name)]
        return claimed

    def _bindings_behind(self, flow: Flow, claimed: list[Uri], *, sure: bool) -> list[Binding]:
        behind = list(islice(self._bindings.by_remote(flow.remote), 2))
        if len(behind) == 1 and sure:
            return behind
        # Many phones behind one address, or a phone whose requests leave from another port (TCP).
        for uri in claimed:
            named = self._bindings.reachable(self._users.by_impu(uri), emergency=None)
            here = [each for each in named if each.flow.remote[0] == flow.remote[0]]
            if here:
                if len(here) > 1:
                    # A phone with normal and emergency registration has IPsec of its own for each.
                    here.sort(
                        key=lambda each: (each.flow.local != flow.local, each.flow.remote != flow.remote)
                    )
                return here
        return behind[:1] if sure else []

    def _caller(
        self, subscriber: Subscriber, binding: Binding, claimed: list[Uri], request: Request
    ) -> Caller:
        imei = binding.imei
        entry = named = None
        for uri in claimed:
            entry, named = subscriber.entry(candidates(uri), imei or NO_IMEI), uri
            if entry is not None:
                break
        if entry is None or entry.key[:4] == "urn:":
            # TS 24.229 §5.2.6.3.2: an identity that is not the user's own is replaced by the default one.
            entry, named = _default(subscriber, imei), None
        fields = request.fields
        identity = identity_of(
            self._config.current,
            subscriber,
            entry,
            imei=imei,
            claimed=named,
            name=request.from_.display,
            privacy=privacy_of(fields["Privacy"]) if "Privacy" in fields else "",
        )
        settings = self._config.current
        if binding.path and charging.NAME in fields:
            vector = fields[charging.NAME][0]
            charging.icid_of(vector)
            back: Headers = ((charging.NAME, charging.answered(vector, settings.domain)),)
        else:
            vector, back = charging.new_vector(self._tokens.call_id(), settings.domain), ()
        return Caller(subscriber.impi, identity, subscriber, binding, entry, vector, back)

    # -- the callee ------------------------------------------------------------------------------------

    def callee(self, request: Request, caller: Caller) -> tuple[Found, ...]:
        """Who has the IMPU of the Request-URI: users, or one echo number; nobody where the trunk takes it.

        Raises Reject (404, and 433 and 503 where the trunk does not take it).
        """
        found = self._users.by_impu(request.target)
        if found or (not caller.from_trunk and self._trunk.takes(request, caller)):
            return found
        raise Reject(
            404,
            f"call to {request.uri} refused: nobody has this number; add it as impu of a user in ue_db, "
            f"or to echo{self._trunk.hint(request, caller)}",
            headers=(("Reason", 'Q.850;cause=1;text="Unallocated number"'),),
        )

    def targets(self, found: tuple[Found, ...], caller: Caller, request: Request) -> list[Target]:
        """The phones to ring, the preferred ones (q) first, or the trunk. Raises Reject (480, 486)."""
        if not found:
            return [self._trunk.target(request, caller)]
        registered = self._bindings.reachable(found)
        calling = caller.binding.number if caller.binding is not None else None
        others = [binding for binding in registered if binding.number != calling]
        if not registered:
            raise Reject(
                480,
                f"call to {request.uri} refused: {self._absent(found)}",
                headers=(("Reason", 'Q.850;cause=20;text="Subscriber absent"'),),
            )
        if not others:
            raise Reject(
                486,
                f"call to {request.uri} refused: the number belongs to the calling phone itself",
                headers=(("Reason", 'Q.850;cause=17;text="User busy"'),),
            )
        return [self._target(binding, found, caller, request) for binding in others]

    def _target(self, binding: Binding, found: tuple[Found, ...], caller: Caller, request: Request) -> Target:
        settings, dialled = self._config.current, request.target
        subscriber, entry = _owner(binding, found)
        preferred = preferred_entry(subscriber, binding.imei)
        to, identity = called_address(settings, subscriber, entry, dialled)
        headers = caller.identity.headers + called_party(settings, subscriber, entry, dialled)
        if binding.path:
            headers += ((charging.NAME, caller.charging),)
        return Target(
            # A proxy on the path finds the phone by its contact; a phone itself takes its own IMPU too.
            uri=binding.contact
            if preferred is None or binding.path
            else public_uri(settings, subscriber, preferred),
            flow=binding.flow,
            route=binding.path,
            from_=caller.identity.from_,
            to=to,
            headers=headers,
            phone=subscriber.impi,
            behind_nat=not binding.path and hidden_by_nat(binding.contact, binding.flow),
            binding=binding.number,
            q=binding.q,
            volte=binding.features.volte,
            identity=identity,
        )

    def _absent(self, found: tuple[Found, ...]) -> str:
        """Why none of these can be reached."""
        reasons = []
        for subscriber, entry in found:
            assert subscriber is not None
            others = [each for each in self._bindings.of(subscriber.impi) if not entry.applies_to(each.imei)]
            if others:
                phones = ", ".join(each.imei or f"none, at {each.contact}" for each in others)
                reasons.append(
                    f"{entry.key} of {subscriber.impi} belongs to the phone with the IMEI {entry.imei}, "
                    f"which is not registered now; phones with these IMEIs are: {phones}"
                )
            else:
                reasons.append(
                    f"{subscriber.impi} is known but not registered now; its phone has to register first"
                )
        return "; ".join(reasons)


NO_IMEI = "unknown"
"""For a phone that told no IMEI: an IMPU that belongs to one phone is not its own."""


def _default(subscriber: Subscriber, imei: str) -> ImpuEntry:
    """The default public identity of a phone (TS 23.228 §5.2.1a). Raises Reject (403)."""
    for entry in (*subscriber.registered_with(imei), *subscriber.impus):
        return entry
    raise Reject(
        403,
        f"{subscriber.impi} is registered but has no IMPU to call with; give it one, with impu in ue_db or "
        "with impu_add",
    )


def _owner(binding: Binding, found: tuple[Found, ...]) -> tuple[Subscriber, ImpuEntry]:
    """Which of the found IMPUs a binding was found by."""
    for subscriber, entry in found:
        if subscriber is not None and subscriber.impi == binding.impi and entry.applies_to(binding.imei):
            return subscriber, entry
    raise AssertionError("a binding that nobody owns")
