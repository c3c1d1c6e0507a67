"""IPsec for the phones of this process: the tunnel of their address, opened for `libreims ue --ipsec`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.port import Network
from libreims.net.protected_pool import PortPool
from libreims.net.tunnel import TunnelError
from libreims.ue.config import PhoneConfig, PhoneConfigError
from libreims.ue.security import Ipsec
from libreims.ue.security_offer import SecurityError

WAYS_OUT = "run it as root, or leave --ipsec out"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Names of files to write (docs/ipsec.md); None for none."""

    packets: str | None = None
    """Every packet in clear, as pcapng."""
    keys: str | None = None
    """`esp_sa` for Wireshark."""


@contextmanager
def opened(config: PhoneConfig, evidence: Evidence, tokens: Tokens) -> Iterator[Ipsec | None]:
    """IPsec for phones at the address of `config`; None where that asks for none.

    Raises SecurityError, which says what is missing, and LibreImsError.
    """
    if not config.ipsec:
        yield None
        return
    try:
        tunnel = open_tunnel(
            [config.local_host],
            loop=asyncio.get_running_loop(),
            log=Log.null().layer("ipsec"),
            tokens=tokens,
            utc=time.time,
            packets=evidence.packets,
            keys=evidence.keys,
        )
    except TunnelError as error:
        raise SecurityError(f"{error.why}: {WAYS_OUT}") from error
    try:
        yield Ipsec(tunnel, PortPool(tokens))
    finally:
        tunnel.close()


def counts(ipsec: Ipsec) -> dict[str, Any]:
    """What went through the tunnel, and what was dropped, for a summary."""
    tunnel = ipsec.tunnel
    assert isinstance(tunnel, EspTunnel)
    engine = tunnel.engine
    dropped = {reason: number for reason, number in engine.drops.counts.items() if number}
    return {"sent": engine.sent, "received": engine.received, "dropped": dropped}


def placed(config: PhoneConfig, network: Network, tokens: Tokens) -> PhoneConfig:
    """The same phone with an address of its own, as IPsec needs it. Raises PhoneConfigError."""
    host, port = config.local
    if not config.ipsec:
        return config
    if not host:
        host = _own_address(config.server[0], network, tokens)
    if host == config.server[0]:
        raise PhoneConfigError(f"IPsec is between two hosts, and {host} is the server: give --local another")
    return replace(config, local=(host, port))


def _own_address(server: str, network: Network, tokens: Tokens) -> str:
    """An address of this machine to reach the server from; on loopback one of the sixteen million others."""
    if server.startswith("127."):
        while True:
            host = "127." + ".".join(str(tokens.integer(1, 254)) for _ in range(3))
            if host != server:
                return host
    source = network.source_for(server)
    if source is None:
        raise PhoneConfigError(f"there is no way to {server}: give --local, the address of the phone")
    return source
