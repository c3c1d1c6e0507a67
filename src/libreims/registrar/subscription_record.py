"""Reg subscriptions in the store: a phone goes on getting its NOTIFYs after a restart.

Written at each SUBSCRIBE and NOTIFY, since both numbers of the dialog and the version of the document may
never go back (RFC 3261 §12.2.1.1, RFC 3680 §5.1), and when there is something to tell the phone.  Used by
`registrar.reg_event`; `SubscriptionRecords.restore` is called once, before the server opens its sockets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libreims.base.clock import Clock, UtcClock
from libreims.base.log import LayerLog
from libreims.net.port import Address, Flow
from libreims.proto.sip.dialog import Dialog
from libreims.registrar.subscription import Subscription
from libreims.store.port import Store
from libreims.users.binding_record import flow_of, flow_record
from libreims.users.database import SubscriberDatabase

KIND = "subscription"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is read back of one subscription."""

    dialog: Dialog
    impi: str
    imei: str
    flow: Flow
    event_header: str
    version: int
    expires_at: float
    """UTC."""
    stale: bool
    """Whether something has changed since its last NOTIFY."""


class SubscriptionRecords:
    """Keeps the records of subscriptions in step with them."""

    def __init__(self, store: Store, clock: Clock, utc: UtcClock) -> None:
        self._store = store
        self._records = store.records(KIND)
        self._clock = clock
        self._utc = utc

    def write(self, subscription: Subscription, expires_at: float, *, stale: bool) -> None:
        """Write all of a subscription; `expires_at` is time of the clock. Raises StoreError."""
        until = self._utc() + expires_at - self._clock.time()
        self._records.put(_key(subscription.dialog), _to_record(subscription, until, stale=stale))
        subscription.kept, subscription.stale = True, stale

    def changed(self, subscription: Subscription) -> None:
        """There is something to tell the phone; noted once until the next NOTIFY. Raises StoreError."""
        if subscription.kept and not subscription.stale:
            self.write(subscription, subscription.expires_at, stale=True)

    def delete(self, subscription: Subscription) -> None:
        """It is over. Raises StoreError."""
        if subscription.kept:
            self._records.delete(_key(subscription.dialog))
            subscription.kept = False

    def remaining(self, restored: Restored) -> float:
        """Seconds until it expires."""
        return restored.expires_at - self._utc()

    def restore(
        self, users: SubscriberDatabase, addresses: Sequence[Address], log: LayerLog
    ) -> Iterator[Restored]:
        """The subscriptions that go on; `addresses` are those that the server listens on.

        One that expired meanwhile has ended at the phone too (RFC 6665 §4.1.2.4).  Raises StoreError.
        """
        dropped = []
        for key, record in self._records.items():
            try:
                restored = _from_record(record)
            except (KeyError, TypeError, ValueError) as error:
                log.warn(f"The record of reg subscription {key} cannot be read and is dropped: {error!r}.")
                dropped.append(key)
                continue
            if (
                users.by_impi(restored.impi) is None
                or self.remaining(restored) <= 0
                or restored.flow.local not in addresses
            ):
                log.info(f"The reg subscription of {restored.impi} has ended while the server was down")
                dropped.append(key)
                continue
            yield restored
        if dropped:
            with self._store.transaction():
                for key in dropped:
                    self._records.delete(key)


def _key(dialog: Dialog) -> str:
    return json.dumps(dialog.key)


def _to_record(subscription: Subscription, expires_at: float, *, stale: bool) -> dict[str, Any]:
    dialog = subscription.dialog
    return {
        "impi": subscription.impi,
        "imei": subscription.imei,
        "flow": flow_record(subscription.flow),
        "event": subscription.event_header,
        "version": subscription.version,
        "expires_at": expires_at,
        "stale": stale,
        "call_id": dialog.call_id,
        "local_tag": dialog.local_tag,
        "remote_tag": dialog.remote_tag,
        "local_uri": dialog.local_uri,
        "remote_uri": dialog.remote_uri,
        "target": dialog.remote_target,
        "routes": dialog.route_set,
        "local_cseq": dialog.local_cseq,
        "remote_cseq": dialog.remote_cseq,
    }


def _from_record(record: Mapping[str, Any]) -> Restored:
    """Raises KeyError, TypeError, ValueError where it is none."""
    dialog = Dialog(
        call_id=record["call_id"],
        local_tag=record["local_tag"],
        remote_tag=record["remote_tag"],
        local_uri=record["local_uri"],
        remote_uri=record["remote_uri"],
        remote_target=record["target"],
        route_set=list(record["routes"]),
        local_cseq=int(record["local_cseq"]),
        remote_cseq=int(record["remote_cseq"]),
        initiator=False,
        state="confirmed",
    )
    return Restored(
        dialog,
        record["impi"],
        record["imei"],
        flow_of(record["flow"]),
        record["event"],
        int(record["version"]),
        float(record["expires_at"]),
        bool(record["stale"]),
    )
