"""Where a remote API is: `HOST`, `HOST:PORT`, `[::1]:9003`, `::1`, `ws://...`, `wss://...`."""

from __future__ import annotations

from typing import NamedTuple

from libreims.base.errors import LibreImsError

DEFAULT_PORT = 9003
"""As in the manual's `com_addr`."""


class ServerAddress(NamedTuple):
    """A parsed address."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        """`host:port`, with the brackets of IPv6."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """For a WebSocket client; `%` of a zone is written as RFC 6874 wants it."""
        return f"{'wss' if self.tls else 'ws'}://{str(self).replace('%', '%25')}/"


def parse_address(text: str, *, tls: bool = False) -> ServerAddress:
    """Read an address; `tls` is what counts where it has no scheme. Raises LibreImsError."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        rest = scheme
    elif scheme.lower() in ("ws", "wss"):
        tls = tls or scheme.lower() == "wss"
    else:
        raise LibreImsError(f"{text}: an address is HOST:PORT, or begins with ws:// or wss://")
    rest = rest.rstrip("/")
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise LibreImsError(f"{text}: an IPv6 address with a port is written [::1]:9003")
        port = port[1:]
    elif rest.count(":") == 1:
        host, _, port = rest.partition(":")
    else:
        host, port = rest, ""
    if not host or any(char in host for char in " /?#@"):
        raise LibreImsError(f"{text}: HOST or HOST:PORT expected")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise LibreImsError(f"{text}: {port} is no port, 1 to 65535 expected")
    return ServerAddress(host, int(port) if port else DEFAULT_PORT, tls)
