from __future__ import annotations

import io
import threading
import time

from libreims.monitor.output import WAITING, Output


class Stuck(io.StringIO):
    """A terminal that somebody has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.go_on.wait(10)
        return super().write(text)


def test_texts_are_written_in_order() -> None:
    stream = io.StringIO()
    output = Output(stream)
    for number in range(100):
        output.write(f"{number} ")
    output.close()
    assert stream.getvalue() == "".join(f"{number} " for number in range(100))


def test_a_stopped_terminal_stops_nobody() -> None:
    stream = Stuck()
    output = Output(stream)
    begin = time.monotonic()
    for _ in range(3 * WAITING):
        output.write("x")
    output.close(0.01)
    assert time.monotonic() - begin < 5
    stream.go_on.set()
    output.close(5)
    assert WAITING <= len(stream.getvalue()) <= WAITING + 1


def test_nobody_reads_any_more() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    output = Output(Broken())
    output.write("x")
    output._thread.join(5)
    output.write("y")
    output.close()
