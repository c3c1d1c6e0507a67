"""System calls that Python 3.11 has no functions for, and what is said when one is not permitted.

Namespaces belong to threads: all of this acts on the calling thread.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
_MNT_DETACH = 2

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}
"""Those that IPsec needs, and their bits (capabilities(7))."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace of a descriptor. Raises OSError."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, flags: int) -> None:
    """Mount without a file system of its own: bind mounts and their propagation. Raises OSError."""
    _checked(_libc.mount(source.encode(), target.encode(), b"none", ctypes.c_ulong(flags), None), "mount")


def unmount(target: str) -> None:
    """Take a mount away, at once for the name and for its content when nobody uses it. Raises OSError."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH), "umount")


def lacking(*names: str) -> list[str]:
    """Which of these capabilities the calling thread has not in effect."""
    try:
        status = Path("/proc/thread-self/status").read_text(encoding="utf-8")
    except OSError:
        return []
    line = next((each for each in status.splitlines() if each.startswith("CapEff:")), "CapEff: 0")
    have = int(line.split()[1], 16)
    return [name for name in names if not have >> CAPABILITIES[name] & 1]


def refused(error: OSError) -> bool:
    """Whether it was a matter of rights."""
    return error.errno in (errno.EPERM, errno.EACCES)
