"""A network of one's own: the process moves into a network namespace with nothing but loopback in it.

For programs that play server and phones on one machine (the demo): each address is a host and each can have
IPsec (`net.esp_tunnel`), also for ordinary users where they may have user namespaces (user_namespaces(7)).
Nothing is seen outside, and nothing is left.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.net import kernel, tun_setup
from libreims.net.rtnetlink import Rtnetlink
from libreims.net.tunnel import TunnelError
from libreims.proto.ip.packet import ESP

_DONE = "\n"
"""Ends what the child of `why_not` says."""


def enter(addresses: Iterable[str]) -> None:
    """Move the process, and those that it starts from now on, to a private network with these addresses.

    There is no way back.  It must have a single thread.  An ordinary user becomes root in there.  Raises
    LibreImsError.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # those would stay behind
        raise LibreImsError("There can be no private network: the program has several threads")
    user, group = os.geteuid(), os.getegid()
    alone = bool(kernel.lacking("CAP_SYS_ADMIN", "CAP_NET_ADMIN"))
    try:
        kernel.unshare(kernel.CLONE_NEWNET | (kernel.CLONE_NEWUSER if alone else 0))
        if alone:
            # Without this a group that takes rights away could be left (user_namespaces(7)).
            Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="utf-8")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="utf-8")
        with Rtnetlink() as links:
            links.up("lo")
            for host in dict.fromkeys(addresses):
                links.add_address("lo", host)
    except OSError as error:
        raise LibreImsError(f"There can be no private network: {_reason(error, user)}") from error


def why_not(addresses: Iterable[str]) -> str:
    """Why `enter`, or IPsec in there, would fail here; empty if both work.  Tried in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _try(list(addresses), writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said.removesuffix(_DONE) if said.endswith(_DONE) else "the attempt failed"


def _try(addresses: list[str], answer: int) -> None:
    """The child: says what is in the way; whatever happens it does not go on as a second parent."""
    try:
        said = ""
        try:
            enter(addresses)
            tun_setup.make(addresses[:1], 1400, None, None, Log.null().layer("ipsec")).close()
            socket.socket(socket.AF_INET, socket.SOCK_RAW, ESP).close()
        except TunnelError as error:
            said = error.why
        except (LibreImsError, OSError) as error:
            said = str(error)
        os.write(answer, f"{said}{_DONE}".encode())
    finally:
        os._exit(0)


def _reason(error: OSError, user: int) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        if user == 0:
            return f"this root may not have one, in a container perhaps ({error.strerror or error})"
        return f"this system lets only root have one ({error.strerror or error})"
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "the limit of user namespaces is reached (/proc/sys/user/max_user_namespaces)"
    if error.errno == errno.EINVAL:
        return "the kernel has no user namespaces"
    return error.strerror or str(error)
