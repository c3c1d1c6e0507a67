"""Lines from pipes, files and plain terminals: real descriptors, no server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.monitor import lines as lines_module
from libreims.monitor.lines import AHEAD, LONGEST, LineConsole
from libreims.monitor.output import Output


class Written(Output):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.text = ""
        self.closed = False

    def write(self, text: str) -> None:
        self.text += text

    async def written(self, text: str) -> None:
        self.write(text)

    def close(self, seconds: float = 1.0) -> None:
        self.closed = True


@pytest.fixture
def output() -> Written:
    return Written()


class Ends:
    """Two descriptors, each closed once."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader = reader
        self.writer = writer
        self._open = {reader, writer}

    def write(self, data: bytes) -> int:
        return os.write(self.writer, data)

    def hang_up(self) -> None:
        self._close(self.writer)

    def close(self) -> None:
        for each in tuple(self._open):
            self._close(each)

    def _close(self, end: int) -> None:
        self._open.remove(end)
        os.close(end)


@pytest.fixture
def pipe() -> Iterator[Ends]:
    ends = Ends(*os.pipe())
    yield ends
    ends.close()


async def read(console: LineConsole) -> str | None:
    return await asyncio.wait_for(console.read(), 5)


async def test_lines_typed_ahead(pipe: Ends, output: Written) -> None:
    pipe.write("one\r\n\ntwo \u00e9\npart".encode())
    console = LineConsole(pipe.reader, output)
    assert await read(console) == "one"
    assert await read(console) == ""
    await console.write("done")
    assert await read(console) == "two \u00e9"
    pipe.write(b"ly\n")
    assert await read(console) == "partly"
    assert output.text == "(ims) (ims) done\n(ims) (ims) "
    console.close()
    assert output.text.endswith("(ims) \n") and output.closed


async def test_the_end_of_a_pipe(pipe: Ends, output: Written) -> None:
    pipe.write(b"one\nlast")
    pipe.hang_up()
    console = LineConsole(pipe.reader, output)
    assert await read(console) == "one"
    assert await read(console) == "last"
    assert await read(console) is None
    assert await read(console) is None
    console.close()


async def test_a_pipe_that_is_closed_while_it_is_waited_for(pipe: Ends, output: Written) -> None:
    console = LineConsole(pipe.reader, output)
    waiting = asyncio.create_task(console.read())
    await asyncio.sleep(0)
    pipe.hang_up()
    assert await asyncio.wait_for(waiting, 5) is None
    console.close()
    assert output.text == "(ims) \n"


async def test_nothing_is_said_without_anybody_to_type(output: Written) -> None:
    """As a service: standard input is /dev/null, which epoll refuses."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    console = LineConsole(descriptor, output)
    assert await read(console) is None
    console.close()
    os.close(descriptor)
    assert output.text == ""


async def test_a_file_of_commands(tmp_path: Path, output: Written) -> None:
    (tmp_path / "commands").write_text("one\ntwo\n")
    descriptor = os.open(tmp_path / "commands", os.O_RDONLY)
    console = LineConsole(descriptor, output)
    assert [await read(console), await read(console), await read(console)] == ["one", "two", None]
    console.close()
    os.close(descriptor)


async def test_a_line_without_end_is_dropped(pipe: Ends, output: Written) -> None:
    console = LineConsole(pipe.reader, output)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, pipe.write, b"x" * (LONGEST + 1))
    await loop.run_in_executor(None, pipe.write, b"\nquit\n")
    lines = [await read(console), await read(console)]
    assert lines[-1] == "quit" and len(lines[0] or "") < LONGEST
    assert "A line of more than" in output.text
    console.close()


async def test_a_writer_that_is_too_fast_waits(pipe: Ends, output: Written) -> None:
    os.set_blocking(pipe.writer, False)
    console = LineConsole(pipe.reader, output)
    written = 0
    for _ in range(50):
        with contextlib.suppress(BlockingIOError):
            written += pipe.write(b"\n" * 4096)
        await asyncio.sleep(0)
    assert written < 50 * 4096, "somebody had to wait"
    for _ in range(written):
        assert await read(console) == ""
    pipe.write(b"end\n")
    assert await read(console) == "end"
    assert written > AHEAD
    console.close()


@pytest.fixture
def terminal() -> Iterator[Ends]:
    """A pty that is not the controlling terminal of the tests; the operator writes."""
    before = signal.getsignal(signal.SIGTTIN)
    operator, program = pty.openpty()
    ends = Ends(program, operator)
    yield ends
    signal.signal(signal.SIGTTIN, before)
    ends.close()


async def test_a_plain_terminal(terminal: Ends, output: Written) -> None:
    console = LineConsole(terminal.reader, output)
    terminal.write(b"one\ntwo\n")
    assert [await read(console), await read(console)] == ["one", "two"]
    end = termios.tcgetattr(terminal.reader)[6][termios.VEOF]
    assert isinstance(end, bytes)
    terminal.write(end)
    assert await read(console) == ""
    assert output.text.endswith("Type quit to end the program.\n")
    console.close()


async def test_a_terminal_that_has_gone(terminal: Ends, output: Written) -> None:
    console = LineConsole(terminal.reader, output)
    terminal.hang_up()
    assert await read(console) is None
    console.close()


async def test_the_terminal_of_a_shell_is_left_alone_in_the_background(
    terminal: Ends, output: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = [-1]
    monkeypatch.setattr(lines_module.os, "tcgetpgrp", lambda descriptor: owner[0])
    terminal.write(b"for the shell\n")
    console = LineConsole(terminal.reader, output)
    waiting = asyncio.create_task(console.read())
    await asyncio.sleep(0.05)
    assert not waiting.done() and output.text == ""
    owner[0] = os.getpgrp()
    os.kill(os.getpid(), signal.SIGCONT)
    assert await asyncio.wait_for(waiting, 5) == "for the shell"
    # Into the background again: what comes is not ours.
    second = asyncio.create_task(console.read())
    await asyncio.sleep(0)
    owner[0] = -1
    terminal.write(b"not for us\n")
    await asyncio.sleep(0.05)
    assert not second.done()
    second.cancel()
    console.close()


async def test_notices_do_not_spoil_the_prompt(pipe: Ends, output: Written) -> None:
    console = LineConsole(pipe.reader, output)
    console.notice("early")
    waiting = asyncio.create_task(console.read())
    await asyncio.sleep(0)
    console.notice("the disk is full")
    assert output.text == "early\n(ims) \nthe disk is full\n(ims) "
    waiting.cancel()
    console.close()
