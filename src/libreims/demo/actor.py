"""A simulated phone of the demo, as a child process that tells in JSON lines what happens."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from libreims.demo import child
from libreims.demo.cast import DemoError, Role
from libreims.net.address import text

Line = dict[str, Any]


class Actor:
    """`libreims ue` beside us."""

    def __init__(self, role: Role, directory: Path, tell: Callable[[Role, Line], None]) -> None:
        self.role = role
        self._directory = directory
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self.lines: list[Line] = []
        """What it told, in order."""
        self.noise: list[str] = []
        """What it said besides: errors."""

    async def start(self, steps: Sequence[str]) -> None:
        """Take the SIM and begin."""
        role = self.role
        sim = self._directory / f"{role.name.replace(' ', '-')}.sim"
        descriptor = os.open(sim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{name} = {value}\n" for name, value in role.sim.items()))
        identity = ["--impi", role.impi, "--impu", role.impu, "--sim", str(sim)]
        where = ["--server", text(role.server), "--local", role.local]
        ipsec = ["--ipsec", "--aalg", role.pair[0], "--ealg", role.pair[1]] if role.pair else []
        arguments = ["ue", *where, *identity, *ipsec, "--json", *steps]
        self._process = await child.start(arguments)
        self._reader = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            try:
                parsed = json.loads(line)
            except ValueError:
                self.noise.append(line)
                continue
            self.lines.append(parsed)
            self._tell(self.role, parsed)
            self._grown.set()
        await process.wait()
        self._grown.set()

    @property
    def steps(self) -> list[Line]:
        """The steps that are over."""
        return [line for line in self.lines if line["type"] == "step"]

    @property
    def summary(self) -> Line | None:
        """Its last words; None when it had none."""
        return next((line for line in reversed(self.lines) if line["type"] == "summary"), None)

    async def reached(self, step: str, timeout: float) -> None:
        """Wait until a step succeeded. Raises DemoError."""
        await self._until(
            lambda: any(line["name"] == step and line["ok"] for line in self.steps), step, timeout
        )

    async def finished(self, timeout: float) -> None:
        """Wait until it has done all. Raises DemoError when it could not."""
        await self._until(lambda: self._ended, "the end", timeout)
        summary = self.summary
        if summary is None or not summary["ok"]:
            raise DemoError(self.failure())

    @property
    def _ended(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def _until(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    if self._ended:
                        raise DemoError(self.failure())
                    self._grown.clear()
                    grown = asyncio.ensure_future(self._grown.wait())
                    assert self._reader is not None
                    await asyncio.wait({grown, self._reader}, return_when=asyncio.FIRST_COMPLETED)
                    grown.cancel()
        except TimeoutError:
            raise DemoError(f"{self.role.name} did not come to `{what}` within {timeout:.0f} s") from None

    def failure(self) -> str:
        """What went wrong, as the phone sees it."""
        summary = self.summary
        if summary is not None and summary["failed"] is not None:
            failed = summary["failed"]
            return f"{self.role.name} failed at `{failed['step']}`: {failed['text']}"
        status = self._process.returncode if self._process is not None else None
        said = "\n  ".join(self.noise[-15:]) or "nothing"
        return f"{self.role.name} ended with status {status} before it was done; it said:\n  {said}"

    async def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            await child.stop(self._process)
        if self._reader is not None:
            await self._reader
