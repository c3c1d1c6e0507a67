"""The monitor of the real program: on terminals, from a pipe, and without anybody."""

from __future__ import annotations

import re
import signal
import sys
import time
from pathlib import Path

import pytest

from support.process import SOURCE, Program, Server, cpu_seconds, loopback
from support.terminal import Terminal
from support.ue_process import ue

CONFIG = """
domain: "ims.test", no_such_name: 1, log_options: "all.level=info",
echo: ["tel:666"],
ue_db: [
  { imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] },
],
"""
PROMPT = "(ims) "


def on_terminal(folder: Path, term: str, typed_ahead: str = "", prefix: tuple[str, ...] = ()) -> Terminal:
    config = folder / "ims.cfg"
    config.write_text(f'sip_addr: "{loopback()}", log_filename: "ims.log", log_sync: true,{CONFIG}')
    return Terminal([*prefix, sys.executable, "-m", "libreims", config], folder, term, typed_ahead)


def ended_well(folder: Path) -> None:
    log = (folder / "ims.log").read_text()
    assert "# Ended on" in log and "Traceback" not in log, log


@pytest.mark.parametrize("term", ["dumb", "xterm", "screen"])
def test_a_terminal(tmp_path: Path, term: str) -> None:
    """Banner, warnings, prompt; lines typed ahead are carried out one after the other."""
    with on_terminal(tmp_path, term, "echo\ncevent help error\n") as terminal:
        at = 0
        for part in (
            "LibreIMS version ",
            "Warning: ",
            "unused property 'no_such_name'",
            "Ready: 1 users",
            PROMPT,
            "tel:666\n",
            PROMPT,
            "sip_timeout",
            PROMPT,
        ):
            at = terminal.wait_for(part, since=at)
        terminal.type("help mt_call\r")
        at = terminal.wait_for("Syntax: mt_call callee [-d duration] [sip_file] [caller]\n", since=at)
        terminal.type("mt_call 1001\r")
        at = terminal.wait_for("Error: impu: 1001 is not registered now\n", since=at)
        terminal.wait_for(PROMPT, since=at)
        terminal.type("quit\r")
        assert terminal.ended() == 0
        assert ("\x1b" in terminal.raw) is (term != "dumb")
        if term != "dumb":
            assert PROMPT in terminal.raw, "scripts look for it in what comes, escape sequences and all"
            assert terminal.raw.rindex("\x1b[?2004l") > terminal.raw.rindex("\x1b[?2004h")
    ended_well(tmp_path)


def test_completion_and_history(tmp_path: Path) -> None:
    with on_terminal(tmp_path, "xterm") as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("lic\t\r")
        at = terminal.wait_for("validity: unlimited")
        terminal.wait_for(PROMPT, since=at)
        terminal.type("\x1b[A\r")
        at = terminal.wait_for("validity: unlimited", since=at)
        terminal.wait_for(PROMPT, since=at)
        terminal.type("half a line\x03")
        terminal.type("\x04")
        at = terminal.wait_for("Type quit to end the program.", since=at)
        terminal.wait_for(PROMPT, since=at)
        terminal.type("\x03")  # on an empty line
        assert terminal.ended() == 0
    assert "+license\n" in (tmp_path / ".libreims_history").read_text()
    ended_well(tmp_path)


@pytest.mark.parametrize(
    ("term", "number"), [("dumb", signal.SIGTERM), ("xterm", signal.SIGINT), ("xterm", signal.SIGHUP)]
)
def test_signals_give_the_terminal_back(tmp_path: Path, term: str, number: signal.Signals) -> None:
    with on_terminal(tmp_path, term) as terminal:
        terminal.wait_for(PROMPT)
        terminal.signal(number)
        assert terminal.ended() == 0
        if term != "dumb":
            assert terminal.raw.rindex("\x1b[?2004l") > terminal.raw.rindex("\x1b[?2004h")
    ended_well(tmp_path)


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_that_is_closed_ends_it_in_order(tmp_path: Path, term: str) -> None:
    with on_terminal(tmp_path, term) as terminal:
        terminal.wait_for(PROMPT)
        terminal.hang_up()
        assert terminal.process.wait(10) == 0
    ended_well(tmp_path)


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_without_its_terminal_it_runs_on_where_that_is_wanted(tmp_path: Path, term: str) -> None:
    """`trap '' HUP`: the end of the terminal is the end of the monitor only, and nothing turns in circles."""
    with on_terminal(tmp_path, term, prefix=("sh", "-c", 'trap \'\' HUP; exec "$0" "$@"')) as terminal:
        terminal.wait_for(PROMPT)
        terminal.hang_up()
        time.sleep(0.3)
        used = cpu_seconds(terminal.process.pid)
        time.sleep(0.7)
        assert terminal.process.poll() is None
        assert cpu_seconds(terminal.process.pid) - used < 0.3
        terminal.signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 0
    ended_well(tmp_path)


