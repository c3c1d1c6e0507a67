"""A network of its own for a test: a network namespace with addresses on interfaces that are no loopback.

Nothing of it is seen outside, and it vanishes with the test. Root may make one, and so may anybody where
user namespaces are allowed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence


class Namespace:
    """Interfaces with an address each; `prefix` before a command runs it there."""

    def __init__(self, addresses: dict[str, str]) -> None:
        """`addresses`: "10.45.0.1/24" by name of interface. Raises OSError where it may not be made."""
        commands = ["ip link set lo up"]
        for name, address in addresses.items():
            commands += [
                f"ip link add {name} type veth peer name {name}p",
                f"ip addr add {address} dev {name}",
            ]
            commands += [f"ip link set {name} up", f"ip link set {name}p up"]
        script = " && ".join([*commands, "echo made", "exec cat"])
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self._holder = subprocess.Popen(
            ["unshare", *user, "--net", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline().strip()
        if said != "made":
            self.close()
            raise OSError(f"no network namespace: {said}")
        enter = ["--user", "--preserve-credentials"] if user else []
        self.prefix: Sequence[str] = ("nsenter", f"--target={self._holder.pid}", *enter, "--net", "--")

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave it; it vanishes when the last program in it has ended."""
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


@functools.cache
def namespaces_missing() -> str:
    """Why there can be no namespace here; empty where there can be one."""
    missing = [program for program in ("unshare", "nsenter", "ip") if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    try:
        Namespace({"ims0": "10.45.0.1/24"}).close()
    except OSError as error:
        return str(error)
    return ""
