"""The IPsec tunnel on this machine: raw sockets for ESP outside, a TUN interface in a namespace inside.

Adapter of `net.tunnel` (TS 33.203 §7): the kernel needs no ESP.  What sockets of `EspTunnel.network` send
comes out of the TUN interface, goes through `net.esp_engine` and leaves by a raw socket of IP protocol 50;
and back.  `open_tunnel` is for the server and for simulated phones.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import sys
from collections.abc import Iterable, Iterator

from libreims.base.clock import UtcClock
from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.net import tun_setup
from libreims.net.address import canonical_host
from libreims.net.esp_engine import EspEngine
from libreims.net.esp_evidence import Evidence
from libreims.net.sockets import SocketNetwork
from libreims.net.tun_setup import Inside
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.ip.packet import ESP

_FILES = 4
"""Open files for each agreement: its sockets have three, one in four is for calls and all else."""
_BURST = 64
"""Packets taken at once before the event loop has its turn."""
_LONGEST = 65535
_UNUSABLE = ("::1", "::", "0.0.0.0")
"""The inner kernel takes packets to the first for its own; the others are no addresses of a host."""
_STRANGE = (
    "it is no address of this machine (`ip addr` shows them), and IPsec does not pass address translation"
)
_BUFFER = 8 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_IP_MTU_DISCOVER, _IP_PMTUDISC_DONT = 10, 0
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DONT = 23, 0


def open_tunnel(
    addresses: Iterable[str],
    *,
    loop: asyncio.AbstractEventLoop,
    log: LayerLog,
    tokens: Tokens,
    utc: UtcClock,
    interface: str | None = None,
    namespace: str | None = None,
    mtu: int = 1400,
    script: str | None = None,
    packets: str | None = None,
    keys: str | None = None,
) -> EspTunnel:
    """Set everything up.  Raises LibreImsError, which says what is missing and what to do.

    addresses: ours, in clear and inside alike (transport mode).
    interface, namespace: a prepared one (`ipsec_ifname`, `ipsec_netns`); one is made without `interface`.
    mtu, script: of an interface that is made.
    packets, keys: names of files for evidence (`net.esp_evidence`).
    """
    given = list(dict.fromkeys(map(canonical_host, addresses)))
    hosts = [host for host in given if host not in _UNUSABLE]
    left_out = ", ".join(host for host in given if host in _UNUSABLE)
    if not hosts:
        raise LibreImsError(f"IPsec cannot have {left_out} as its address: give one that phones can reach")
    if left_out:
        log.info(f"There is no IPsec on {left_out}: it cannot be the address of two hosts")
    if interface is not None:
        if namespace is None:
            raise LibreImsError("ipsec_ifname is set, and ipsec_netns has to say where the interface is")
        inside = tun_setup.take(hosts, interface, namespace, log)
    else:
        inside = tun_setup.make(hosts, mtu, namespace, script, log)
    outside: dict[str, socket.socket] = {}
    try:
        for host in inside.hosts:
            raw = _raw_socket(host)
            if raw is not None:
                outside[host] = raw
        strange = ", ".join(host for host in inside.hosts if host not in outside)
        if not outside:
            raise LibreImsError(f"IPsec cannot have {strange} as its address: {_STRANGE}")
        if strange:
            log.error(f"There is no IPsec on {strange}: {_STRANGE}; phones there have to do without")
        log.info(_of(inside, outside))
        return EspTunnel(
            inside, outside, _evidence(packets, keys, utc, log), loop=loop, log=log, tokens=tokens
        )
    except BaseException:
        for raw in outside.values():
            raw.close()
        inside.close()
        raise


class EspTunnel:
    """`net.tunnel.Tunnel` with ESP in this process."""

    def __init__(
        self,
        inside: Inside,
        outside: dict[str, socket.socket],
        evidence: Evidence | None = None,
        *,
        loop: asyncio.AbstractEventLoop,
        log: LayerLog,
        tokens: Tokens,
    ) -> None:
        self.network = SocketNetwork(loop, inside.namespace.entered)
        self.engine = EspEngine(
            outside, send=self._send, deliver=self._deliver, clock=loop, tokens=tokens, log=log
        )
        self._evidence = evidence
        if evidence is not None:
            self.engine.witness = evidence.packet
        self.hosts = frozenset(outside)
        self._inside = inside
        self._outside = outside
        self._loop = loop
        self._log = log
        self._tun = inside.tun.fileno()
        loop.add_reader(self._tun, self._from_inside)
        for host, raw in outside.items():
            loop.add_reader(raw.fileno(), self._from_outside, raw, host)

    def install(self, associations: Iterable[SecurityAssociation]) -> None:
        """Put associations in force, all of them or, on LibreImsError, none."""
        associations = list(associations)
        self.engine.install(associations)
        if self._evidence is not None:
            self._evidence.keys(associations)

    def remove(self, associations: Iterable[SecurityAssociation]) -> None:
        """Take them out."""
        self.engine.remove(associations)

    @property
    def capacity(self) -> int:
        """As many agreements as the limit of open files (RLIMIT_NOFILE) allows."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return sys.maxsize if limit == resource.RLIM_INFINITY else limit // _FILES

    @property
    def packets(self) -> dict[str, int]:
        """Packets by what became of them (`net.esp_drops` has the reasons)."""
        return self.engine.packets

    def __iter__(self) -> Iterator[SecurityAssociation]:
        return iter(self.engine)

    def close(self) -> None:
        """Remove everything that was set up; TCP connections are closed by who opened them."""
        if self._tun < 0:
            return
        self._loop.remove_reader(self._tun)
        self._tun = -1
        for raw in self._outside.values():
            self._loop.remove_reader(raw.fileno())
            raw.close()
        self.network.close()
        self._inside.close()
        if self._evidence is not None:
            self._evidence.close()

    def _from_inside(self) -> None:
        descriptor, outbound = self._tun, self.engine.outbound
        for _ in range(_BURST):
            try:
                packet = os.read(descriptor, _LONGEST)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(error)
                return
            outbound(packet)

    def _lost(self, error: OSError) -> None:
        """The interface was taken away under us: the descriptor would be readable for ever."""
        self._loop.remove_reader(self._tun)
        name = self._inside.tun.name
        self._log.error(f"The TUN interface {name} is gone ({error.strerror}): no IPsec until the next start")

    def _from_outside(self, raw: socket.socket, host: str) -> None:
        inbound, ipv4 = self.engine.inbound, ":" not in host
        for _ in range(_BURST):
            try:
                data, source = raw.recvfrom(_LONGEST)
            except OSError:  # nothing more, or an ICMP error of an earlier packet
                return
            # A raw socket of IPv4 gives the IP header too, one of IPv6 does not (raw(7), RFC 3542 §3).
            inbound(data[(data[0] & 0xF) * 4 :] if ipv4 else data, source[0], host)

    def _send(self, esp: bytes, local: str, remote: str) -> None:
        try:
            self._outside[local].sendto(esp, (remote, 0))
        except OSError as error:
            self.engine.drops.drop("not_sent", "TO", remote, error.strerror or str(error))

    def _deliver(self, packet: bytes) -> None:
        try:
            os.write(self._tun, packet)
        except OSError as error:
            self.engine.drops.drop(
                "not_delivered", "FROM", self._inside.tun.name, error.strerror or str(error)
            )


