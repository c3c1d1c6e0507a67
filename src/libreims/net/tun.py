"""TUN interfaces (Linux, Documentation/networking/tuntap): IP packets between a network namespace and a file.

What the kernel sends through the interface is read here, packet by packet; what is written here the kernel
receives by it.  The inner side of `net.esp_tunnel`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct

from libreims.base.errors import LibreImsError
from libreims.net.tunnel import TunnelError

DEVICE = "/dev/net/tun"
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LONGEST_NAME = 15


class Tun:
    """One end of a TUN interface, non-blocking."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name

    def fileno(self) -> int:
        """The descriptor, for the event loop."""
        return self._descriptor

    def close(self) -> None:
        """Detach; an interface that was made by `create` vanishes."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def create(name: str, *, device: str = DEVICE) -> Tun:
    """Make a TUN interface in the calling thread's network namespace.

    Raises OSError, and LibreImsError where there can be none on this machine.
    """
    return _set(_open(device), name)


def attach(name: str, *, device: str = DEVICE) -> Tun:
    """Take a TUN interface that was prepared (`ip tuntap add`). Raises OSError and LibreImsError."""
    descriptor = _open(device)
    try:
        socket.if_nametoindex(name)  # else it would be made anew, with nothing set up
    except OSError:
        os.close(descriptor)
        raise FileNotFoundError(errno.ENODEV, f"there is no interface {name}") from None
    return _set(descriptor, name)


def _open(device: str) -> int:
    try:
        return os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.EACCES:  # its mode; what a container forbids is EPERM
            raise TunnelError(
                f"{device} is closed to this user, and IPsec needs it",
                f"`chmod a+rw {device}` opens it (it is so on most systems); or switch IPsec off with "
                "`ipsec: false`",
            ) from error
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            raise
        raise TunnelError(
            f"{device} is not there, and IPsec needs it",
            f"`modprobe tun` makes it, for a container `--device {device}` does; or switch IPsec off with "
            "`ipsec: false`",
        ) from error


def _set(descriptor: int, name: str) -> Tun:
    octets = name.encode()
    try:
        if not 0 < len(octets) <= _LONGEST_NAME:
            raise LibreImsError(f"'{name}' is no name of an interface: 1 to {_LONGEST_NAME} characters")
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", octets, _IFF_TUN | _IFF_NO_PI))
        # Whoever had the interface before us may have asked for unfinished checksums and oversize segments.
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return Tun(descriptor, name)
