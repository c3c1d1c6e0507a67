"""Where the demo plays: in a network of its own, where the phones have IPsec, or on this machine's loopback.

IPsec is between hosts, so that server and phones need an address each (TS 33.203).  In a private network
(`net.private`) they have them, of ranges for documentation (RFC 5737, RFC 3849) that nobody else can see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from libreims.net import private


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of the server and of the phones."""

    servers: tuple[str, ...]
    a: str
    b: str
    without_ipsec: str = ""
    """Why the phones have none; empty where they do."""

    @property
    def has_ipsec(self) -> bool:
        """Whether the phones register through IPsec."""
        return not self.without_ipsec

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.servers, self.a, self.b)


PRIVATE = (
    Place(("192.0.2.1", "2001:db8::1"), "192.0.2.11", "2001:db8::12"),
    Place(("192.0.2.1",), "192.0.2.11", "192.0.2.12"),
)
"""The second one is for machines without IPv6."""


def loopback(why: str, *, ipv6: bool) -> Place:
    """On 127.0.0.1 and ::1, for this reason without IPsec."""
    servers = ("127.0.0.1", "::1") if ipv6 else ("127.0.0.1",)
    return Place(servers, "127.0.0.1", servers[-1], why)


def find(
    ipv6: bool,
    why_not: Callable[[Iterable[str]], str] = private.why_not,
    enter: Callable[[Iterable[str]], None] = private.enter,
) -> Place:
    """The best place there is on this machine; the process is in it then.

    ipv6: whether this machine has ::1.  Raises LibreImsError where an attempt worked and the real thing not.
    """
    why = ""
    for place in PRIVATE:
        why = why_not(place.addresses)
        if not why:
            enter(place.addresses)
            return place
    return loopback(why, ipv6=ipv6)
