"""Where a SIP message came from and where its answer goes; the one thing the stack knows of a network."""

from __future__ import annotations

from typing import NamedTuple

Address = tuple[str, int]
"""`(host, port)`; an IPv6 host stands without brackets, in the form of RFC 5952."""


class Flow(NamedTuple):
    """The path between one of our sockets and a peer."""

    transport: str
    """`"UDP"` or `"TCP"`, as in a Via header."""
    local: Address
    """Our listening address, the one that peers are told (Via, Contact), for TCP too."""
    remote: Address
    """The peer: where its packets come from, or where a new connection goes."""
    connection: int = 0
    """Number of the TCP connection; 0 for UDP, or for TCP where any connection to `remote` will do."""
