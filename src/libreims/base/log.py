"""The log: one line per event in the format of the manual, section 9, to a file and to a ring.

    HH:MM:SS.mmm [LAYER] DIR  id message
            dump of the message, indented by 8 spaces, an empty line after it

In layer `media` the identifier stands before the direction (manual, section 9.3).  The composition root makes
the one `Log`; everyone else gets a `LayerLog` of it.  Lines are buffered and written about once a second, at
once with `sync`, and always at once after an error.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from libreims.base.clock import Cancellable, Clock, UtcClock
from libreims.base.log_dump import escape, hex_dump, message_dump, text_dump
from libreims.base.log_file import LogFile, complain_on_stderr, head
from libreims.base.log_options import (
    DEBUG,
    ERROR,
    INFO,
    LAYERS,
    NONE,
    WARN,
    LayerOptions,
    LogOptions,
    parse,
)
from libreims.base.log_ring import LogRing

FLUSH_INTERVAL = 1.0
"""Seconds that a line may wait in the buffer."""
RING_COUNT = 8192

_DIRECTIONS = {"FROM": "FROM", "TO": "TO  ", "-": "-   "}


class Log:
    """All layers, the file and the ring.

    `path` None keeps the ring only.  `banner` follows `# ` in the first line of every file.  `local` turns
    UTC seconds into the calendar fields to show (local time, as the other programs of a lab do).
    """

    def __init__(
        self,
        options: LogOptions | None = None,
        path: str | None = None,
        *,
        utc: UtcClock,
        banner: str = "ims version 0",
        count: int = RING_COUNT,
        sync: bool = False,
        clock: Clock | None = None,
        local: Callable[[float], time.struct_time] = time.localtime,
        complain: Callable[[str], None] = complain_on_stderr,
    ) -> None:
        self.options = options or LogOptions()
        self.ring = LogRing(count)
        self.sync = sync
        self._clock = clock
        self._utc = utc
        self._local = local
        self._timer: Cancellable | None = None
        self._second = -1
        self._tick = -1  # the millisecond or microsecond that `_stamp` shows
        self._ticks = 1000
        self._day_time = ""
        self._stamp = ""
        self._layers = {name: LayerLog(self, name) for name in LAYERS}
        self._banner = banner
        self._started = utc()
        self._file = LogFile(path, banner, utc, local, complain) if path else None
        self._apply()

    @classmethod
    def null(cls) -> Log:
        """A log that takes nothing, for tests."""
        silent = LogOptions(layers=dict.fromkeys(LAYERS, LayerOptions(level=NONE)))
        return cls(silent, utc=lambda: 0.0, count=1)

    @property
    def head(self) -> list[str]:
        """The comment lines that the file begins with, or would begin with."""
        return head(self._banner, self._started, self._local)

    def layer(self, name: str) -> LayerLog:
        """The log of one layer, the same object every time; `KeyError` for a name that is not in `LAYERS`."""
        return self._layers[name]

    def configure(self, text: str) -> None:
        """Change options (`log_options` syntax); on `LogOptionsError` nothing has changed."""
        change = parse(text, self.options)
        self.change(change.options)
        if change.rotate:
            self.rotate()
        if change.cut:
            self.cut()

    def change(self, options: LogOptions) -> None:
        """Put other options in force."""
        self.options = options
        self._apply()

    def run_on(self, clock: Clock) -> None:
        """From now on flush by a timer of `clock`; before that only a full buffer or an error flushes."""
        self._clock = clock
        if self._file is not None and self._file.pending:
            self._arm()

    def flush(self) -> None:
        """Write what is buffered."""
        self._disarm()
        if self._file is not None:
            self._file.flush()

    @property
    def has_file(self) -> bool:
        """Whether there is a file, and not only the ring."""
        return self._file is not None

    def rotate(self) -> None:
        """Move the file aside and begin a new one (`file.rotate=now`)."""
        if self._file is not None:
            self._file.rotate()

    def cut(self) -> None:
        """Begin the file anew (`file=cut`)."""
        if self._file is not None:
            self._file.cut()

    def close(self) -> None:
        """Write everything and the closing comment; the ring stays readable and later lines go only there."""
        self._disarm()
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(
        self, layer: LayerLog, level: int, direction: str, id: int | str | None, message: str, dump: str
    ) -> None:
        """Add one entry; `LayerLog` has checked the level."""
        now = self._utc()
        if not message.isprintable():
            message = escape(message)
        ring = self.ring
        ring.append((now, layer.name, level, direction, id, message, dump))
        ring.total += 1
        if ring.wake is not None:
            wake, ring.wake = ring.wake, None
            wake()
        file = self._file
        if file is None:
            return
        tick = int(now * self._ticks)
        if tick != self._tick:
            self._begin_tick(tick)
        stamp = self._stamp
        shown = _DIRECTIONS.get(direction) or direction.ljust(4)
        number = f"{id:04x}" if id.__class__ is int else "-" if id is None else id
        if layer.id_first:
            text = f"{stamp} {layer.tag} {number} {shown} {message}\n"
        else:
            text = f"{stamp} {layer.tag} {shown} {number} {message}\n"
        file.pending.append(text)
        if dump:
            file.pending.append(dump)
        file.room -= len(text) + len(dump)
        file.entry_room -= 1
        if self.sync or level == ERROR or file.room <= 0 or file.entry_room <= 0:
            file.flush()
        elif self._timer is None and self._clock is not None:
            self._arm()

    def _apply(self) -> None:
        for name, layer in self._layers.items():
            layer.apply(self.options.layers[name])
        self._ticks = 1_000_000 if self.options.time_us else 1000
        self._second = self._tick = -1
        if self._file is not None:
            self._file.configure(self.options)

    def _begin_tick(self, tick: int) -> None:
        self._tick = tick
        second, fraction = divmod(tick, self._ticks)
        if second != self._second:
            self._begin_second(second)
        digits = 6 if self.options.time_us else 3
        self._stamp = f"{self._day_time}{fraction:0{digits}d}"

    def _begin_second(self, second: int) -> None:
        self._second = second
        match self.options.time:
            case "sec":
                self._day_time = f"{second}."
            case "full":
                self._day_time = time.strftime("%Y-%m-%d %H:%M:%S.", self._local(second))
            case _:
                self._day_time = time.strftime("%H:%M:%S.", self._local(second))

    def _arm(self) -> None:
        if self._clock is not None and self._timer is None:
            self._timer = self._clock.call_later(FLUSH_INTERVAL, self._expired)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        self._timer = None
        if self._file is not None:
            self._file.flush()


class LayerLog:
    """What a module logs to: one layer, with its level at hand as plain attributes.

    `dir` is `FROM` (received), `TO` (sent) or `-`; `id` a number (shown as four hexadecimal digits), an
    address as text (Diameter layers) or None.
    """

    __slots__ = ("_log", "debug_on", "id_first", "info_on", "level", "name", "options", "tag")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self.name = name
        self.tag = f"[{name.upper()}]"
        self.id_first = name == "media"
        self.apply(LayerOptions())

    def apply(self, options: LayerOptions) -> None:
        """Take over changed options; called by `Log`."""
        self.options = options
        self.level = options.level
        self.info_on = options.level >= INFO
        self.debug_on = options.level >= DEBUG

    def enabled(self, level: int) -> bool:
        """Whether an entry of `level` (`log_options.INFO` ...) would be taken."""
        return self.level >= level

    def error(self, message: str, *, dir: str = "-", id: int | str | None = None) -> None:
        """Something is broken and someone should look; written to the file at once."""
        if self.level >= ERROR:
            self._log.write(self, ERROR, dir, id, message, "")

    def exception(
        self, message: str, error: BaseException, *, dir: str = "-", id: int | str | None = None
    ) -> None:
        """A fault of the program: the kind of `error` in the line, its traceback below it."""
        if self.level >= ERROR:
            trace = text_dump("".join(traceback.format_exception(error)))
            self._log.write(self, ERROR, dir, id, f"{message}: {type(error).__name__}: {error}", trace)

    def warn(self, message: str, *, dir: str = "-", id: int | str | None = None) -> None:
        """A refusal or another thing that a person may want to change."""
        if self.level >= WARN:
            self._log.write(self, WARN, dir, id, message, "")

    def info(self, message: str, *, dir: str = "-", id: int | str | None = None) -> None:
        """What happens, message by message."""
        if self.info_on:
            self._log.write(self, INFO, dir, id, message, "")

    def debug(self, message: str, *, dir: str = "-", id: int | str | None = None) -> None:
        """Detail."""
        if self.debug_on:
            self._log.write(self, DEBUG, dir, id, message, "")

    def write(
        self, level: int, message: str, *, dir: str = "-", id: int | str | None = None, more: str = ""
    ) -> None:
        """An entry of any level from outside (`log_set`); `more` are the lines below the first one."""
        if level <= self.level:
            self._log.write(self, level, dir, id, message, text_dump(more) if more else "")

    def message(
        self,
        dir: str,
        id: int | str | None,
        head: str,
        dump: bytes | str | None = None,
        *,
        payload: bytes | None = None,
    ) -> None:
        """A message received or sent: `head` at level info, its content below it at level debug.

        Text, and octets in layer `sip`, are shown as text whenever `max_size` is not 0; other octets as at
        most `max_size` of them in hexadecimal.  `payload` is the encoded form of a `dump` given as text,
        shown with `layer.payload=1`.
        """
        if not self.info_on:
            return
        text = ""
        if self.debug_on and self.options.max_size:
            text = self._dump(dump, payload)
        self._log.write(self, INFO, dir, id, head, text)

    def media(self, dir: str, id: int | str | None, protocol: str, media: str, message: str) -> None:
        """A line about a stream: `protocol` is RTP or RTCP, `media` audio, video or text (manual, 9.3)."""
        if self.info_on:
            self._log.write(self, INFO, dir, id, f"{protocol}/{media} {message}", "")

    def secret(self, value: bytes) -> str:
        """Key material for a message: hexadecimal with `layer.key=1`, else only its length."""
        return value.hex() if self.options.key else f"<{len(value)} bytes hidden>"

    def _dump(self, dump: bytes | str | None, payload: bytes | None) -> str:
        max_size = self.options.max_size
        text = ""
        if isinstance(dump, str):
            text = text_dump(dump)
        elif dump:
            text = message_dump(dump, max_size) if self.name == "sip" else f"{hex_dump(dump, max_size)}\n"
        if payload and self.options.payload:
            text = f"{text[:-1]}{hex_dump(payload, max_size)}\n"
        return text
