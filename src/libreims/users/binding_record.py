"""Bindings in the store: what is written of one, and when.

`users.bindings` writes through `BindingRecords` before it changes anything; `users.binding_restore` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sys import intern
from typing import Any

from libreims.net.port import Flow
from libreims.store.port import Store
from libreims.users.bindings import Binding, Change, Features

KIND = "binding"


class BindingRecords:
    """Keeps the records of bindings in step with them (`bindings.Keeper`); the key is the number."""

    __slots__ = ("_records", "_store")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records = store.records(KIND)

    def write(self, impi: str, changes: Sequence[Change], current: Mapping[int, Binding], now: float) -> None:
        """See `Keeper`."""
        put: list[Binding] = []
        gone: list[int] = []
        for cause, binding, previous in changes:
            old = binding if cause.ends else previous
            known = None if old is None else current.get(old.number)
            mine = known is not None and known.impi == impi
            if not cause.ends:
                put.append(binding)
            if mine and old is not None and (cause.ends or old.number != binding.number):
                gone.append(old.number)
        if len(put) == 1 and not gone:
            self._put(put[0], now)  # one statement is a transaction of its own, and the cheapest
        elif put or gone:
            with self._store.transaction():
                for number in gone:
                    self._records.delete(str(number))
                for binding in put:
                    self._put(binding, now)

    def _put(self, binding: Binding, now: float) -> None:
        self._records.put(str(binding.number), to_record(binding, now))


def to_record(binding: Binding, now: float) -> dict[str, Any]:
    """All of a binding but its number; `now` orders those of one user by their last refresh."""
    return {
        "at": now,
        "impi": binding.impi,
        "aor": binding.aor,
        "contact": binding.contact,
        "flow": flow_record(binding.flow),
        "call_id": binding.call_id,
        "cseq": binding.cseq,
        "registered_at": binding.registered_at,
        "expires_at": binding.expires_at,
        "q": binding.q,
        "params": binding.params,
        "features": binding.features,
        "instance": binding.instance,
        "reg_id": binding.reg_id,
        "imei": binding.imei,
        "emergency": binding.emergency,
        "path": binding.path,
        "user_agent": binding.user_agent,
        "protected": binding.protected,
    }


def from_record(number: str, record: Mapping[str, Any]) -> Binding:
    """The binding of a record. Raises KeyError, TypeError, ValueError where it is none."""
    return Binding(
        impi=record["impi"],
        aor=record["aor"],
        contact=record["contact"],
        flow=flow_of(record["flow"]),
        number=int(number),
        call_id=record["call_id"],
        # The phone that got no answer any more sends the same REGISTER again: that is not out of order.
        cseq=record["cseq"] - 1,
        registered_at=float(record["registered_at"]),
        expires_at=float(record["expires_at"]),
        q=record["q"],
        params=intern(record["params"]),
        features=Features(*record["features"]),
        instance=record["instance"],
        reg_id=record["reg_id"],
        imei=record["imei"],
        emergency=record["emergency"],
        path=tuple(map(intern, record["path"])),
        user_agent=intern(record["user_agent"]),
        protected=record["protected"],
    )


def flow_record(flow: Flow) -> list[object]:
    """A flow without its connection, which ends with the server."""
    return [flow.transport, *flow.local, *flow.remote]


def flow_of(record: Sequence[Any]) -> Flow:
    """The flow of a record. Raises TypeError, ValueError where it is none."""
    transport, local_host, local_port, remote_host, remote_port = record
    return Flow(str(transport), (local_host, int(local_port)), (remote_host, int(remote_port)))
