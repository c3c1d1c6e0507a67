"""The demo, for real: the server and two phones as processes, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import libreims
from support.hosts import ipsec_missing

_ROOT = str(Path(libreims.__file__).parent.parent)


def _demo(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": _ROOT, "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-m", "libreims", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        # A shell gives what it runs in the background SIGINT ignored, and a program keeps that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _until_ready(process: subprocess.Popen[str]) -> str:
    """What it says until its server stands."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("The server is ready"):
            return said
    raise AssertionError(said)


def _left(tmp_path: Path) -> list[str]:
    """Command lines of processes that belong to a demo of this directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(tmp_path) in command:
            found.append(command)
    return found


def test_two_phones_register_talk_hold_and_hear_the_echo(tmp_path: Path) -> None:
    process = _demo(tmp_path)
    begun = _until_ready(process)  # where both are on loopback it has a port by then
    other = _demo(tmp_path, "--no-ipsec", "--no-ladder")
    rest, _ = process.communicate(timeout=60)
    out = begun + rest
    assert "VERDICT: it works" in out, out
    assert process.returncode == 0
    without, _ = other.communicate(timeout=60)
    assert "VERDICT: it works" in without and "it was switched off with --no-ipsec" in without, without
    assert other.returncode == 0
    lines = out.splitlines()
    ladder = [line for line in lines if "|" in line]
    for message in (
        "REGISTER",
        "401 Unauthorized (REGISTER) AKAv1-MD5",
        "RP-DATA",
        "SUBMIT 1/2 'S",
        "DELIVER 2/2",
        "SUBMIT 'Yes!'",
        "202 Accepted (MESSAGE)",
        "RP-ACK",
        "INVITE tel:1002",
        "180 Ringing",
        "INVITE audio sendonly",
        "200 OK (INVITE) audio recvonly",
        "INVITE audio sendrecv",
        "BYE",
        "INVITE tel:666",
        "packets of our own voice came back",
    ):
        assert any(message in line for line in ladder), message
    if ipsec_missing():
        assert "The phones have no IPsec here: " in out
    else:
        assert "both through IPsec (A " in out
        in_clear = [line for line in ladder if "---" in line or "- " in line]
        assert len(in_clear) == 4 and all("REGISTER" in line for line in in_clear)
    assert _left(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = _demo(tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if "phone B" in line:
            break
    assert _left(tmp_path) != []
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, out
    assert "nothing is left running" in out
    end = time.monotonic() + 5
    while _left(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert _left(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
