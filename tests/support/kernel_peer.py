"""A real Linux kernel as peer: a User-Mode Linux guest at the far end of a cable, as an ordinary process.

The guest has this machine's files, read only, and one folder that it shares with the test, under the same
path on both sides. Scripts are handed over there and their output comes back there; orders and their ends
go over the guest's console. A cable is a file descriptor that carries Ethernet frames:

- `socket.socketpair(AF_UNIX, SOCK_DGRAM)`: the test writes and reads frames itself; needs no rights at all;
- `tap`: an interface of this machine, in the network namespace that the caller is in; needs the rights to
  make one. The real network stacks of both sides then talk.

The guest's end of the first cable is `vec0`, of the next one `vec1`, all of them down.
"""

from __future__ import annotations

import fcntl
import functools
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import libreims

KERNEL = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
SECONDS = 60.0
"""For a boot and for a script: generous, the guest is one slow CPU of a machine that may be busy."""

_INIT = """\
#!/bin/sh
# The first process of the guest: its file systems, modules on demand, then one order a line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run TERM=dumb
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run
eval "$(tr ' ' '\\n' < /proc/cmdline | grep '^SHARED=')"
mount -t hostfs none "$SHARED" -o "$SHARED"
printf '#!/bin/sh\\nexec modprobe -d %s "$@"\\n' "$SHARED/root" > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/run/modprobe ipv6
ip link set lo up
cd "$SHARED" || exit
stty -echo < /dev/console
echo "@ready"
while read -r order name; do
    case $order in
        run) sh "$name.sh" > "$name.out" 2>&1 < /dev/null; echo "@ended $name $?" ;;
        start) sh "$name.sh" > "$name.out" 2>&1 < /dev/null & echo "@ended $name 0" ;;
    esac
done
"""


class GuestError(Exception):
    """The guest did not come up, took too long, or its script failed; the text has what it said."""


@functools.cache
def kernel_missing() -> str:
    """Why there can be no such peer here; empty where there can be one."""
    missing = [
        program for program in (KERNEL, "ip", "modprobe") if shutil.which(program, path=_path()) is None
    ]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "" if MODULES.is_dir() else f"there is no {MODULES}"


def _path() -> str:
    """`ip` and `modprobe` are where not everybody looks."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def tap(name: str, *hosts: str) -> int:
    """A new TAP interface, up and with these addresses; it vanishes when the descriptor is closed.

    Raises OSError without the rights.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    try:
        # TUNSETIFF with IFF_TAP and IFF_NO_PI.
        fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH14x", name.encode(), 0x0002 | 0x1000))
        lines = ["link set lo up", f"link set {name} up", *(address(host, name) for host in hosts)]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def address(host: str, interface: str) -> str:
    """What gives an interface an address, after `ip`; an IPv6 one counts at once."""
    return (
        f"addr add {host}/64 dev {interface} nodad" if ":" in host else f"addr add {host}/24 dev {interface}"
    )


def program(file: str, *arguments: str) -> str:
    """A line for a script: a program of the tests, with all that it imports."""
    path = f"{Path(libreims.__file__).parents[1]}:{Path(__file__).parents[1]}"
    return f"PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} {sys.executable} {file} {' '.join(arguments)}"


class KernelPeer:
    """A running guest; `folder` is what it shares with the test, empty at first."""

    def __init__(self, folder: Path, cables: Sequence[int], memory: str = "256M") -> None:
        """Boot, with the guest's ends of the cables. Raises GuestError."""
        self.folder = folder.resolve()
        self._count = 0
        self._said = b""
        (self.folder / "root/lib").mkdir(parents=True)
        (self.folder / "root/lib/modules").symlink_to(MODULES)
        init = self.folder / "init"
        init.write_text(_INIT)
        init.chmod(0o755)
        command = [
            *(KERNEL, f"mem={memory}", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"),
            *(f"vec{n}:transport=fd,fd={fd},vec=0" for n, fd in enumerate(cables)),
            *("con=null", "con0=fd:0,fd:1", "ssl=null", "quiet", f"uml_dir={self.folder}/uml/"),
            f"SHARED={self.folder}",
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=cables,
            start_new_session=True,  # so that all processes of the guest can be ended together
        )
        try:
            self._wait("@ready", SECONDS)
        except GuestError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the guest at once: it has nothing to save."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def run(self, script: str, seconds: float = SECONDS) -> str:
        """Run a shell script in the shared folder and return its output. Raises GuestError if it fails."""
        name = self._order("run", script, seconds)
        status = self._status
        output = self.output(name)
        if status:
            raise GuestError(f"the script ended with {status}:\n{output}")
        return output

    def start(self, script: str) -> str:
        """Start a shell script that goes on in the background; returns its name for `output`."""
        return self._order("start", script, SECONDS)

    def output(self, name: str) -> str:
        """What a script has written; of one that still runs, what the guest has stored so far."""
        return (self.folder / f"{name}.out").read_text(errors="replace")

    def _order(self, order: str, script: str, seconds: float) -> str:
        self._count += 1
        name = f"script{self._count}"
        (self.folder / f"{name}.sh").write_text(script)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order} {name}\n".encode())
        self._process.stdin.flush()
        self._status = int(self._wait(f"@ended {name} ", seconds))
        return name

    def _wait(self, mark: str, seconds: float) -> str:
        """Read the console up to the line that begins with `mark`; returns the rest of that line."""
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        console = self._process.stdout.fileno()
        while True:
            *lines, _ = self._said.split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").strip()
                if text.startswith(mark):
                    self._said = b""  # orders are given one after the other: nothing else is awaited
                    return text.removeprefix(mark)
            left = end - time.monotonic()
            ready = select.select([console], [], [], max(left, 0))[0]
            new = os.read(console, 65536) if ready else b""
            if not new:
                what = f"nothing for {seconds:.0f} s" if not ready else "its end"
                said = self._said.decode(errors="replace")
                raise GuestError(f"the guest was to say {mark!r} and said {what}:\n{said}")
            self._said += new
