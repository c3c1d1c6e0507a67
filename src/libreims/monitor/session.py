"""The monitor of a running server: picks the console that suits, and carries out what is typed on it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
from typing import Protocol

from libreims.base.log import Log
from libreims.base.log_file import complain_on_stderr
from libreims.monitor.lines import LineConsole
from libreims.monitor.monitor import Monitor
from libreims.monitor.output import Output, writer_of


class Console(Protocol):
    """Where lines come from and text goes to."""

    async def read(self) -> str | None:
        """The next line; None when there will be no more."""

    async def write(self, text: str) -> None:
        """Show the outcome of a command."""

    def notice(self, text: str) -> None:
        """Say something unasked, without spoiling what is being typed."""

    def close(self) -> None:
        """Give the terminal back."""


async def serve(monitor: Monitor, console: Console) -> None:
    """Carry out lines until there are no more, or somebody ends the program."""
    try:
        while not monitor.ended:
            line = await console.read()
            if line is None:
                return
            text = await monitor.execute(line)
            if text:
                await console.write(text)
    finally:
        console.close()


def open_console(monitor: Monitor) -> Console | None:
    """The console of the process; None where it has no standard input."""
    if sys.stdin is None or sys.stdout is None:
        return None
    try:
        descriptor = sys.stdin.fileno()
        write = writer_of(sys.stdout)
    except (OSError, ValueError):
        return None  # they stand for something else, in tests
    if _can_move_cursor(descriptor):
        # Without prompt_toolkit there is neither history nor completion, and all else.
        with contextlib.suppress(ImportError):
            from libreims.monitor.terminal import TerminalConsole

            return TerminalConsole(monitor.complete)
    return LineConsole(descriptor, Output(write))


def _can_move_cursor(descriptor: int) -> bool:
    """Whether this is a terminal in the foreground, on both sides, that knows escape sequences."""
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return False
    if not os.isatty(descriptor) or not sys.stdout.isatty():
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True


class Typist:
    """Who sits in front of the program, if anybody does."""

    def __init__(self) -> None:
        self._console: Console | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, monitor: Monitor, log: Log) -> None:
        """Begin to take commands."""
        self._console = open_console(monitor)
        if self._console is not None:
            self._task = asyncio.create_task(serve(monitor, self._console))
            self._task.add_done_callback(functools.partial(self._ended, log))

    def complain(self, text: str) -> None:
        """Say something unasked: that the log does not work."""
        if self._console is None:
            complain_on_stderr(text)
        else:
            self._console.notice(text)

    async def stop(self) -> None:
        """Give the terminal back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _ended(self, log: Log, task: asyncio.Task[None]) -> None:
        self._console = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.layer("ims").exception("The monitor has ended, the server goes on", error)
