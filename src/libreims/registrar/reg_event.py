"""Subscriptions to the registration state: SUBSCRIBE with Event: reg.

RFC 3680 on RFC 6665, TS 24.229 §5.4.2.1.  `registrar.serving` hands in every SUBSCRIBE, new or inside a
dialog; NOTIFYs leave when bindings change, told by the bus.  Only the user itself may subscribe, from where
it registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from libreims.base.bus import Bus
from libreims.base.clock import Clock
from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.net.port import Address, Flow
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog, DialogKey, dialog_key
from libreims.proto.sip.message import Message, Request
from libreims.proto.sip.transaction import ClientListener
from libreims.proto.sip.uri import Uri
from libreims.registrar.reg_info import CONTENT_TYPE, Aor, Shown, document
from libreims.registrar.subscription import Event, State, Subscription
from libreims.registrar.subscription_record import SubscriptionRecords
from libreims.store.port import StoreError
from libreims.store.refusal import not_kept
from libreims.users.admin import UserChanged
from libreims.users.bindings import Binding, Bindings, BindingsChanged, Cause, Change
from libreims.users.database import SubscriberDatabase
from libreims.users.expiry import Expiry
from libreims.users.profile import public_uri
from libreims.users.subscriber import Subscriber

PACKAGE = "reg"
DEFAULT_EXPIRES = 3761
"""Seconds, where the SUBSCRIBE does not say (RFC 3680 §4.3)."""
MAX_EXPIRES = 864000
"""Seconds; the largest value of `subscribe_expires`."""
MAX_SUBSCRIPTIONS = 4
"""Of one user and phone; phones that restart leave some behind."""


class Sender(Protocol):
    """What is needed of `cscf.user_agent.UserAgent`."""

    def request(self, request: Request, flow: Flow, listener: ClientListener) -> ClientTransaction:
        """Send a request in a transaction of its own."""

    def contact(self, flow: Flow) -> str:
        """Our Contact towards the peer of a flow."""

    def flow_to(self, request: Request, known: Flow) -> Flow:
        """How a request reaches a peer known by an earlier flow."""

    def fits(self, message: Message, flow: Flow, known: Flow) -> bool:
        """Whether a request may belong to what began on another flow."""


class RegEvent:
    """The notifier of the reg event package."""

    def __init__(
        self,
        config: ConfigStore,
        database: SubscriberDatabase,
        bindings: Bindings,
        sender: Sender,
        clock: Clock,
        bus: Bus,
        log: LayerLog,
        records: SubscriptionRecords | None = None,
    ) -> None:
        self._config = config
        self._database = database
        self._bindings = bindings
        self._sender = sender
        self._clock = clock
        self._log = log
        self._records = records
        self._by_key: dict[DialogKey, Subscription] = {}
        self._by_impi: dict[str, list[Subscription]] = {}
        self._expiry: Expiry[DialogKey] = Expiry(clock, self._expired)
        bus.subscribe(BindingsChanged, self._changed)
        bus.subscribe(UserChanged, self._renamed)

    def __len__(self) -> int:
        return len(self._by_key)

    def close(self) -> None:
        """Stop all timers; nobody is notified any more."""
        self._expiry.clear()
        for subscription in tuple(self._by_key.values()):
            subscription.stop()

    # --- restart

    def restore(self, addresses: Sequence[Address]) -> None:
        """Take over the subscriptions of before a restart; `addresses` are those that the server listens on.

        Raises StoreError.
        """
        if self._records is None:
            return
        for kept in self._records.restore(self._database, addresses, self._log):
            subscription = Subscription(self._clock, self, kept.dialog, kept.impi, kept.imei, kept.flow)
            subscription.event_header = kept.event_header
            subscription.version = kept.version
            subscription.expires_at = self._clock.time() + self._records.remaining(kept)
            subscription.kept, subscription.stale = True, kept.stale
            self._by_key[subscription.dialog.key] = subscription
            self._by_impi.setdefault(kept.impi, []).append(subscription)

    def resume(self) -> None:
        """The server can send: start the deadlines, and tell what phones could not be told any more."""
        for key, subscription in tuple(self._by_key.items()):
            self._expiry.start(key, subscription.expires_at - self._clock.time())
            of_user = self._bindings.of(subscription.impi)
            if not any(_concerns(subscription, binding) for binding in of_user):
                subscription.end("noresource")
            elif subscription.stale:
                subscription.fire(Event.CHANGED)

    # --- SUBSCRIBE

    def subscribe(self, request: Request, flow: Flow, local_tag: str) -> Answer:
        """Answer a SUBSCRIBE; `local_tag` is the tag that the answer will have. Raises Reject, SipParseError.

        The NOTIFY follows the answer (RFC 6665 §4.2.1.2).
        """
        _check_event(request)
        if request.to.tag is not None:
            subscription = self._known(request)
            if not self._sender.fits(request, flow, subscription.flow):
                raise Reject(403, f"{request.from_.uri_text} refreshes a subscription outside of its IPsec.")
            subscription.dialog.accepts(request)
            subscription.dialog.refresh_target(request)
            subscription.flow = flow
        else:
            subscription = self._new(request, flow, local_tag)
        expires = self._duration(request)
        if expires and self._records is not None:
            self._keep(self._records, subscription, self._clock.time() + expires)
        subscription.expires_at = self._clock.time() + expires
        if expires:
            self._expiry.start(subscription.dialog.key, expires)
            subscription.fire(Event.ASKED)
        else:
            # Expires: 0 fetches the state once, or unsubscribes (RFC 6665 §4.4.3, §4.1.2.3).
            self._expiry.stop(subscription.dialog.key)
            subscription.end("timeout")
        return Answer(
            200,
            headers=(
                ("Expires", str(expires)),
                ("Contact", self._sender.contact(flow)),
            ),
        )

    def _keep(self, records: SubscriptionRecords, subscription: Subscription, expires_at: float) -> None:
        try:
            records.write(subscription, expires_at, stale=True)
        except StoreError as error:
            if not subscription.expires_at:
                self.closed(subscription, "")  # it was to begin with this request
            raise not_kept(f"The reg subscription of {subscription.impi}", error) from error

    def _duration(self, request: Request) -> int:
        """Seconds to grant: never more than is asked for (RFC 6665 §4.2.1.1)."""
        wanted = request.expires
        if wanted is None:
            wanted = DEFAULT_EXPIRES
        return min(wanted, self._config.current.subscribe_expires or MAX_EXPIRES, MAX_EXPIRES)

    def _known(self, request: Request) -> Subscription:
        subscription = self._by_key.get(dialog_key(request))
        if subscription is None or subscription.state is State.CLOSING:
            raise Reject(
                481,
                f"{request.from_.uri_text} refreshes a subscription that has ended.",
            )
        return subscription

    def _new(self, request: Request, flow: Flow, local_tag: str) -> Subscription:
        subscriber = self.subscriber(request)
        binding = self._binding_of(request, subscriber, flow)
        dialog = Dialog.from_request(request, local_tag)
        dialog.confirm()
        imei = binding.imei if subscriber.multi_sim else ""
        subscription = Subscription(self._clock, self, dialog, subscriber.impi, imei, flow)
        subscription.event_header = request.get("Event") or PACKAGE
        others = self._by_impi.setdefault(subscriber.impi, [])
        mine = [
            each for each in others if each.flow.remote == flow.remote and each.state is not State.CLOSING
        ]
        if len(mine) >= MAX_SUBSCRIPTIONS:
            mine[0].end("giveup")
        self._by_key[dialog.key] = subscription
        others.append(subscription)
        return subscription

    def subscriber(self, request: Request) -> Subscriber:
        """The user whose state is asked for, who must be the one that asks. Raises Reject (403, 404, 489)."""
        _check_event(request)
        wanted = request.target
        owners = self._owners(wanted)
        asking = {owner.impi for owner in self._owners(request.from_.uri)}
        for owner in owners:
            if owner.impi in asking:
                return owner
        if not owners:
            raise Reject(404, f"Nobody in ue_db has the IMPU {wanted}, whose registration was asked for.")
        raise Reject(
            403,
            f"{request.from_.uri_text} asked for the registration of {wanted}, which is not its own.",
        )

    def _owners(self, uri: Uri) -> list[Subscriber]:
        owners = [owner for owner, _ in self._database.by_impu(uri) if owner is not None]
        # TS 23.003 §13.4B: before it knows its IMPUs a SIM uses one made from its IMSI.
        by_imsi = self._database.by_imsi(uri.user) if not owners and uri.is_sip else None
        return owners if by_imsi is None else [by_imsi]

    def _binding_of(self, request: Request, subscriber: Subscriber, flow: Flow) -> Binding:
        """The binding that the SUBSCRIBE comes through: same address, else at least same host."""
        bindings = self._bindings.of(subscriber.impi)
        near = [
            binding
            for binding in bindings
            if binding.flow.remote[0] == flow.remote[0] and self._sender.fits(request, flow, binding.flow)
        ]
        if not near:
            where = ", ".join(sorted({binding.flow.remote[0] for binding in bindings})) or "nowhere"
            raise Reject(
                403,
                f"{request.from_.uri_text} subscribes from {flow.remote[0]}, but is registered from {where}: "
                "a phone must register first.",
            )
        return next((binding for binding in near if binding.flow.remote == flow.remote), near[-1])

    # --- what happens

    def _changed(self, event: BindingsChanged) -> None:
        subscriptions = self._by_impi.get(event.impi)
        if subscriptions is None:
            return
        for subscription in tuple(subscriptions):
            for change in event.changes:
                if _concerns(subscription, change.binding):
                    _note(subscription.changes, change)
            if any(_concerns(subscription, binding) for binding in self._bindings.of(event.impi)):
                if subscription.changes:
                    self._tell(subscription)
            elif subscription.changes:
                subscription.end("noresource")

    def _renamed(self, event: UserChanged) -> None:
        """A user has other IMPUs: its phones are told which are registered now (TS 24.229 §5.4.2.1.2)."""
        if not event.identities:
            return
        for subscription in tuple(self._by_impi.get(event.impi, ())):
            if any(_concerns(subscription, binding) for binding in self._bindings.of(event.impi)):
                self._tell(subscription)

    def _tell(self, subscription: Subscription) -> None:
        """There is something to tell a phone, also if the server ends before it could."""
        if self._records is not None:
            with suppress(StoreError):  # the store has said so; the phone is told all the same
                self._records.changed(subscription)
        subscription.fire(Event.CHANGED)

    def _expired(self, key: DialogKey) -> None:
        self._by_key[key].end("timeout")

    def notify(self, subscription: Subscription) -> None:
        """Send a NOTIFY with the whole state (`subscription.Notifier`)."""
        remaining = max(0, round(subscription.expires_at - self._clock.time()))
        if subscription.reason:
            state = f"terminated;reason={subscription.reason}"
        else:
            state = f"active;expires={remaining}"
        request = subscription.dialog.new_request(
            "NOTIFY",
            (
                ("Event", subscription.event_header),
                ("Subscription-State", state),
                ("Contact", self._sender.contact(subscription.flow)),
                ("Content-Type", CONTENT_TYPE),
            ),
            self._document(subscription),
        )
        if self._records is not None:
            with suppress(StoreError):
                if subscription.reason:
                    self._records.delete(subscription)
                elif subscription.kept:
                    self._records.write(subscription, subscription.expires_at, stale=False)
        self._sender.request(request, self._sender.flow_to(request, subscription.flow), subscription)

    def _document(self, subscription: Subscription) -> bytes:
        version = subscription.version
        subscription.version += 1
        changes, subscription.changes = subscription.changes, {}
        shown = [Shown(change.binding, change.cause, 0) for change in changes.values() if change.cause.ends]
        for binding in self._bindings.of(subscription.impi):
            if _concerns(subscription, binding):
                change = changes.get(binding.number)
                cause = change.cause if change is not None and not change.cause.ends else Cause.REGISTERED
                shown.append(Shown(binding, cause, self._bindings.remaining(binding)))
        return document(version, self._aors(subscription), shown)

    def _aors(self, subscription: Subscription) -> Iterable[Aor]:
        subscriber = self._database.by_impi(subscription.impi)
        if subscriber is None:
            # The user was removed from the database; its last document still names who it was.
            uri = subscription.dialog.local_uri.strip("<>")
            return (Aor(uri, uri),)
        settings = self._config.current
        return [
            Aor(entry.key, public_uri(settings, subscriber, entry))
            for entry in subscriber.registered_with(subscription.imei)
        ]

    def closed(self, subscription: Subscription, why: str) -> None:
        """Forget a subscription (`subscription.Notifier`)."""
        key = subscription.dialog.key
        subscription.dialog.terminate()
        self._expiry.stop(key)
        if self._by_key.pop(key, None) is None:
            return
        others = self._by_impi[subscription.impi]
        others.remove(subscription)
        if not others:
            del self._by_impi[subscription.impi]
        if self._records is not None:
            with suppress(StoreError):
                self._records.delete(subscription)
        if why:
            self._log.warn(f"The reg subscription of {subscription.impi} is removed: {why}.")


def _concerns(subscription: Subscription, binding: Binding) -> bool:
    """Whether a document of the subscription shows a binding.

    Emergency registrations are nobody's business, and phones that share a SIM are not told of each other.
    """
    return not binding.emergency and (not subscription.imei or subscription.imei == binding.imei)


def _note(changes: dict[int, Change], change: Change) -> None:
    """Remember a change until the next NOTIFY; a contact that is new to the phone stays new."""
    number = change.binding.number
    before = changes.get(number)
    if before is not None and before.cause is Cause.REGISTERED and not change.cause.ends:
        change = Change(Cause.REGISTERED, change.binding)
    changes[number] = change


def _check_event(request: Request) -> None:
    """RFC 6665 §4.1.3, §4.2.1.1: the package, and whether the phone reads its documents."""
    package = (request.get("Event") or "").partition(";")[0].strip()
    if package != PACKAGE:
        raise Reject(
            489,
            f"{request.from_.uri_text} subscribes to the event {package or '(none)'}, not to {PACKAGE}.",
            headers=(("Allow-Events", PACKAGE),),
        )
    accept = {element.partition(";")[0].strip().lower() for element in request.elements("Accept")}
    if accept and not accept & {CONTENT_TYPE, "application/*", "*/*"}:
        raise Reject(
            406,
            f"{request.from_.uri_text} subscribes to {PACKAGE} but does not accept {CONTENT_TYPE}.",
            headers=(("Accept", CONTENT_TYPE),),
        )
