"""A program on a pseudo-terminal of its own, with somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from support.process import SOURCE

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Ended at the latest when its `with` block ends."""

    def __init__(self, command: Sequence[str | Path], folder: Path, term: str, typed_ahead: str = "") -> None:
        """`typed_ahead` is there before the program is."""
        self._operator, program = pty.openpty()
        os.write(self._operator, typed_ahead.encode())
        environment = os.environ | {
            "PYTHONPATH": str(SOURCE),
            "LC_ALL": "C.UTF-8",
            "TERM": term,
            "HOME": str(folder),
        }
        self._seen = b""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=program,
            stdout=program,
            stderr=program,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(program)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._operator >= 0:
            self.hang_up()

    @property
    def raw(self) -> str:
        """Everything that was written, escape sequences included."""
        return self._seen.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """What was written, without escape sequences and carriage returns."""
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._operator, text.encode())

    def wait_for(self, wanted: str, seconds: float = 20.0, *, since: int = 0) -> int:
        """Wait until something is there, behind `since`; returns where it ends."""
        end = time.monotonic() + seconds
        while True:
            at = self.text.find(wanted, since)
            if at >= 0:
                return at + len(wanted)
            assert time.monotonic() < end, f"waited {seconds} s for {wanted!r} in:\n{self.text!r}"
            if not self._read(0.1) and self.process.poll() is not None and wanted not in self.text[since:]:
                raise AssertionError(f"ended before it wrote {wanted!r}:\n{self.text!r}")

    def ended(self, seconds: float = 10.0) -> int:
        """The exit status, reading to the end."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still runs after {seconds} s:\n{self.text!r}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the operator's side."""
        os.close(self._operator)
        self._operator = -1

    def _read(self, seconds: float) -> bool:
        if not select.select([self._operator], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._operator, 65536)
        except OSError:
            return False
        self._seen += data
        return bool(data)
