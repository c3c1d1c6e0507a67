"""Programs that tests start for real: the server, and peers that talk to it over loopback.

Every server gets a loopback address of its own (127.0.0.0/8 has sixteen million), so that tests run beside
each other, and twice at once, without meeting.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import libreims

SOURCE = Path(libreims.__file__).resolve().parent.parent
START_SECONDS = 20.0
"""For a server to say that it is ready: generous, the machine may be busy."""
FAULTS = re.compile(r"Traceback|fault of the server|ended by a fault|never (retrieved|awaited)")
"""What a log and the output of a healthy server never contain."""


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these programs is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback address."""
    return _can_bind("::1", 0)


def loopback() -> str:
    """A loopback address that nobody else uses."""
    while True:
        host = ".".join(["127", *(str(1 + secrets.randbelow(254)) for _ in range(3))])
        if _can_bind(host, 5060):
            return host


def free_port(host: str) -> int:
    """An even port of `host` that is free for UDP and TCP, and so is the next one."""
    while True:
        port = 20000 + 2 * secrets.randbelow(6000)  # below the range that the kernel takes ports from
        if _can_bind(host, port) and _can_bind(host, port + 1):
            return port


def _can_bind(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind) as probe:
                probe.bind((host, port))
        except OSError:
            return False
    return True


class Program:
    """A running program whose output goes to a file; ended at the latest when its `with` block ends."""

    def __init__(
        self,
        command: Sequence[str | Path],
        output: Path,
        *,
        folder: Path | None = None,
        name: str = "",
        typed: bool = False,
    ) -> None:
        """`typed`: somebody will `type` to it."""
        self.name = name or Path(command[0]).name
        self.output = output
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE if typed else subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=folder or output.parent,
                env=environment,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def type(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    @property
    def text(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")

    def wait_for(self, wanted: str, seconds: float = 10.0) -> None:
        """Wait until it has written something that matches this regular expression."""
        self.until(lambda: re.search(wanted, self.text) is not None, f"to write {wanted!r}", seconds)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
        """Wait until something is so; an end of the program before that is a failure."""
        end = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll()
            if ended is not None:
                if condition():
                    return
                raise AssertionError(f"{self.name} ended with {ended} before it came {what}:\n{self.text}")
            assert time.monotonic() < end, f"waited {seconds} s for {self.name} {what}:\n{self.text[-3000:]}"
            time.sleep(0.02)

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end; returns the exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds} s:\n{self.text[-3000:]}") from None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 10.0) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def resident(self) -> int:
        """Octets of memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far, user and system."""
        return cpu_seconds(self.process.pid)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server(Program):
    """The server with a configuration, ready to be called."""

    def __init__(
        self,
        folder: Path,
        properties: str,
        *,
        host: str = "",
        ipv6: bool = False,
        host6: str = "",
        prefix: Sequence[str] = (),
        wait: bool = True,
        typed: bool = False,
    ) -> None:
        """`properties`: configuration without addresses and log; `prefix`: a command that starts commands.

        `ipv6` adds the IPv6 loopback, `host6` another address on the usual port.
        """
        self.host = host or loopback()
        self.port = 5060
        self.port6 = free_port("::1") if ipv6 else 0
        self.log = folder / "ims.log"
        self.config = folder / "ims.cfg"
        addresses = [f'"{self.host}:{self.port}"']
        if ipv6:
            addresses.append(f'"[::1]:{self.port6}"')
        if host6:
            addresses.append(f'"[{host6}]:{self.port}"')
        self.config.write_text(
            f'sip_addr: [{", ".join(addresses)}],\nlog_filename: "ims.log", log_sync: true,\n{properties}'
        )
        command = [*prefix, sys.executable, "-m", "libreims", self.config]
        super().__init__(command, folder / "server.out", folder=folder, name="the server", typed=typed)
        if wait:
            try:
                self.wait_for(r"(?m)^Ready: ", START_SECONDS)
            except BaseException:
                self.__exit__(None, None, None)
                raise

    @property
    def address(self) -> str:
        """host:port of its IPv4 socket."""
        return f"{self.host}:{self.port}"

    @property
    def address6(self) -> str:
        """[host]:port of its IPv6 socket."""
        return f"[::1]:{self.port6}"

    @property
    def log_text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace")

    def wait_for_log(self, wanted: str, seconds: float = 10.0) -> None:
        """Wait until something in the log matches."""
        what = f"to log {wanted!r}"
        self.until(lambda: re.search(wanted, self.log_text) is not None, what, seconds)

    def finish(self) -> str:
        """End it and see that it was healthy to its end; returns the log."""
        begin = time.monotonic()
        assert self.stop() == 0, self.text
        assert time.monotonic() - begin < 5
        log = self.log_text
        for text in (self.text, log):
            fault = FAULTS.search(text)
            assert fault is None, text[max(0, fault.start() - 500) : fault.end() + 3000]
        assert re.search(r"(?m)^# Ended on [-\d]+ [:\d]+$\n\Z", log), log[-300:]
        return log


@contextlib.contextmanager
def serving(folder: Path, properties: str, **options: object) -> Iterator[Server]:
    """A server; when the block is left without an error it has to end cleanly, with nothing left over."""
    with Server(folder, properties, **options) as server:  # type: ignore[arg-type]
        yield server
        server.finish()
