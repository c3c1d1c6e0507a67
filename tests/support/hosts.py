"""Hosts for one test: network namespaces of this process, joined by veth, each with both address families.

A test makes sockets of a host inside `host.entered()`; everything vanishes with the descriptors.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
from collections.abc import Sequence

from libreims.base.errors import LibreImsError
from libreims.net import kernel, tun
from libreims.net.netns import NetworkNamespace


class Host:
    """One of two hosts on a link."""

    def __init__(self, number: int) -> None:
        self.namespace = NetworkNamespace.anonymous()
        self.entered = self.namespace.entered
        self.v4 = f"10.45.7.{number}"
        self.v6 = f"2001:db8:45::{number}"
        self.interface = f"veth{number}"

    def run(self, *command: str) -> str:
        """Run a program in there."""
        with self.entered():
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")
        return result.stdout

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a program in there."""
        with self.entered():
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def set_up(self) -> None:
        """Both interfaces on, with addresses."""
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", self.interface, "up")
        self.run("ip", "addr", "add", f"{self.v4}/24", "dev", self.interface)
        self.run("ip", "addr", "add", f"{self.v6}/64", "dev", self.interface, "nodad")

    def socket(self) -> socket.socket:
        """An IPv6 UDP socket with the address of the host."""
        with self.entered():
            made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.bind((self.v6, 0))
        made.settimeout(0.02)
        return made


class Link:
    """Two hosts and the wire between them."""

    def __init__(self) -> None:
        self.a, self.b = Host(1), Host(2)
        there = f"/proc/{os.getpid()}/fd/{self.b.namespace.fileno()}"
        self.a.run("ip", "link", "add", "veth1", "type", "veth", "peer", "name", "veth2", "netns", there)
        self.a.set_up()
        self.b.set_up()
        with self.a.socket() as a, self.b.socket() as b:
            self._wait(a, b)
            self._wait(b, a)

    @staticmethod
    def _wait(source: socket.socket, destination: socket.socket) -> None:
        """The kernel takes its time to see that a wire is there, and IPv6 does not work before."""
        for _ in range(200):
            with contextlib.suppress(OSError):
                source.sendto(b"?", destination.getsockname())
            with contextlib.suppress(TimeoutError):
                destination.recv(1)
                return
        raise OSError("no IPv6 between two interfaces")

    def lose(self, percent: int) -> None:
        """From now on lose packets in both directions. Raises OSError where this kernel has no netem."""
        for host in (self.a, self.b):
            host.run("tc", "qdisc", "replace", "dev", host.interface, "root", "netem", "loss", f"{percent}%")

    def close(self) -> None:
        self.a.namespace.close()
        self.b.namespace.close()


@functools.cache
def ipsec_missing() -> str:
    """Why no IPsec tunnel can be made here; empty where one can."""
    lacking = kernel.lacking("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN")
    if lacking:
        return f"no {', '.join(lacking)}"
    try:
        namespace = NetworkNamespace.anonymous()
        with namespace.entered():
            tun.create("probe0").close()
        namespace.close()
        Link().close()
    except (OSError, LibreImsError) as error:
        return str(error)
    return ""
