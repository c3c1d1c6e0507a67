"""Lines from a pipe, a file or a plain terminal (TERM=dumb), without any escape sequence.

What has been typed ahead is carried out line by line.  The end of a pipe or file ends the monitor, not the
server: `libreims CONFIG < /dev/null` is how it runs as a service.  In the background of a shell the terminal
is somebody else's: it is left alone until the program comes to the foreground.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from typing import Final

from libreims.monitor.output import Output

PROMPT: Final = "(ims) "
LONGEST: Final = 65536
"""Octets of one line."""
AHEAD: Final = 1000
"""Lines typed ahead, after which no more are read until these are carried out."""
_END_OF_FILE: Final = "\x04"
"""Ctrl-D on a terminal."""


class LineConsole:
    """Reads a file descriptor from the event loop."""

    def __init__(self, descriptor: int, output: Output) -> None:
        self._descriptor = descriptor
        self._output = output
        self._terminal = os.isatty(descriptor)
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._lines: deque[str] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._reading = False
        self._prompted = False
        self._unfinished = False  # the last line of the output is a prompt
        self._full = False  # too many lines wait
        self._away = False  # in the background of a shell
        if self._terminal:
            # Where it loses the foreground between a look and a read it must not be stopped as a whole.
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
            self._loop.add_signal_handler(signal.SIGCONT, self._continued)
        self._listen()

    # -- for the session -------------------------------------------------------------------------------

    async def read(self) -> str | None:
        """The next line; None when there will be no more."""
        while not self._lines:
            if self._ended:
                return None
            self._prompt()
            self._changed.clear()
            await self._changed.wait()
        line = self._lines.popleft()
        if self._full and len(self._lines) < AHEAD // 2:
            self._full = False
            self._listen()
        self._prompt()
        self._prompted = False
        # A terminal shows what is typed, with the end of the line.
        self._unfinished = not self._terminal
        if line == _END_OF_FILE:
            self._output.write("\nType quit to end the program.\n")
            return ""
        return line

    async def write(self, text: str) -> None:
        """Show the outcome of a command."""
        self._unfinished = False
        await self._output.written(f"{text}\n")

    def notice(self, text: str) -> None:
        """Say something unasked; a prompt that stands there is written again below."""
        if self._prompted:
            self._output.write(f"\n{text}\n{PROMPT}")
        else:
            self._unfinished = False
            self._output.write(f"{text}\n")

    def close(self) -> None:
        """Read no more."""
        self._stop_listening()
        if self._terminal:
            self._loop.remove_signal_handler(signal.SIGCONT)
        if self._unfinished:
            self._output.write("\n")
        self._output.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _prompt(self) -> None:
        if not self._prompted and not self._away:
            self._prompted = self._unfinished = True
            self._output.write(PROMPT)

    def _listen(self) -> None:
        self._away = self._terminal and not self._foreground()
        if self._away:
            return
        try:
            self._loop.add_reader(self._descriptor, self._readable)
            self._reading = True
        except PermissionError:
            # What epoll does not take, /dev/null or a file, never makes a reader wait.
            while not self._ended:
                self._readable()

    def _stop_listening(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._descriptor)
            self._reading = False

    def _foreground(self) -> bool:
        """Whether the terminal is ours to read from."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # it is not the controlling terminal: nobody else reads it

    def _continued(self) -> None:
        """SIGCONT: `fg` after Ctrl-Z or `&`."""
        if not self._ended and self._foreground():
            if not self._reading and not self._full:
                self._listen()
            self._prompted = False
            self._changed.set()

    def _readable(self) -> None:
        if self._terminal and not self._foreground():
            self._away = True
            self._stop_listening()
            return
        try:
            data = os.read(self._descriptor, LONGEST)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()  # the terminal has gone
            return
        if data:
            self._take(data)
            if len(self._lines) > AHEAD and self._reading:
                self._full = True
                self._stop_listening()
        elif self._terminal and self._alive():
            self._lines.append(_END_OF_FILE)
        else:
            self._end()
        self._changed.set()

    def _alive(self) -> bool:
        try:
            os.get_terminal_size(self._descriptor)
        except OSError:
            return False
        return True

    def _take(self, data: bytes) -> None:
        *lines, self._data = (self._data + data).split(b"\n")
        self._lines += [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        if len(self._data) > LONGEST:
            self._data = b""
            self._output.write(f"\nA line of more than {LONGEST} octets is no command.\n")

    def _end(self) -> None:
        self._stop_listening()
        if self._data:
            self._take(b"\n")
        self._ended = True
        self._changed.set()
