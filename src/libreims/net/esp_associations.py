"""The security associations that are in force, found as packets need them (RFC 4301 §4.4.2).

Inbound ones by SPI, outbound ones by addresses and ports as they stand in a packet.  For `net.esp_engine`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.address import text
from libreims.net.port import Address
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.packet import InboundSa, OutboundSa
from libreims.proto.ip.packet import Envelope

Identity = tuple[str, int, Address, Address]


def identity(association: SecurityAssociation) -> Identity:
    """What tells associations apart: neither keys nor who it belongs to."""
    return association.direction, association.spi, association.local, association.remote


@dataclass(slots=True, eq=False)
class Outbound:
    """An association in force, towards the peer."""

    association: SecurityAssociation
    sa: OutboundSa
    ends: tuple[bytes, bytes]
    """Source and destination address."""
    key: bytes
    """Addresses and ports as they stand in a packet."""
    local: str
    remote: str
    older: Outbound | None = None
    """One with the same selectors, in force again when this one goes."""


@dataclass(slots=True, eq=False)
class Inbound:
    """An association in force, from the peer."""

    association: SecurityAssociation
    sa: InboundSa
    ends: tuple[bytes, bytes]
    """Source and destination address."""
    spi: bytes
    local: str
    remote: str
    ports: bytes
    """What UDP and TCP headers have to begin with."""
    envelope: Envelope


class AssociationTable:
    """Associations between addresses of ours and others."""

    def __init__(self, addresses: Iterable[str], tokens: Tokens) -> None:
        self._addresses = frozenset(packed(host)[1] for host in addresses)
        self._randomness = tokens.octets
        self._all: dict[Identity, Inbound | Outbound] = {}
        self.inbound: dict[bytes, Inbound] = {}
        """By SPI."""
        self.outbound: dict[bytes, Outbound] = {}
        """By key; the newest of those that have the same."""

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter([entry.association for entry in self._all.values()])

    def __getitem__(self, association: SecurityAssociation) -> Inbound | Outbound:
        return self._all[identity(association)]

    def install(self, associations: Iterable[SecurityAssociation]) -> list[SecurityAssociation]:
        """Put all in force or, on LibreImsError, none."""
        made: list[SecurityAssociation] = []
        try:
            for association in associations:
                self._install(association)
                made.append(association)
        except LibreImsError:
            self.remove(made)
            raise
        return made

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        """Take associations out; what is not there does not matter."""
        for association in associations:
            entry = self._all.pop(identity(association), None)
            if isinstance(entry, Inbound):
                del self.inbound[entry.spi]
            elif entry is not None:
                self._take_out(entry)

    def _install(self, association: SecurityAssociation) -> None:
        name = f"Security association {association.spi:#x} with {text(association.remote)}"
        local, local_text = packed(association.local[0])
        remote, remote_text = packed(association.remote[0])
        if local_text not in self._addresses or len(local) != len(remote):
            raise LibreImsError(
                f"{name}: {local_text} is no address that IPsec was set up for, or of another family"
            )
        if local == remote:
            raise LibreImsError(
                f"{name}: it has our own address; IPsec needs a phone with an address of its own"
            )
        names = association.authentication, association.encryption
        keys = association.authentication_key, association.encryption_key
        entry: Inbound | Outbound
        try:
            here, there = association.local[1].to_bytes(2), association.remote[1].to_bytes(2)
            spi = association.spi.to_bytes(4)
            if association.direction == "in":
                inbound = InboundSa(association.spi, *names, *keys)
                ends, ports = (remote, local), there + here
                envelope = Envelope(remote, local)
                entry = Inbound(association, inbound, ends, spi, local_text, remote_text, ports, envelope)
            else:
                outbound = OutboundSa(association.spi, *names, *keys, self._randomness)
                key = local + remote + here + there
                entry = Outbound(association, outbound, (local, remote), key, local_text, remote_text)
        except EspSetupError as error:
            raise LibreImsError(f"{name}: {error}") from error
        except OverflowError as error:
            raise LibreImsError(f"{name}: the SPI or a port is out of range") from error
        self._put(entry, name)

    def _put(self, entry: Inbound | Outbound, name: str) -> None:
        which = identity(entry.association)
        if which in self._all or (isinstance(entry, Inbound) and entry.spi in self.inbound):
            raise LibreImsError(f"{name}: an association with this SPI is in force already")
        self._all[which] = entry
        if isinstance(entry, Inbound):
            self.inbound[entry.spi] = entry
        else:
            entry.older = self.outbound.get(entry.key)
            self.outbound[entry.key] = entry

    def _take_out(self, entry: Outbound) -> None:
        """Out of the chain of those with the same selectors."""
        newest = self.outbound[entry.key]
        if newest is not entry:
            while newest.older is not entry:
                assert newest.older is not None  # what is installed is in its chain
                newest = newest.older
            newest.older = entry.older
        elif entry.older is not None:
            self.outbound[entry.key] = entry.older
        else:
            del self.outbound[entry.key]


@lru_cache(256)
def packed(host: str) -> tuple[bytes, str]:
    """An address as packets have it, and as the kernel writes it. Raises LibreImsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        octets = socket.inet_pton(family, host)
    except OSError:
        raise LibreImsError(f"'{host}' is no IP address") from None
    return octets, socket.inet_ntop(family, octets)
