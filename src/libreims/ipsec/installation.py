"""What an agreement has set up for it: ports, SPIs, associations; taken together and given back together.

Used by `ipsec.agreements` alone (TS 33.203 §7.1).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from libreims.base.tokens import Tokens
from libreims.net.protected_pool import PortPool
from libreims.net.protected_ports import ProtectedPorts, Way
from libreims.net.sip_transport import SipTransport
from libreims.net.tunnel import SecurityAssociation, Tunnel, associations
from libreims.proto.esp.keys import EspKeys
from libreims.proto.sip.security_agreement import Ipsec3gpp


class Installation(NamedTuple):
    """What one agreement has."""

    ports: ProtectedPorts
    """Our server port; agreements that follow each other share it."""
    way: Way
    """Our client port and both of the phone's."""
    theirs: Ipsec3gpp
    """The proposal that was taken: SPIs and ports of the phone."""
    ours: Ipsec3gpp
    """SPIs and ports of ours."""
    associations: tuple[SecurityAssociation, ...]


class Installer:
    """Sets up and takes down."""

    def __init__(self, tunnel: Tunnel, transport: SipTransport, tokens: Tokens) -> None:
        self.pool = PortPool(tokens)
        self._tunnel = tunnel
        self._transport = transport

    async def install(
        self, host: str, phone: str, theirs: Ipsec3gpp, keys: EspKeys, ports: ProtectedPorts | None
    ) -> Installation:
        """Set everything up between an address of ours and one of a phone, or nothing.

        `ports`: the server port to go on with; None for a new one.  Raises OSError, LibreImsError.
        """
        pool = self.pool
        with ExitStack() as undo:
            spi = pool.take_spis()
            undo.callback(pool.give_spis, spi)
            port_c = pool.take_port(host)
            undo.callback(pool.give_port, host, port_c)
            if ports is None:
                port_s = pool.take_port(host)
                undo.callback(pool.give_port, host, port_s)
                ports = await self._transport.protect(self._tunnel.network, (host, port_s))
                undo.callback(self._transport.end_protection, ports)
            way = ports.add(port_c, (phone, theirs.port_c), (phone, theirs.port_s))
            undo.callback(ports.remove, way)
            ours = Ipsec3gpp(theirs.alg, theirs.ealg, spi, spi + 1, port_c, ports.local[1])
            made = associations(host, phone, ours, theirs, keys)
            self._tunnel.install(made)
            undo.pop_all()
        return Installation(ports, way, theirs, ours, made)

    def remove(self, installation: Installation) -> None:
        """Give all of it back; the server port too when nobody else uses it."""
        ports, way, _, ours, made = installation
        host = ports.local[0]
        ports.remove(way)
        self._tunnel.remove(made)
        self.pool.give_spis(ours.spi_c)
        self.pool.give_port(host, ours.port_c)
        if not len(ports):
            self._transport.end_protection(ports)
            self.pool.give_port(host, ours.port_s)
