"""The log file: head, buffered writing, rotation, and going on when the disk does not.

A write that fails loses the text it carried, says so once on standard error, and is tried again at
every following flush; when the file takes text again a comment line in it tells how many entries are
missing.  Nothing here raises, whatever the file system does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable

from libreims.base.log_options import LogOptions

FLUSH_CHARACTERS = 1 << 15
FLUSH_ENTRIES = 1 << 12


def complain_on_stderr(text: str) -> None:
    """The way to say that the log itself does not work; nobody may be there to read it."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def head(banner: str, started: float, local: Callable[[float], time.struct_time]) -> list[str]:
    """The comment lines at the beginning of a file, without line ends."""
    return [
        f"# {banner}",
        "# Log file format:",
        "# time layer dir id message",
        f"# Started on {stamp(started, local)}",
    ]


def stamp(seconds: float, local: Callable[[float], time.struct_time]) -> str:
    """Date and time in a comment line."""
    return time.strftime("%Y-%m-%d %H:%M:%S", local(seconds))


class LogFile:
    """One log file that is appended to, re-opened and moved aside.

    `date` gives the wall-clock time in seconds, `local` turns it into calendar fields.
    """

    def __init__(
        self,
        path: str,
        banner: str,
        date: Callable[[], float],
        local: Callable[[float], time.struct_time],
        complain: Callable[[str], None],
    ) -> None:
        self.path = path
        self._banner = banner
        self._date = date
        self._local = local
        self._complain = complain
        self._options = LogOptions()
        self._fd = -1
        self._failing = False
        self._lost = 0
        self._size = 0
        self._entries = 0
        self._started = date()
        self._movers: list[threading.Thread] = []
        self.pending: list[str] = []
        """Text not written yet; `Log` appends to it and counts down the two numbers below."""
        self.room = FLUSH_CHARACTERS
        """Characters that may still be buffered."""
        self.entry_room = FLUSH_ENTRIES
        """Entries that may still be buffered."""
        self._allowed = FLUSH_ENTRIES

    def configure(self, options: LogOptions) -> None:
        """Take over rotation limits and `append`; opens the file the first time."""
        self._options = options
        if self._fd < 0:
            self._open(rotated=False)
        self.flush()

    def head(self, rotated: float | None = None) -> list[str]:
        """The comment lines at the beginning of a file, without line ends."""
        lines = head(self._banner, self._started, self._local)
        if rotated is not None:
            lines.append(f"# Rotated on {self._stamp(rotated)}")
        return lines

    def flush(self) -> None:
        """Write what is buffered, then rotate if a limit is reached."""
        self._drain()
        options = self._options
        if (options.rotate_size and self._size >= options.rotate_size) or (
            options.rotate_count and self._entries >= options.rotate_count
        ):
            self.rotate()
        else:
            self._allow()

    def rotate(self) -> None:
        """Move the file aside under a name with the time in it and begin a new one."""
        self._drain()
        now = self._date()
        self._comment(f"# Rotated on {self._stamp(now)}")
        self._close_file()
        try:
            self._move(now)
        except OSError as error:
            self._failed(f"cannot move log file {self.path} aside", error)
            # The old file is still in place: writing goes on there, nothing is thrown away.
            self._open(rotated=True, append=True)
            self._size = self._entries = 0
        else:
            self._open(rotated=True)
        self._allow()

    def cut(self) -> None:
        """Close the file and open it anew, empty unless `append` is set."""
        self._drain()
        self._close_file()
        self._open(rotated=False)
        self._allow()

    def close(self) -> None:
        """Write everything and the closing comment."""
        self.flush()
        self._comment(f"# Ended on {self._stamp(self._date())}")
        self._close_file()
        for mover in self._movers:
            mover.join()

    def _stamp(self, seconds: float) -> str:
        return stamp(seconds, self._local)

    def _allow(self) -> None:
        """How much may be buffered: no more than fits before the next rotation."""
        options = self._options
        room, limit = FLUSH_CHARACTERS, FLUSH_ENTRIES
        if options.rotate_size:
            room = min(room, options.rotate_size - self._size)
        if options.rotate_count:
            limit = min(limit, options.rotate_count - self._entries)
        self.room = room
        self.entry_room = self._allowed = limit

    def _open(self, *, rotated: bool, append: bool | None = None) -> bool:
        keep = self._options.append if append is None else append
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (0 if keep else os.O_TRUNC)
        try:
            self._fd = os.open(self.path, flags, 0o644)
            self._size = os.fstat(self._fd).st_size
        except OSError as error:
            self._failed(f"cannot open log file {self.path} (log_filename)", error)
            return False
        self._entries = 0
        for line in self.head(self._date() if rotated else None):
            self._comment(line)
        return True

    def _comment(self, line: str) -> None:
        if self._fd >= 0:
            self._send(f"{line}\n")

    def _drain(self) -> None:
        """Write the buffer, or count its entries as lost."""
        if not self.pending:
            return
        entries = self._allowed - self.entry_room
        if self._fd < 0:
            self._open(rotated=False, append=True)
        if self._fd >= 0 and self._report_loss() and self._send("".join(self.pending)):
            self._entries += entries
            self._failing = False
        else:
            self._lost += entries
        self.pending.clear()
        self._allowed = self.entry_room

    def _report_loss(self) -> bool:
        if self._lost:
            if not self._send(f"# {self._lost} entries are missing here, the file could not be written\n"):
                return False
            self._lost = 0
        return True

    def _send(self, text: str) -> bool:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while data:
                written = os.write(self._fd, data)
                self._size += written
                data = data[written:]
        except OSError as error:
            self._failed(f"cannot write log file {self.path}", error)
            return False
        return True

    def _failed(self, what: str, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            self._complain(f"{what}: {error.strerror or error}; the server goes on without it")

    def _close_file(self) -> None:
        if self._fd < 0:
            return
        try:
            os.close(self._fd)
        except OSError as error:
            self._failed(f"cannot close log file {self.path}", error)
        self._fd = -1

    def _move(self, now: float) -> None:
        folder, name = os.path.split(self.path)
        target_folder = os.path.join(folder, self._options.path) or "."
        stamp = time.strftime("%Y%m%d.%H%M%S", self._local(now))
        target = os.path.join(target_folder, f"{name}.{stamp}")
        number = 1
        while os.path.exists(target):
            target = os.path.join(target_folder, f"{name}.{stamp}.{number}")
            number += 1
        if not os.path.isdir(target_folder):
            os.makedirs(target_folder)
        try:
            os.rename(self.path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy_away(target)

    def _copy_away(self, target: str) -> None:
        """Another file system: the copy of a large file must not stop the server, so a thread makes it."""
        aside = os.path.join(os.path.dirname(self.path), os.path.basename(target))
        os.rename(self.path, aside)
        self._movers = [mover for mover in self._movers if mover.is_alive()]
        mover = threading.Thread(target=self._copy, args=(aside, target), name="log-move", daemon=True)
        self._movers.append(mover)
        mover.start()

    def _copy(self, aside: str, target: str) -> None:
        try:
            shutil.move(aside, target)
        except OSError as error:
            self._complain(
                f"cannot move log file {aside} to {target}: {error.strerror or error}; it stays there"
            )
