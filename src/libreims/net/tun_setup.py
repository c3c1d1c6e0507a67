"""The inner side of IPsec: a namespace with a TUN interface that has our addresses and every route.

Made by rtnetlink, so that nothing has to be installed.  The script that `ipsec_tun_setup_script_filename`
names says the same in `ip` commands: to look at, and to prepare an interface by hand.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.net import kernel, tun
from libreims.net.netns import NetworkNamespace
from libreims.net.rtnetlink import Rtnetlink
from libreims.net.tun import Tun
from libreims.net.tunnel import TunnelError

INTERFACE = "ipsec0"
"""Name of the interface where none is given; nobody else sees it."""
_SMALLEST_IPV6_MTU = 1280
_PATIENCE = 1000
"""Milliseconds at start that the kernel may take until an address can be used."""
_QUEUE = 4096
"""Packets that may wait in the interface while this process is busy."""
_REUSE = "/proc/sys/net/ipv4/tcp_tw_reuse"
_MARK = "# Written by LibreIMS: "
_WAYS_OUT = (
    "run it as root, or prepare an interface and set ipsec_ifname and ipsec_netns (docs/ipsec.md), "
    "or switch IPsec off with `ipsec: false`"
)


@dataclass(slots=True)
class Inside:
    """What was made or found."""

    namespace: NetworkNamespace
    tun: Tun
    hosts: list[str]
    """The addresses that it has, of those that it was to have."""
    script: SetupScript | None = None

    def close(self) -> None:
        """Give everything back that is ours."""
        self.tun.close()
        self.namespace.close()
        if self.script is not None:
            self.script.remove()


def make(
    addresses: Iterable[str], mtu: int, namespace: str | None, script: str | None, log: LayerLog
) -> Inside:
    """A TUN interface of our own, in a namespace with this name or without one. Raises LibreImsError."""
    hosts = list(dict.fromkeys(addresses))
    if mtu < _SMALLEST_IPV6_MTU and any(":" in host for host in hosts):
        log.warn(f"ipsec_mtu {mtu} is too small for IPv6, {_SMALLEST_IPV6_MTU} is used instead (RFC 8200 §5)")
        mtu = _SMALLEST_IPV6_MTU
    with _explained("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"):
        space = NetworkNamespace.named(namespace) if namespace else NetworkNamespace.anonymous()
        try:
            with space.entered():
                device = tun.create(INTERFACE)  # taken: a run that has made the namespace is still there
                try:
                    _set_up(hosts, mtu)
                except BaseException:
                    device.close()
                    raise
        except BaseException:
            space.close()
            raise
    if not space.ours:
        space.ours = space.left
        log.info(_of_found(space))
    inside = Inside(space, device, hosts)
    if script is not None:
        inside.script = SetupScript.write(script, commands(hosts, mtu, namespace), log)
    return inside


def take(addresses: Iterable[str], interface: str, namespace: str, log: LayerLog) -> Inside:
    """An interface that is prepared, in a namespace that is too. Raises LibreImsError."""
    with _explained("CAP_NET_RAW", "CAP_SYS_ADMIN"):
        try:
            space = NetworkNamespace.named(namespace, create=False)
        except FileNotFoundError:
            raise LibreImsError(
                f"ipsec_netns: there is no network namespace {namespace}: `ip netns add {namespace}` makes it"
            ) from None
        try:
            with space.entered():
                return _attach(space, list(dict.fromkeys(addresses)), interface, log)
        except BaseException:
            space.close()
            raise


def _attach(space: NetworkNamespace, hosts: list[str], interface: str, log: LayerLog) -> Inside:
    """In the namespace: the interface, when it has what it needs."""
    where = f"interface {interface} in the network namespace {space.name}"
    try:
        device = tun.attach(interface)
    except FileNotFoundError:
        raise LibreImsError(
            f"ipsec_ifname: there is no {where} (docs/ipsec.md says how to prepare it)"
        ) from None
    except PermissionError as error:
        if error.filename or kernel.lacking("CAP_SYS_ADMIN"):
            raise
        raise LibreImsError(
            f"ipsec_ifname: {where} belongs to another user: `ip tuntap add mode tun user NAME` gives it away"
        ) from None
    missing = [host for host in hosts if not _has(host)]
    with Rtnetlink() as links:
        is_up = links.is_up(interface)
    if not is_up or missing == hosts:
        device.close()
        lacks = f"has none of {', '.join(missing)}" if is_up else "is not up"
        raise LibreImsError(f"ipsec_ifname: {where} {lacks} (docs/ipsec.md says how to prepare it)")
    if missing:
        log.error(f"There is no IPsec on {', '.join(missing)}: {where} has it not as address")
    return Inside(space, device, [host for host in hosts if host not in missing])


def _has(host: str) -> bool:
    """Whether the namespace has an address: packets to it come from it then."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex((host, 9)) == 0 and probe.getsockname()[0] == host


