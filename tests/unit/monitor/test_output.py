from __future__ import annotations

import asyncio
import io
import threading
import time
from pathlib import Path

from libreims.monitor.output import WAITING, Output, writer_of


class Stuck(io.StringIO):
    """A terminal that somebody has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def take(self, text: str) -> None:
        self.go_on.wait(10)
        self.write(text)


def test_texts_are_written_in_order() -> None:
    stream = io.StringIO()
    output = Output(lambda text: print(text, end="", file=stream))
    for number in range(100):
        output.write(f"{number} ")
    output.close()
    assert stream.getvalue() == "".join(f"{number} " for number in range(100))


def test_a_stopped_terminal_stops_nobody() -> None:
    stream = Stuck()
    output = Output(stream.take)
    begin = time.monotonic()
    for _ in range(3 * WAITING):
        output.write("x")
    output.close(0.01)
    assert time.monotonic() - begin < 5
    stream.go_on.set()
    output.close(5)
    assert WAITING <= len(stream.getvalue()) <= WAITING + 1


def test_nobody_reads_any_more() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    output = Output(broken)
    output.write("x")
    output.write("y")
    asyncio.run(asyncio.wait_for(output.written("z"), 5))
    output.close(5)
    assert not output._thread.is_alive()


async def test_one_waits_for_a_text_without_holding_up_others() -> None:
    stream = Stuck()
    output = Output(stream.take)
    waiting = asyncio.create_task(output.written("long"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    stream.go_on.set()
    await asyncio.wait_for(waiting, 5)
    assert stream.getvalue() == "long"
    output.close()


def test_the_loop_may_end_before_the_terminal_goes_on() -> None:
    stream = Stuck()
    output = Output(stream.take)

    async def ended() -> None:
        waiting = asyncio.create_task(output.written("x"))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(ended())
    stream.go_on.set()
    output.close(5)
    assert not output._thread.is_alive()


def test_everything_is_written_past_the_buffer(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w", encoding="ascii") as stream:
        writer_of(stream)("é" + "x" * 1_000_000)
        assert (tmp_path / "out").read_text() == "?" + "x" * 1_000_000
