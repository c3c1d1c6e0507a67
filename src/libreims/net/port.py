"""What the program needs from a network, so that it runs on real sockets and on a simulated network alike.

Adapters: `net.sockets` (this machine) and `net.simulated` (virtual time, latency, loss, duplication).
Everything is callback driven and synchronous; addresses are `(host, port)` with IPv6 hosts unbracketed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from libreims.proto.sip.flow import Address, Flow

__all__ = [
    "Accept",
    "Address",
    "DatagramSocket",
    "Flow",
    "Listener",
    "Network",
    "Receive",
    "Stream",
    "StreamHandler",
    "TcpOptions",
]

Receive = Callable[[bytes, Address], None]
"""Called with each datagram and where it came from."""


class DatagramSocket(Protocol):
    """A bound UDP socket."""

    receive: Receive
    """Who gets the datagrams; may be replaced, so that a bound socket can serve one call after another."""

    @property
    def local(self) -> Address:
        """Where it is bound, with the port that the system chose when 0 was asked for."""

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram; what the network refuses is lost silently, as on the wire."""

    def close(self) -> None:
        """Release the port; no callback afterwards."""


class StreamHandler(Protocol):
    """Who listens to one TCP connection."""

    def data_received(self, data: bytes) -> None:
        """Octets, in order, cut anywhere."""

    def closed(self, error: Exception | None) -> None:
        """Called exactly once; `error` is None after an orderly end."""


class Stream(Protocol):
    """One TCP connection, outgoing ones being usable before they are established."""

    @property
    def local(self) -> Address:
        """Our end."""

    @property
    def remote(self) -> Address:
        """The peer's end."""

    @property
    def stood(self) -> bool:
        """Whether the connection has ever been established."""

    def send(self, data: bytes) -> None:
        """Queue octets; a peer that reads too slowly has its connection closed, never our memory filled."""

    def close(self) -> None:
        """Close after what is queued has been sent; `closed` is called."""


class Listener(Protocol):
    """A listening TCP socket."""

    @property
    def local(self) -> Address:
        """Where it is bound."""

    def close(self) -> None:
        """Stop accepting; connections that are open stay open."""


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Socket options of SIP connections; TCP_NODELAY is always set."""

    keepalive: int = 900
    """Idle seconds before the first keepalive probe; 0 switches probes off."""
    keepcount: int = 2
    """Unanswered probes before the connection is given up."""
    connect_timeout: float = 5.0
    """Seconds to wait for a connection to be established."""
    write_limit: int = 1 << 20
    """Octets that may wait for a slow reader before the connection is closed."""


Accept = Callable[[Stream], StreamHandler]
"""Called with each accepted connection; what it returns listens to it."""


class Network(Protocol):
    """Where sockets come from."""

    def udp(self, local: Address, receive: Receive) -> DatagramSocket:
        """Bind a UDP socket (IPv4 or IPv6 by the host's form). Raises OSError."""

    async def tcp_listen(self, local: Address, accept: Accept, options: Callable[[], TcpOptions]) -> Listener:
        """Bind and listen; each connection gets the options of its beginning. Raises OSError."""

    def tcp_connect(
        self,
        local_host: str | None,
        remote: Address,
        handler: StreamHandler,
        options: TcpOptions,
        *,
        local_port: int = 0,
    ) -> Stream:
        """Start to connect; failure is told by `handler.closed(error)`, never raised.

        `local_port` is for protected client ports (TS 33.203 §7.1); 0 lets the system choose.
        """

    def source_for(self, remote_host: str) -> str | None:
        """Which of our addresses packets to `remote_host` leave from; None where there is no way to it."""

    async def resolve(self, name: str) -> list[str]:
        """The addresses of a host name, in the order in which to try them. Raises OSError."""
