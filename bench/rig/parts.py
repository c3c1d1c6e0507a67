"""What other programs of this folder measure: the media relay and the SIP codec."""

from __future__ import annotations

import re
import subprocess

from rig.figures import table
from rig.servers import BENCH

_RELAY = re.compile(
    r"(\w+) +([\d.]+) us CPU/packet +loss ([\d.]+) % +wrong (\d+) +latency p50 (\d+) p99 (\d+) us"
)
_CODEC = re.compile(r" +(.+?) +([\d.]+) us")
_NAMES = {"relay": "LibreIMS, media relay", "loop": "bare loop of `recvfrom_into` and `sendto` in Python"}


def relay(python: str, rounds: int, seconds: float) -> list[str]:
    """The chapter on relayed RTP packets."""
    said = _run(python, "relay.py", "--rounds", str(rounds), "--seconds", str(seconds))
    found = _RELAY.findall(said)
    if not found:
        return [said.strip()]
    head = ("relay", "CPU µs per packet", "loss %", "changed packets", "latency µs, median", "99 %")
    rows = [(_NAMES[name], *figures) for name, *figures in found]
    *_, last = said.strip().splitlines()
    return [f"{said.splitlines()[0]}.", "", *table(head, sorted(rows)), "", f"{last}."]


def codec(python: str) -> list[str]:
    """The chapter on parsing and serialising."""
    rows: list[tuple[str, str]] = []
    message = ""
    for line in _run(python, "codec.py").splitlines()[1:]:
        figure = _CODEC.fullmatch(line)
        if figure is None:
            message = line.replace("bytes", "octets")
        else:
            rows.append((f"{message}: {figure[1]}", figure[2]))
    return table(("message", "µs"), rows)


def _run(python: str, program: str, *arguments: str) -> str:
    done = subprocess.run(
        [python, str(BENCH / program), *arguments], capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise SystemExit(f"bench/{program}: {done.stderr}")
    return done.stdout
