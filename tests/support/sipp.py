"""SIPp (Debian: sip-tester) as a phone: one of our scenario files, played once or many times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from support.process import Program, loopback

SCENARIOS = Path(__file__).parents[1] / "interop" / "sipp"
OUTCOMES = {1: "a call failed", 97: "time ran out", 99: "no call came", 255: "wrong arguments"}


class SippRun(Program):
    """A scenario that is being played."""

    def __init__(self, command: Sequence[str | Path], base: Path, name: str) -> None:
        super().__init__(command, base.with_suffix(".out"), name=name)
        self._errors = base.with_suffix(".errors")

    @property
    def errors(self) -> str:
        """What SIPp found wrong."""
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""


class SippPhone:
    """An address, a user and a transport; each `start` plays a scenario from there."""

    def __init__(
        self,
        folder: Path,
        server: str,
        user: str,
        *,
        credentials: str = "",
        host: str = "",
        port: int = 5060,
        tcp: bool = False,
        features: str = "",
    ) -> None:
        """`credentials`: what SIPp's `[authentication ...]` takes, password=... or aka_K=...

        `features`: parameters of its Contact, each with its semicolon.
        """
        self.folder = folder
        self.server = server
        self.user = user
        self.credentials = f"[authentication username={user} {credentials}]"
        self.host = host or loopback()
        self.port = port
        self.tcp = tcp
        self.features = features
        self._runs = 0

    def start(
        self,
        scenario: str,
        *,
        to: str = "nobody",
        calls: int = 1,
        rate: int = 10,
        options: Sequence[str] = (),
    ) -> SippRun:
        """Play a scenario; `to` is the callee's user part."""
        self._runs += 1
        base = self.folder / f"{self.user}-{self._runs}-{scenario}"
        users = base.with_suffix(".csv")
        users.write_text(f"SEQUENTIAL\n{self.user};{self.credentials};{to};\n")
        command: list[str | Path] = ["sipp", "-sf", SCENARIOS / f"{scenario}.xml", "-inf", users]
        command += ["-i", self.host, "-p", str(self.port), "-bind_local", "-mi", self.host]
        command += ["-t", "t1" if self.tcp else "u1", "-nostdin", "-m", str(calls), "-r", str(rate)]
        command += ["-timeout", "40s", "-timeout_error", "-recv_timeout", "20000"]
        command += ["-trace_err", "-error_file", base.with_suffix(".errors")]
        command += ["-trace_msg", "-message_file", base.with_suffix(".messages")]
        command += ["-key", "features", self.features, *options, self.server]
        return SippRun(command, base, name=f"SIPp {self.user} {scenario}")

    def answering(self, scenario: str, **options: object) -> SippRun:
        """Start a scenario that waits for calls, and wait until its socket is open."""
        program = self.start(scenario, **options)  # type: ignore[arg-type]
        program.until(lambda: self._listens(), "to listen")
        return program

    def play(self, scenario: str, **options: object) -> None:
        """Play a scenario to its end, which has to be a success."""
        with self.start(scenario, **options) as program:  # type: ignore[arg-type]
            succeeded([program])

    def register(self, *options: str) -> None:
        """REGISTER, the challenge, REGISTER with its answer, 200."""
        self.play("register", options=options)

    def _listens(self) -> bool:
        """Whether the kernel knows a socket of ours."""
        table = Path("/proc/net/" + ("tcp" if self.tcp else "udp") + ("6" if ":" in self.host else ""))
        wanted = f":{self.port:04X} "
        if ":" not in self.host:
            octets = [int(part) for part in self.host.split(".")]
            wanted = "".join(f"{octet:02X}" for octet in reversed(octets)) + wanted
        return any(wanted in line.partition(": ")[2][:45] for line in table.read_text().splitlines()[1:])


def succeeded(programs: Iterable[SippRun], seconds: float = 45.0) -> None:
    """Wait until all of these have ended; each scenario has to be a success."""
    for program in programs:
        status = program.wait(seconds)
        if status:
            why = program.errors or program.text
            raise AssertionError(f"{program.name}: {OUTCOMES.get(status, status)}\n{why[-3000:]}")
