"""Load generators: our own in C, and SIPp with the same messages, slower, as a cross-check."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rig.process import generator_core, pinned
from rig.servers import DOMAIN, PASSWORD

LOAD = Path(__file__).resolve().parent.parent / "load"
CALLER, CALLEE = 5070, 5090
"""Ports of the callers and of the called phones."""
_LIMIT = 75.0
"""Seconds after which a generator is ended by force."""


@dataclass(frozen=True)
class Result:
    """What a generator saw: registrations or calls."""

    ok: int
    failed: int
    retransmitted: int
    seconds: float
    set_up: tuple[float, float] | None
    """Milliseconds from the first request to the 200, median and 99th percentile; None where not known."""


class Generator(Protocol):
    """Something that makes registrations and calls."""

    name: str

    def register_all(self, users: int, *, first: int = 0, source: int = CALLER, port: int = 5060) -> Result:
        """Each of these users once."""

    def register(self, users: int, seconds: float, *, port: int = 5060) -> Result:
        """Users in turn, for some seconds."""

    def call(self, pairs: int, seconds: float) -> Result:
        """User n calls user pairs + n, for some seconds."""


class SipLoad:
    """`load/sipload.c`: as many at once as the window allows, as fast as the server is."""

    name = "sipload"

    def __init__(
        self, compiler: str, folder: Path, *, register_window: int = 50, call_window: int = 32
    ) -> None:
        self._program = folder / "sipload"
        self._register_window, self._call_window = register_window, call_window
        source = LOAD / "sipload.c"
        subprocess.run([compiler, "-O2", "-o", self._program, source, "-lm"], check=True)

    def register_all(self, users: int, *, first: int = 0, source: int = CALLER, port: int = 5060) -> Result:
        return self._run(
            "register", users=users, first=first, caller=source, port=port, count=users, seconds=60
        )

    def register(self, users: int, seconds: float, *, port: int = 5060) -> Result:
        return self._run("register", users=users, seconds=seconds, port=port)

    def call(self, pairs: int, seconds: float) -> Result:
        return self._run("call", users=pairs, seconds=seconds)

    def _run(self, flow: str, **options: float) -> Result:
        window = self._call_window if flow == "call" else self._register_window
        command = [
            str(self._program),
            flow,
            "--window",
            str(window),
            "--domain",
            DOMAIN,
            "--password",
            PASSWORD,
        ]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        core = pinned(generator_core())
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT, check=True, preexec_fn=core
        )
        said = json.loads(done.stdout)
        set_up = said["set_up_p50"], said["set_up_p99"]
        return Result(said["ok"], said["failed"], said["retransmitted"], said["seconds"], set_up)


class Sipp:
    """SIPp at a fixed rate, far below where it begins to lose messages of its own."""

    name = "SIPp"

    def __init__(self, folder: Path, *, register_rate: int = 400, call_rate: int = 200) -> None:
        self._folder = folder
        self._register_rate, self._call_rate = register_rate, call_rate

    def register_all(self, users: int, *, first: int = 0, source: int = CALLER, port: int = 5060) -> Result:
        return self._register(users, users, first, source, port)

    def register(self, users: int, seconds: float, *, port: int = 5060) -> Result:
        return self._register(users, int(seconds * self._register_rate), 0, CALLER, port)

    def call(self, pairs: int, seconds: float) -> Result:
        callee = self._start("callee.xml", CALLEE, [])
        try:
            rows = [(f"u{n:07}", f"u{pairs + n:07}") for n in range(pairs)]
            rate = self._call_rate
            return self._finish("caller.xml", CALLER, rows, rate, int(seconds * rate), 5060)
        finally:
            callee.kill()
            callee.wait()

    def _register(self, users: int, count: int, first: int, source: int, port: int) -> Result:
        credentials = f"[authentication username={{0}}@{DOMAIN} password={PASSWORD}]"
        rows = [(f"u{n:07}", credentials.format(f"u{n:07}")) for n in range(first, first + users)]
        return self._finish("register.xml", source, rows, self._register_rate, count, port)

    def _finish(
        self, scenario: str, source: int, rows: list[tuple[str, str]], rate: int, count: int, port: int
    ) -> Result:
        table, statistics = self._folder / "users.csv", self._folder / "statistics.csv"
        table.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in rows))
        statistics.unlink(missing_ok=True)
        limits = ["-r", str(rate), "-m", str(count), "-timeout", f"{_LIMIT - 15:.0f}s"]
        files = ["-inf", str(table), "-trace_stat", "-stf", str(statistics)]
        began = time.monotonic()
        sipp = self._start(scenario, source, [f"127.0.0.1:{port}", *limits, *files])
        try:
            sipp.wait(_LIMIT)
        finally:
            sipp.kill()
            sipp.wait()
        seconds = time.monotonic() - began
        with statistics.open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return Result(
            int(last["SuccessfulCall(C)"]),
            int(last["FailedCall(C)"]),
            int(last["Retransmissions(C)"]),
            seconds,
            None,
        )

    def _start(self, scenario: str, port: int, arguments: list[str]) -> subprocess.Popen[bytes]:
        own = ["-i", "127.0.0.1", "-p", str(port), "-nostdin", "-key", "domain", DOMAIN]
        return subprocess.Popen(
            ["sipp", "-sf", str(LOAD / scenario), *own, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=pinned(generator_core()),
        )


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which("gcc") or shutil.which("cc")
