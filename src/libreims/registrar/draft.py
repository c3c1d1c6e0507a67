"""What one REGISTER is going to change, decided before anything is changed.

RFC 3261 §10.3 step 7: all contacts or none.  Used by `registrar.register` alone.
"""

from __future__ import annotations

from sys import intern

from libreims.base.errors import Reject
from libreims.config.schema import Settings
from libreims.net.port import Flow
from libreims.proto.sip.message import Request
from libreims.registrar.contacts import Contact
from libreims.registrar.identify import Identity
from libreims.users.bindings import Binding, Bindings, Cause, Change

MIN_EXPIRES = 30
"""Seconds; who asks for less is answered 423 (RFC 3261 §10.3 step 7), unless `binding_expires` is smaller."""
MAX_CONTACTS = 10
"""Contacts of one user, who is not `multi_sim`; one more takes the place of the oldest."""


class Draft:
    """The changes of one REGISTER, in the order in which they will be made."""

    __slots__ = (
        "_flow",
        "_identity",
        "_now",
        "_path",
        "_protected",
        "_request",
        "_settings",
        "_user_agent",
        "changes",
        "created",
        "kept",
    )

    def __init__(
        self,
        request: Request,
        identity: Identity,
        flow: Flow,
        now: float,
        settings: Settings,
        *,
        protected: bool = False,
    ) -> None:
        self.changes: list[Change] = []
        self.kept: list[Binding] = []
        self.created = False
        self._request = request
        self._identity = identity
        self._flow = flow
        self._now = now
        self._settings = settings
        self._protected = protected
        # Phones of one model send the same text: kept once.
        fields = request.fields
        self._path = tuple(map(intern, request.elements("Path"))) if "Path" in fields else ()
        self._user_agent = intern(fields["User-Agent"][0]) if "User-Agent" in fields else ""

    def place(self, contact: Contact, before: list[Binding], void: list[Binding], bindings: Bindings) -> None:
        """Add, refresh or remove one contact.

        `before` are the bindings with its URI, `void` those that the same phone made elsewhere, before it
        restarted or got another address.
        """
        for binding in before:
            check_order(self._request, binding)
        for binding in void:
            check_order(self._request, binding)
        duration = self._duration(contact)
        if duration == 0:
            self.changes += [Change(Cause.UNREGISTERED, binding) for binding in (*before, *void)]
            return
        if self.kept and any(contact.same_uri(binding) for binding in self.kept):
            return
        if void or len(before) > 1:
            self.changes += [Change(Cause.UNREGISTERED, binding) for binding in (*before[1:], *void)]
        previous = before[0] if before else None
        number = previous.number if previous else bindings.new_number()
        binding = self._binding(contact, previous, duration, number)
        self.kept.append(binding)
        self.created = self.created or previous is None
        # A phone that asks for less refreshes as well: `shortened` is what the network does to it (RFC 3680,
        # TS 24.229 §5.4.1.6) to have it authenticated again, and a phone that is told so registers at once.
        cause = Cause.REGISTERED if previous is None else Cause.REFRESHED
        self.changes.append(Change(cause, binding, previous))

    def make_room(self, others: list[Binding], *, one_phone: bool) -> list[Binding]:
        """Remove contacts that a new one displaces; return those that stay.

        A SIM is in one phone at a time: what it registered with another contact is history (TS 24.229
        §5.4.1.2.2), unless the phone handles its flows itself (reg-id).  Else the oldest goes at
        `MAX_CONTACTS`.
        """
        emergency = self.kept[0].emergency
        stay, count = [], len(self.kept)
        for binding in reversed(others):
            void = one_phone and binding.emergency == emergency and not binding.reg_id
            if void or count >= MAX_CONTACTS:
                self.changes.append(Change(Cause.DEACTIVATED, binding))
            else:
                stay.append(binding)
                count += 1
        return stay

    def _way_to(self, contact: Contact) -> Flow:
        """The way to a contact: for now that of the REGISTER.

        Through IPsec requests are not sent over the phone's own connection but to its server port (TS 33.203
        §7.1), so the contact says whether over TCP; a large REGISTER alone would not mean that.
        """
        if not self._protected:
            return self._flow
        tcp = (contact.uri.params.get("transport") or "").upper() == "TCP"
        return Flow("TCP" if tcp else "UDP", self._flow.local, self._flow.remote)

    def _duration(self, contact: Contact) -> int:
        """Seconds to grant: what is asked for, at most `binding_expires`, which is also the default."""
        limit = self._settings.binding_expires
        wanted = contact.expires
        if wanted is None:
            wanted = self._request.expires
            if wanted is None:
                return limit
        shortest = min(MIN_EXPIRES, limit)
        if 0 < wanted < shortest:
            raise Reject(
                423,
                f"{self._identity.subscriber.impi} wants to register for {wanted} s; "
                f"the shortest registration is {shortest} s.",
                headers=(("Min-Expires", str(shortest)),),
            )
        return min(wanted, limit)

    def _binding(self, contact: Contact, before: Binding | None, duration: int, number: int) -> Binding:
        request = self._request
        subscriber, aor, _ = self._identity
        return Binding(
            impi=subscriber.impi,
            aor=aor,
            contact=contact.text,
            flow=self._way_to(contact),
            number=number,
            call_id=request.call_id,
            cseq=request.cseq.number,
            registered_at=before.registered_at if before else self._now,
            expires_at=self._now + duration,
            q=contact.q,
            params=contact.params,
            features=contact.features,
            instance=contact.instance,
            reg_id=contact.reg_id,
            imei=contact.imei,
            emergency=contact.emergency,
            path=self._path,
            user_agent=self._user_agent,
            protected=self._protected,
        )


def check_order(request: Request, binding: Binding) -> None:
    """RFC 3261 §10.3 steps 6 and 7: a late copy of an older REGISTER must not undo a newer one."""
    if request.call_id == binding.call_id and request.cseq.number <= binding.cseq:
        raise Reject(
            500,
            f"A REGISTER of {binding.impi} came out of order: its CSeq {request.cseq.number} is not higher "
            f"than {binding.cseq} of the one that {binding.contact} was registered with.",
        )