def test_without_prompt_toolkit_there_are_plain_lines(tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ImportError('not installed')")
    with on_terminal(tmp_path, "xterm", prefix=("env", f"PYTHONPATH={tmp_path}:{SOURCE}")) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("echo\r")
        terminal.wait_for("tel:666\n")
        terminal.type("quit\r")
        assert terminal.ended() == 0
        assert "\x1b" not in terminal.raw
    ended_well(tmp_path)


def test_in_the_background_of_a_shell_it_runs_on(tmp_path: Path) -> None:
    """`libreims ims.cfg &`: it neither stops nor takes what is typed for the shell."""
    with on_terminal(
        tmp_path, "xterm", prefix=("bash", "--norc", "-m", "-c", '"$0" "$@" & cat; kill %1; wait')
    ) as shell:
        at = shell.wait_for("\n", since=shell.wait_for("(UDP and TCP)"))
        shell.type("quit\r")
        shell.wait_for("quit\nquit\n", since=at)  # the echo of the terminal, and that of cat
        shell.type("\x04")
        assert shell.ended() == 0
        assert PROMPT not in shell.text
    ended_well(tmp_path)


def test_commands_from_a_pipe(tmp_path: Path) -> None:
    with Server(tmp_path, CONFIG, typed=True) as server:
        server.type("echo\nlog file.rotate=250M,file.path=" + str(tmp_path) + "/")
        server.wait_for(r"file\.rotate=262144000,file\.path=")
        assert "\x1b" not in server.text
        assert f"{PROMPT}tel:666\n{PROMPT}ims.level=" in server.text
        server.type("quit")
        assert server.wait() == 0
    assert "# Ended on" in server.log_text


def test_a_call_to_a_phone(tmp_path: Path) -> None:
    with Server(tmp_path, CONFIG, typed=True) as server:
        steps = ("register", "listen", "expect-audio", 5, "expect-hangup")
        with ue(tmp_path, server.address, "alice", *steps, password="wonderland") as phone:
            server.wait_for_log("alice registered")
            server.type("users\nmt_call 1001 -d 3 '' Lab")
            server.wait_for(r"Session id: 00000001")
            assert re.search(r"IMPI: alice\n  SIP: sip:\S+\n    IMEI: .*\n    Prio: ", server.text)
            phone.wait_for(r"\[ok\] expect-audio")
            server.type("dialog")
            server.wait_for(r"0  00000001  mt call  start  Lab   tel:1001  \d")
            phone.wait_for(r"\[ok\] expect-hangup")
        server.type("quit")
        assert server.wait() == 0


def test_the_end_of_the_pipe_does_not_end_the_server(tmp_path: Path) -> None:
    with Server(tmp_path, CONFIG, typed=True) as server:
        server.type("echo")
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.wait_for(r"tel:666")
        used = server.cpu_seconds()
        time.sleep(0.5)
        assert server.cpu_seconds() - used < 0.25, "it turns in circles"
        server.finish()


@pytest.mark.parametrize("redirection", ["< /dev/null", "<&- >&-"])
def test_without_anybody(tmp_path: Path, redirection: str) -> None:
    config = tmp_path / "ims.cfg"
    config.write_text(f'sip_addr: "{loopback()}", log_filename: "ims.log", log_sync: true,{CONFIG}')
    command = f'exec "$0" -m libreims ims.cfg {redirection}'
    log = tmp_path / "ims.log"
    with Program(["sh", "-c", command, sys.executable], tmp_path / "server.out") as server:
        server.until(lambda: log.exists() and "started with" in log.read_text(), "to start", 20)
        time.sleep(0.2)
        assert server.stop() == 0 and PROMPT not in server.text
    ended_well(tmp_path)


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_that_nobody_reads_stops_neither_the_server_nor_its_end(tmp_path: Path, term: str) -> None:
    """The window of an ssh connection that hangs: what is shown stays in the pty until that is full."""
    with on_terminal(tmp_path, term, "cevent help msg\n" * 40) as terminal:
        log = tmp_path / "ims.log"
        end = time.monotonic() + 20
        while not (log.exists() and "started with" in log.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.5)
        terminal.signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 0
    ended_well(tmp_path)