def _of(inside: Inside, hosts: Iterable[str]) -> str:
    name = inside.namespace.name
    where = f"network namespace {name}" if name else "a network namespace without name"
    return f"IPsec is set up for {', '.join(hosts)}: interface {inside.tun.name} in {where}"


def _evidence(packets: str | None, keys: str | None, utc: UtcClock, log: LayerLog) -> Evidence | None:
    """The files for evidence; a file that cannot be made costs the evidence, not IPsec."""
    if not packets and not keys:
        return None
    try:
        return Evidence(packets, keys, utc, log)
    except LibreImsError as error:
        log.error(f"{error}; IPsec goes on without evidence")
        return None


def _raw_socket(host: str) -> socket.socket | None:
    """A socket for ESP of one address, in the process's own namespace; None for one that we do not have.

    Raises LibreImsError.
    """
    ipv6 = ":" in host
    raw = None
    try:
        raw = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_RAW, ESP)
        raw.setblocking(False)
        # A datagram of the inner side can be larger than the path lets pass: the kernel may cut it.
        if ipv6:
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DONT)
        else:
            raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
        for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            raw.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)
            with contextlib.suppress(PermissionError):  # more than any program may have needs CAP_NET_ADMIN
                raw.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
        raw.bind((host, 0))
    except OSError as error:
        if raw is not None:
            raw.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise tun_setup.explain(error, "CAP_NET_RAW") from error
    return raw
