"""Network namespaces: making, entering and leaving one, so that sockets can be made inside.

The inner side of IPsec (`net.esp_tunnel`) lives in one.  One without a name is held by a descriptor and
vanishes with the process, however that ends; one with a name is a file in /run/netns, as `ip netns` makes
and shows it (ip-netns(8)).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from libreims.base.errors import LibreImsError
from libreims.net import kernel
from libreims.net.rtnetlink import Rtnetlink

DIRECTORY = "/run/netns"
_HERE = "/proc/thread-self/ns/net"
_MARK = "libreims"
"""Alias of the loopback interface of a namespace that this program has made."""


class NetworkNamespace:
    """A network namespace that is not the process's own, until `close`."""

    def __init__(self, descriptor: int, name: str | None = None, *, ours: bool = True) -> None:
        self.name = name
        self.ours = ours
        """Whether it goes when this is closed: not what was there before."""
        self.left = False
        """Whether it was there, made by a run of this program: one that was killed, or is there still."""
        self._descriptor = descriptor

    @classmethod
    def anonymous(cls) -> NetworkNamespace:
        """Make one without a name. Raises OSError."""
        return cls(_make(None))

    @classmethod
    def named(cls, name: str, *, create: bool = True) -> NetworkNamespace:
        """Take the one with this name; with `create`, make it where it does not exist.

        One that this program has made is recognised (`left`).
        Raises OSError, and LibreImsError for a name that cannot be one.
        """
        if not name or "/" in name or name in (".", ".."):
            raise LibreImsError(f"'{name}' is no name of a network namespace: it has to be a plain file name")
        path = f"{DIRECTORY}/{name}"
        found = _open(path)
        if found is None:
            if not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return cls(_make(path), name)
        namespace = cls(found, name, ours=False)
        try:
            with namespace.entered(), Rtnetlink() as links:
                namespace.left = links.alias("lo") == _MARK
        except OSError:
            namespace.close()
            raise
        return namespace

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside with the calling thread.  No await and no new thread in there."""
        home = os.open(_HERE, os.O_RDONLY)
        try:
            kernel.setns(self._descriptor, kernel.CLONE_NEWNET)
            try:
                yield
            finally:
                kernel.setns(home, kernel.CLONE_NEWNET)
        finally:
            os.close(home)

    def fileno(self) -> int:
        """The descriptor that holds it."""
        return self._descriptor

    def close(self) -> None:
        """Let go of it: it vanishes when it is ours and its last socket is closed."""
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        if self.ours and self.name is not None:
            _remove(f"{DIRECTORY}/{self.name}")


def _make(path: str | None) -> int:
    """A descriptor of a new namespace, which gets a name if `path` is given."""
    home = os.open(_HERE, os.O_RDONLY)
    try:
        if path is not None:
            _prepare_directory()
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
        kernel.unshare(kernel.CLONE_NEWNET)
        try:
            with Rtnetlink() as links:
                links.set_alias("lo", _MARK)
            if path is not None:
                kernel.mount(_HERE, path, kernel.MS_BIND)
            return os.open(_HERE, os.O_RDONLY)
        finally:
            kernel.setns(home, kernel.CLONE_NEWNET)
    except OSError:
        if path is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise
    finally:
        os.close(home)


def _prepare_directory() -> None:
    """As ip-netns(8) does: names made later are seen in mount namespaces that exist already."""
    os.makedirs(DIRECTORY, 0o755, exist_ok=True)
    try:
        kernel.mount("", DIRECTORY, kernel.MS_SHARED | kernel.MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:  # else it is not a mount yet
            raise
        kernel.mount(DIRECTORY, DIRECTORY, kernel.MS_BIND | kernel.MS_REC)
        kernel.mount("", DIRECTORY, kernel.MS_SHARED | kernel.MS_REC)


def _open(path: str) -> int | None:
    """A descriptor of the namespace with this name; None where there is none.

    A file without a namespace behind it is what a restart of the machine or container leaves: it goes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    if os.fstat(descriptor).st_dev == os.stat(_HERE).st_dev:  # all namespaces are on one file system
        return descriptor
    os.close(descriptor)
    os.unlink(path)
    return None


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        kernel.unmount(path)
    with contextlib.suppress(OSError):
        os.unlink(path)
