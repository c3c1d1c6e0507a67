"""Text of network addresses: what configuration files, SIP headers and logs write, and what sockets take.

`("2001:db8::1", 5060)` is `[2001:db8::1]:5060` in a file or a URI.  IPv6 text is RFC 5952's.
"""

from __future__ import annotations

import ipaddress
import re

from libreims.net.port import Address

_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)


def parse(text: str, default_port: int = 5060, *, names: bool = False) -> Address:
    """Read `1.2.3.4`, `1.2.3.4:5060`, `[::1]:5060`, `[::1]` or `::1`; with `names`, host names too.

    Raises ValueError, the text saying what is wrong.
    """
    stripped = text.strip()
    host, port = stripped, ""
    if stripped.startswith("["):
        host, closed, rest = stripped[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")) or ":" not in host:
            raise ValueError(f"'{text}' is no address: '[IPv6]' or '[IPv6]:port' expected")
        port = rest[1:] if rest else str(default_port)
    elif stripped.count(":") == 1:
        host, _, port = stripped.partition(":")
    else:
        port = str(default_port)
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"'{text}' is no address: the port must be a number from 0 to 65535")
    if is_ip(host):
        return canonical_host(host), int(port)
    # What consists of digits and dots only was meant as IPv4 and is wrong.
    if names and _NAME.fullmatch(host) and not host.replace(".", "").isdigit():
        return host.lower(), int(port)
    kinds = "an IPv4 address, an IPv6 address or a host name" if names else "an IPv4 or IPv6 address"
    raise ValueError(f"'{text}' is no address: {kinds} expected, with or without ':port'")


def is_ip(host: str) -> bool:
    """Whether `host` (without brackets) is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_ipv6(host: str) -> bool:
    """Whether an address (not a name) is IPv6: only those have colons."""
    return ":" in host


def canonical_host(host: str) -> str:
    """An address in its one form: RFC 5952 for IPv6, IPv4-mapped as IPv4; names lower-cased, brackets off."""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" not in host:
        return host.lower()
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host.lower()
    return str(address.ipv4_mapped or address)


def bracketed(host: str) -> str:
    """The host as URIs and Via write it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def text(address: Address) -> str:
    """`host:port`, IPv6 in brackets; what `parse` reads."""
    return f"{bracketed(address[0])}:{address[1]}"