def _of_found(space: NetworkNamespace) -> str:
    if space.left:
        return (
            f"Network namespace {space.name} is left of a run that was killed: used again, removed at the end"
        )
    return f"Network namespace {space.name} exists already: used, and left as it is at the end"


def _set_up(hosts: list[str], mtu: int) -> None:
    """In the namespace: what `commands` says."""
    families = {socket.AF_INET6 if ":" in host else socket.AF_INET for host in hosts}
    with Rtnetlink() as links:
        if socket.AF_INET6 in families:
            links.no_link_local(INTERFACE)
        if any(host.startswith("127.") for host in hosts):
            links.let_loopback_addresses_out(INTERFACE)
        links.up(INTERFACE, mtu=mtu, queue=_QUEUE)
        for host in hosts:
            links.add_address(INTERFACE, host)
        _await(hosts)
        for family in sorted(families):
            links.add_default_route(INTERFACE, family)
    # Connections to a phone have the same two ports every time: one that we have closed must not block the
    # next for a minute.  Where it cannot be set (containers have /proc/sys read-only) it is a minute.
    with contextlib.suppress(OSError), open(_REUSE, "w", encoding="utf-8") as setting:
        setting.write("1")


def _await(hosts: list[str]) -> None:
    """Until the kernel takes packets to the addresses: that of IPv6 does so some milliseconds later."""
    for host in hosts:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _ in range(_PATIENCE):
                if probe.connect_ex((host, 9)) == 0:  # there is no other route yet
                    break
                time.sleep(0.001)


def commands(hosts: Iterable[str], mtu: int, namespace: str | None, interface: str = INTERFACE) -> str:
    """The same as a shell script."""
    hosts = list(hosts)
    name = shlex.quote(namespace or "ims")
    inside = f"ip netns exec {name}"
    lines = [
        "#!/bin/sh",
        f"{_MARK}how the TUN interface of IPsec was set up. The server has done it already;",
        "# to prepare an interface for `ipsec_ifname` instead, run this as root.",
        "set -e",
        f"ip netns add {name}",
        f"{inside} ip tuntap add mode tun name {interface}",
    ]
    if any(":" in host for host in hosts):
        lines.append(f"{inside} ip link set dev {interface} addrgenmode none")
    if any(host.startswith("127.") for host in hosts):
        lines.append(f"{inside} sh -c 'echo 1 > /proc/sys/net/ipv4/conf/{interface}/route_localnet'")
    # Not with sysctl, which a bare Debian does not have.
    lines.append(f"{inside} sh -c 'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse'")
    lines.append(f"{inside} ip link set dev {interface} up mtu {mtu} txqueuelen {_QUEUE}")
    for host in hosts:
        version, length, options = ("-6", 128, " nodad noprefixroute") if ":" in host else ("-4", 32, "")
        lines.append(f"{inside} ip {version} addr add {host}/{length} dev {interface}{options}")
    for version in sorted({"-6" if ":" in host else "-4" for host in hosts}):
        lines.append(f"{inside} ip {version} route add default dev {interface}")
    return "\n".join(lines) + "\n"


class SetupScript:
    """The script on disk."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = _identity(path)

    @classmethod
    def write(cls, path: str, text: str, log: LayerLog) -> SetupScript | None:
        """Write it for its owner alone, in place of whatever has the name, never through a link.

        The program does not need it: where it cannot be written a line in the log says so.
        """
        folder, name = os.path.split(path)
        try:
            descriptor, draft = tempfile.mkstemp(prefix=f"{name}.", dir=folder or ".")
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    os.fchmod(descriptor, 0o700)
                    file.write(text)
                os.replace(draft, path)
            except OSError:
                os.unlink(draft)
                raise
            return cls(path)
        except OSError as error:
            log.warn(
                f"ipsec_tun_setup_script_filename {path}: {error.strerror}; IPsec goes on without the script"
            )
            return None

    def remove(self) -> None:
        """Remove it, unless another server has written its own since."""
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._identity:
                os.unlink(self._path)


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _explained(*needed: str) -> Iterator[None]:
    """Says which right is missing and what to do."""
    try:
        yield
    except OSError as error:
        raise explain(error, *needed) from error


def explain(error: OSError, *needed: str) -> TunnelError:
    """What to say of something that the kernel refused."""
    what = error.strerror or str(error)
    if kernel.refused(error):
        missing = kernel.lacking(*needed)
        if missing:
            why = f"IPsec needs {' and '.join(missing)}, which this program does not have"
            return TunnelError(why, _WAYS_OUT)
        where = f" {error.filename}" if error.filename else ""
        return TunnelError(f"IPsec is not permitted here ({what}{where}), in a container perhaps", _WAYS_OUT)
    return TunnelError(f"IPsec cannot be set up ({what})", _WAYS_OUT)
