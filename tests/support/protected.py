"""IPsec on the simulated network: a packet passes where both sides have the same association, else nowhere.

No octet is encrypted: what matters here is which agreement lets what through, and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError
from libreims.net.port import Address
from libreims.net.simulated import SimulatedNetwork
from libreims.net.tunnel import SecurityAssociation


class ProtectedNetwork(SimulatedNetwork):
    """The inner side of everybody's tunnel."""

    def __init__(self, clock: Clock, seed: int = 0, **how: Any) -> None:
        super().__init__(clock, seed, **how)
        self.tunnels: dict[str, SimulatedTunnel] = {}
        self.dropped = 0

    @property
    def associations(self) -> Iterator[SecurityAssociation]:
        for tunnel in dict.fromkeys(self.tunnels.values()):
            yield from tunnel

    def reachable(self, source: Address, destination: Address) -> bool:
        if super().reachable(source, destination) and self._secured(source, destination):
            return True
        self.dropped += 1
        return False

    def _secured(self, source: Address, destination: Address) -> bool:
        """The sender takes its newest association for these ports, the receiver must have its twin."""
        sender, receiver = self.tunnels.get(source[0]), self.tunnels.get(destination[0])
        if sender is None or receiver is None:
            return False
        for out in reversed(list(sender)):
            if (out.direction, out.local, out.remote) == ("out", source, destination):
                return any(_twins(out, each) for each in receiver)
        return False


def _twins(out: SecurityAssociation, other: SecurityAssociation) -> bool:
    return (
        other.direction == "in"
        and (other.spi, other.local, other.remote) == (out.spi, out.remote, out.local)
        and (other.authentication, other.encryption) == (out.authentication, out.encryption)
        and (other.authentication_key, other.encryption_key) == (out.authentication_key, out.encryption_key)
    )


class SimulatedTunnel:
    """`net.tunnel.Tunnel` of one node."""

    def __init__(self, network: ProtectedNetwork, hosts: Iterable[str]) -> None:
        self.network = network
        self._inside = network
        self.hosts = list(hosts)
        self.capacity = 1 << 20
        self._installed: list[SecurityAssociation] = []
        network.tunnels.update(dict.fromkeys(self.hosts, self))

    def install(self, associations: Iterable[SecurityAssociation]) -> None:
        associations = list(associations)
        taken = {each.spi for each in self._installed if each.direction == "in"}
        for each in associations:
            if each.local[0] not in self.hosts:
                raise LibreImsError(f"{each.local[0]} is no address of this tunnel")
            if each.direction == "in" and each.spi in taken:
                raise LibreImsError(f"SPI {each.spi} is taken")
        self._installed += associations

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        gone = list(associations)
        self._installed = [each for each in self._installed if each not in gone]

    @property
    def packets(self) -> dict[str, int]:
        return {"no_sa": self._inside.dropped}

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter(tuple(self._installed))

    def close(self) -> None:
        self._installed.clear()
