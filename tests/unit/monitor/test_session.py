"""Who types, and what becomes of it."""

from __future__ import annotations

import asyncio
import io
import os
import sys

import pytest

from libreims.base.log import Log
from libreims.monitor import session
from libreims.monitor.lines import LineConsole
from libreims.monitor.monitor import Monitor
from libreims.monitor.session import Typist, open_console, serve
from support.lab import Lab, play


class Script:
    """A console whose lines are known."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.written: list[str] = []
        self.closed = 0

    async def read(self) -> str | None:
        await asyncio.sleep(0)
        if self.lines and self.lines[0] == "broken":
            raise RuntimeError("a fault")
        if self.lines and self.lines[0] == "wait":
            await asyncio.sleep(1000)
        return self.lines.pop(0) if self.lines else None

    async def write(self, text: str) -> None:
        self.written.append(text)

    def notice(self, text: str) -> None:
        self.written.append(text)

    def close(self) -> None:
        self.closed += 1


def test_lines_are_carried_out_until_quit() -> None:
    async def scenario(lab: Lab) -> None:
        console = Script("echo", "", "quit", "echo")
        await serve(Monitor(lab.server.api), console)
        assert console.written == ["tel:666\nsip:echo"] and console.lines == ["echo"] and console.closed == 1

    play(scenario)


def test_the_end_of_the_lines_ends_the_monitor_only() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = Monitor(lab.server.api)
        console = Script("echo")
        await serve(monitor, console)
        assert console.closed == 1 and not monitor.ended

    play(scenario)


def test_somebody_who_types(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(lab: Lab) -> None:
        for console, fault in ((Script("wait"), False), (Script("broken"), True)):
            monkeypatch.setattr(session, "open_console", lambda monitor, console=console: console)
            typist = Typist()
            typist.complain("before")
            assert capsys.readouterr().err == "before\n"
            typist.start(Monitor(lab.server.api), lab.log)
            typist.complain("meanwhile")
            assert console.written == ["meanwhile"]
            await asyncio.sleep(1)
            assert ("The monitor has ended, the server goes on" in lab.log_text()) is fault
            await typist.stop()
            assert console.closed == 1
            typist.complain("afterwards")
            assert capsys.readouterr().err == "afterwards\n"

    play(scenario)


async def test_nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor: Monitor = None  # type: ignore[assignment]
    monkeypatch.setattr(sys, "stdin", None)
    assert open_console(monitor) is None
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert open_console(monitor) is None
    typist = Typist()
    typist.start(monitor, Log.null())
    await typist.stop()


async def test_a_pipe_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin, open(os.devnull, "w") as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        console = open_console(None)  # type: ignore[arg-type]
        assert isinstance(console, LineConsole)
        console.close()
    os.close(writer)
