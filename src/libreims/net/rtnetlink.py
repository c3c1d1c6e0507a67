"""Interfaces, addresses and routes by rtnetlink (rtnetlink(7), RFC 3549): what `ip` does.

Works where iproute2 is not installed.  A `Rtnetlink` acts in the network namespace in which it was made.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_NEWLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 18, 20, 24
_ERROR = 2
_REQUEST, _ACK, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x400, 0x200

_IFLA_MTU, _IFLA_TXQLEN, _IFLA_IFALIAS, _IFLA_AF_SPEC = 4, 13, 20, 26
_IFLA_INET_CONF, _ROUTE_LOCALNET = 1, 26
_IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_NONE = 8, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200
_RTA_OIF = 4
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_UNIVERSE, _SCOPE_LINK, _UNICAST = 254, 4, 0, 253, 1
_IFF_UP = 1

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")


class Rtnetlink:
    """A socket to the kernel's tables.  Every method raises OSError where the kernel refuses."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._number = 0

    def __enter__(self) -> Rtnetlink:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def up(self, name: str, *, mtu: int | None = None, queue: int | None = None) -> None:
        """Switch an interface on; `queue` is the number of packets that may wait in it."""
        attributes = b""
        if mtu is not None:
            attributes += _attribute(_IFLA_MTU, struct.pack("=I", mtu))
        if queue is not None:
            attributes += _attribute(_IFLA_TXQLEN, struct.pack("=I", queue))
        self._change(_NEWLINK, _link(name, _IFF_UP) + attributes)

    def let_loopback_addresses_out(self, name: str) -> None:
        """Send and take 127.0.0.0/8 on an interface (`route_localnet`)."""
        conf = _attribute(_IFLA_INET_CONF, _attribute(_ROUTE_LOCALNET, struct.pack("=I", 1)))
        self._change(_NEWLINK, _link(name) + _attribute(_IFLA_AF_SPEC, _attribute(socket.AF_INET, conf)))

    def no_link_local(self, name: str) -> None:
        """Give an interface no IPv6 address of its own making (`addrgenmode none`)."""
        mode = _attribute(_IFLA_INET6_ADDR_GEN_MODE, struct.pack("=B", _ADDR_GEN_NONE))
        self._change(_NEWLINK, _link(name) + _attribute(_IFLA_AF_SPEC, _attribute(socket.AF_INET6, mode)))

    def add_address(self, name: str, host: str) -> None:
        """Give an interface an address, no network with it; harmless if it has it."""
        packed, family = _packed(host)
        body = struct.pack("=BBBBi", family, len(packed) * 8, 0, 0, socket.if_nametoindex(name))
        body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        body += _attribute(_IFA_FLAGS, struct.pack("=I", _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE))
        self._create(_NEWADDR, body)

    def add_default_route(self, name: str, family: int) -> None:
        """Send everything of an address family through an interface; harmless if it is so."""
        scope = _SCOPE_LINK if family == socket.AF_INET else _SCOPE_UNIVERSE
        table = (_TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST)
        body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, *table, 0)
        self._create(_NEWROUTE, body + _attribute(_RTA_OIF, struct.pack("=i", socket.if_nametoindex(name))))

    def set_alias(self, name: str, text: str) -> None:
        """Write a remark on an interface (`ip link` shows it)."""
        self._change(_NEWLINK, _link(name) + _attribute(_IFLA_IFALIAS, text.encode()))

    def alias(self, name: str) -> str:
        """The remark on an interface; empty without one."""
        found = _attributes(self._ask(_GETLINK, _link(name), _REQUEST)[_LINK.size :])
        return found.get(_IFLA_IFALIAS, b"").rstrip(b"\0").decode("utf-8", "replace")

    def is_up(self, name: str) -> bool:
        """Whether an interface is switched on."""
        _, _, _, flags, _ = _LINK.unpack_from(self._ask(_GETLINK, _link(name), _REQUEST))
        return bool(flags & _IFF_UP)

    def _create(self, kind: int, body: bytes) -> None:
        try:
            self._ask(kind, body, _REQUEST | _ACK | _CREATE | _EXCLUSIVE)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise

    def _change(self, kind: int, body: bytes) -> None:
        self._ask(kind, body, _REQUEST | _ACK)

    def _ask(self, kind: int, body: bytes, flags: int) -> bytes:
        """Send one request; the body of its answer, empty for an acknowledgement."""
        self._number += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, 0) + body)
        while True:
            answer = self._socket.recv(65536)
            length, what, _, number, _ = _HEADER.unpack_from(answer)
            if number != self._number:
                continue
            if what == _ERROR:
                (code,) = struct.unpack_from("=i", answer, _HEADER.size)
                if code:
                    raise OSError(-code, os.strerror(-code))
                return b""
            return answer[_HEADER.size : length]


def _link(name: str, flags: int = 0) -> bytes:
    """Which interface, and those of its flags that are to be set."""
    return _LINK.pack(socket.AF_UNSPEC, 0, socket.if_nametoindex(name), flags, flags)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _packed(host: str) -> tuple[bytes, int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host), family
