"""Who was registered before the restart: bindings come back from the store, once, before the sockets open.

A call reaches them at once.  What cannot come back is dropped with a line in the log; what has expired
meanwhile comes back and expires when `Bindings.resume` is called, so that its subscribers are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from libreims.base.log import LayerLog
from libreims.net.address import is_ip
from libreims.net.port import Address, Flow
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.uri import Uri
from libreims.store.port import Store
from libreims.users.binding_record import KIND, from_record
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import SubscriberDatabase


def restore_bindings(
    store: Store,
    bindings: Bindings,
    users: SubscriberDatabase,
    addresses: Sequence[Address],
    now: float,
    log: LayerLog,
) -> None:
    """Put the bindings of the store back; `addresses` are those that the server listens on.

    Raises StoreError.
    """
    records = store.records(KIND)
    found: list[tuple[float, Binding]] = []
    dropped: list[str] = []
    for key, record in records.items():
        try:
            binding = from_record(key, record)
            at = float(record["at"])
        except (KeyError, TypeError, ValueError) as error:
            log.warn(f"The record of registration {key} cannot be read and is dropped: {error!r}.")
            dropped.append(key)
            continue
        lost = _lost(binding, users, addresses)
        if lost:
            log.warn(f"The registration of {binding.impi} at {binding.contact} is dropped: {lost}.")
            dropped.append(key)
        else:
            found.append((at, binding))
    found.sort(key=lambda each: each[0])
    for _, binding in found:
        bindings.put_back(replace(binding, flow=flow_after_restart(binding, addresses)))
    if dropped:
        with store.transaction():
            for key in dropped:
                records.delete(key)
    _tell([binding for _, binding in found], now, log)


def _lost(binding: Binding, users: SubscriberDatabase, addresses: Sequence[Address]) -> str:
    """Why a binding cannot come back; empty when it can."""
    if users.by_impi(binding.impi) is None:
        return "there is no such user in ue_db any more"
    if binding.protected:
        return "its IPsec keys ended with the server, so the phone has to register again"
    remote = binding.flow.remote[0]
    if not any((":" in host) == (":" in remote) for host, _ in addresses):
        return f"the server has no address any more from which {remote} can be reached (sip_addr)"
    return ""


def _tell(found: Sequence[Binding], now: float, log: LayerLog) -> None:
    late = 0
    for binding in found:
        if binding.expires_at <= now:
            late += 1
            log.info(
                f"{binding.impi} expired while the server was down: {binding.contact} as {binding.aor}",
                id=binding.number,
            )
    if found:
        log.info(f"{len(found) - late} registrations of before the restart go on, {late} expired meanwhile")


def flow_after_restart(binding: Binding, addresses: Sequence[Address]) -> Flow:
    """How a phone is reached whose connection has ended with the server.

    Over UDP as before.  A TCP connection has ended, and the port at its other end with it: a new one goes
    where the topmost Path or the contact says (RFC 3261 §18.1.1).  A NAT lets nobody in: there the phone has
    to register again.
    """
    transport, local, remote, _ = binding.flow
    if transport == "TCP":
        named = _named(binding)
        if named is not None and named.host_port()[0] == remote[0]:
            remote = named.host_port()
            transport = "TCP" if (named.params.get("transport") or "").upper() == "TCP" else "UDP"
    if local not in addresses:
        local = next(each for each in addresses if (":" in each[0]) == (":" in remote[0]))
    return Flow(transport, local, remote)


def _named(binding: Binding) -> Uri | None:
    """The next hop that the phone has named."""
    try:
        uri = NameAddr.parse(binding.path[0]).uri if binding.path else Uri.parse(binding.contact)
    except SipParseError:
        return None
    return uri if uri.is_sip and is_ip(uri.host_port()[0]) else None
