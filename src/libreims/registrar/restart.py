"""What a server takes over from the one before it, in the order in which one needs the other.

`server` calls `restore` before its sockets open, so that the first request finds everybody who was there, and
`resume` when it can send.  docs/persistence.md says what is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from libreims.base.clock import UtcClock
from libreims.base.log import LayerLog
from libreims.hss.builtin import BuiltinHss
from libreims.hss.sequence_record import SequenceRecords
from libreims.net.port import Address
from libreims.registrar.reg_event import RegEvent
from libreims.store.port import Store
from libreims.users.binding_restore import restore_bindings
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase


class Restart:
    """Brings sequence numbers, bindings and subscriptions back."""

    def __init__(
        self,
        store: Store,
        users: SubscriberDatabase,
        bindings: Bindings,
        hss: tuple[BuiltinHss, SequenceRecords],
        reg_event: RegEvent,
        utc: UtcClock,
        log: LayerLog,
    ) -> None:
        self._store = store
        self._users = users
        self._bindings = bindings
        self._hss, self._sequences = hss
        self._reg_event = reg_event
        self._utc = utc
        self._log = log

    def restore(self, addresses: Sequence[Address]) -> None:
        """Take over what was there; `addresses` are those that the server listens on. Raises StoreError."""
        users = self._users
        self._sequences.restore(lambda impi: users.by_impi(impi) is not None, self._hss.restore, self._log)
        restore_bindings(self._store, self._bindings, users, addresses, self._utc(), self._log)
        self._reg_event.restore(addresses)

    def resume(self) -> None:
        """Let time go on: what has expired meanwhile expires now, and whom it concerns is told."""
        self._bindings.resume()
        self._reg_event.resume()
