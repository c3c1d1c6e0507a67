"""IPsec as the program sees it: sockets on the inner side, security associations given and taken.

The port for everything that speaks through ESP in transport mode (TS 33.203 §7): the server's protected
ports and the simulated phone.  `Tunnel.network` makes sockets whose packets travel inside ESP where an
association fits and nowhere where none does.  Adapter: `net.esp_tunnel` (raw socket, ESP in this process, a
TUN interface in a network namespace); tests have one on the simulated network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from libreims.base.errors import LibreImsError
from libreims.net.port import Network
from libreims.proto.esp.keys import EspKeys
from libreims.proto.sip.flow import Address
from libreims.proto.sip.security_agreement import Ipsec3gpp


class TunnelError(LibreImsError):
    """There can be no tunnel on this machine: why, and what to do so that a server has one."""

    def __init__(self, why: str, ways_out: str) -> None:
        super().__init__(f"{why}: {ways_out}")
        self.why = why
        """For programs that have other ways out."""


@dataclass(frozen=True, slots=True)
class SecurityAssociation:
    """One direction between one port of ours and one of the peer, UDP and TCP alike (RFC 4301 §4.1)."""

    direction: Literal["in", "out"]
    spi: int
    """Chosen by the receiver; at least 256 (RFC 4303 §2.1)."""
    local: Address
    remote: Address
    authentication: str
    """A name of `ipsec_aalg_list`."""
    encryption: str
    """A name of `ipsec_ealg_list`."""
    authentication_key: bytes = field(default=b"", repr=False)
    """As expanded by TS 33.203 Annex I; empty without authentication."""
    encryption_key: bytes = field(default=b"", repr=False)
    """The same for encryption, a salt at its end where the algorithm has one."""
    owner: int = 0
    """Log identifier of the registration that it belongs to; 0 for none yet."""


def associations(
    host: str, peer: str, ours: Ipsec3gpp, theirs: Ipsec3gpp, keys: EspKeys
) -> tuple[SecurityAssociation, ...]:
    """The four of one agreement (TS 33.203 §7.1): two between each client port and the peer's server port."""
    made = []
    for local, remote, receiving, sending in (
        ((host, ours.port_s), (peer, theirs.port_c), ours.spi_s, theirs.spi_c),
        ((host, ours.port_c), (peer, theirs.port_s), ours.spi_c, theirs.spi_s),
    ):
        both = local, remote, ours.alg, ours.ealg, keys.authentication, keys.encryption
        made.append(SecurityAssociation("in", receiving, *both))
        made.append(SecurityAssociation("out", sending, *both))
    return tuple(made)


class Tunnel(Protocol):
    """Where protected sockets come from and security associations go."""

    @property
    def network(self) -> Network:
        """The inner side: what its sockets send leaves inside ESP."""

    @property
    def hosts(self) -> Collection[str]:
        """Addresses of ours that associations can have."""

    @property
    def capacity(self) -> int:
        """Agreements for which there are open files, with room left for everything else."""

    def install(self, associations: Iterable[SecurityAssociation]) -> None:
        """Put associations in force, all of them or, on LibreImsError (an SPI that is taken), none."""

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        """Take them out; harmless for what is not there."""

    @property
    def packets(self) -> Mapping[str, int]:
        """Packets by what became of them: `sent`, `received`, else why they were dropped."""

    def __iter__(self) -> Iterator[SecurityAssociation]:
        """What is in force."""

    def close(self) -> None:
        """Remove everything that was set up for it."""
