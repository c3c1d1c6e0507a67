"""Processes on a core of their own, their CPU time and memory, and a network that is nobody else's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ISOLATED = "LIBREIMS_BENCH_ISOLATED"
_PATIENCE = 5.0
"""Seconds that a process has between SIGTERM and SIGKILL."""
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


def isolate() -> None:
    """Run this program again in a network namespace of its own, where Linux allows it.

    No port is taken then, nobody else's packets are counted, and Kamailio's IPsec module, which empties the
    kernel's IPsec tables when it starts, finds empty ones.
    """
    if os.environ.get(ISOLATED):
        _loopback_up()
        return
    unshare = shutil.which("unshare")
    options = ["--net"] if os.geteuid() == 0 else ["--map-root-user", "--net"]
    if unshare is None or subprocess.run([unshare, *options, "true"], capture_output=True).returncode:
        return
    os.environ[ISOLATED] = "1"
    sys.stdout.flush()
    os.execv(unshare, [unshare, *options, sys.executable, *sys.argv])


def isolated() -> bool:
    """Whether the network is ours alone."""
    return bool(os.environ.get(ISOLATED))


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def server_core() -> int:
    """Where servers run."""
    return min(os.sched_getaffinity(0))


def generator_core() -> int:
    """Where load generators run: another core than the servers', if there is one."""
    return max(os.sched_getaffinity(0))


def pinned(core: int) -> Callable[[], None]:
    """For `preexec_fn`: keeps the process and its children on one core."""
    return lambda: os.sched_setaffinity(0, {core})


class Process:
    """A server process with all that it forks; its output goes to a file."""

    def __init__(self, command: Sequence[str], output: Path, **environment: str) -> None:
        self.output = output
        with output.open("wb") as file:
            self._popen = subprocess.Popen(
                list(command),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                preexec_fn=pinned(server_core()),
            )

    def cpu(self) -> float:
        """CPU seconds of all processes and threads so far, user and kernel."""
        return sum(_cpu(pid) for pid in self._tree())

    def memory(self) -> int:
        """Octets of resident memory."""
        return sum(_memory(pid) for pid in self._tree())

    def said(self) -> str:
        """All output until now."""
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float) -> None:
        """Wait until it has said this. Raises RuntimeError when it ends or does not say it in time."""
        deadline = time.monotonic() + seconds
        while text not in self.said():
            if self._popen.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._popen.args} does not get ready: {self.said()[-500:]}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End it, and whatever it has left behind."""
        everyone = self._tree()
        self._popen.terminate()
        try:
            self._popen.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for pid in everyone[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _tree(self) -> list[int]:
        return list(_descendants(self._popen.pid))


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                yield from _descendants(int(child))


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def _cpu(pid: int) -> float:
    spent = 0
    for task in _tasks(pid):
        with contextlib.suppress(OSError):  # a thread may end while we look
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()
    return 0
