"""CPU per relayed RTP packet: the media relay beside a bare epoll loop, in the same run.

    python bench/relay.py [--rate 20000] [--calls 100] [--seconds 3] [--rounds 5]

Needs a C compiler for the generator (`rtpload.c`), Linux (/proc) and better two cores: the relay gets the
first, the generator the last.  Rounds alternate between the two, the median counts; compare ratios within
a run only.  CPU time is all of the relay's process, kernel included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
A_PORT, B_PORT = 40000, 40002
KINDS = ("loop", "relay")


def serve_loop(calls: int) -> None:
    """The least that a relay in Python can do: no counters, no errors, no timers, fixed addresses."""
    epoll = select.epoll()
    table = {}
    pairs = [(_socket(), _socket()) for _ in range(calls)]
    for a, b in pairs:
        for here, there, destination in ((a, b, B_PORT), (b, a, A_PORT)):
            epoll.register(here.fileno(), select.EPOLLIN)
            table[here.fileno()] = (here.recvfrom_into, there.sendto, (HOST, destination))
    _ready([(a.getsockname()[1], b.getsockname()[1]) for a, b in pairs])
    buffer = bytearray(2048)
    view = memoryview(buffer)
    while True:
        for descriptor, _ in epoll.poll(-1, 512):
            receive, send, destination = table[descriptor]
            try:
                size, _ = receive(buffer)
                send(view[:size], destination)
            except BlockingIOError:
                pass


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


def serve_relay(calls: int) -> None:
    """The relay as the server runs it."""
    sys.path.insert(0, str(HERE.parent / "src"))
    from libreims.base.log import Log
    from libreims.base.tokens import Tokens
    from libreims.media.relay import MediaRelay, bridge
    from libreims.net.sockets import SocketNetwork

    async def main() -> None:
        loop = asyncio.get_running_loop()
        relay = MediaRelay(SocketNetwork(loop), loop, Log.null().layer("media"), Tokens())
        ports = []
        for _ in range(calls):
            a, b = relay.open(HOST, 10000, 20000), relay.open(HOST, 10000, 20000)
            a.set_remote((HOST, A_PORT), (HOST, A_PORT + 1))
            b.set_remote((HOST, B_PORT), (HOST, B_PORT + 1))
            bridge(a, b)
            ports.append((a.local[1], b.local[1]))
        gc.freeze()
        _ready(ports)
        await asyncio.Event().wait()

    asyncio.run(main())


def _ready(ports: list[tuple[int, int]]) -> None:
    print(" ".join(f"{a} {b}" for a, b in ports), flush=True)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and kernel."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure(kind: str, generator: Path, options: argparse.Namespace) -> dict[str, float]:
    """One round of one kind."""
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, str(Path(__file__)), "--serve", kind, "--calls", str(options.calls)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            os.sched_setaffinity(server.pid, {cores[0]})
            assert server.stdout is not None
            ports = server.stdout.readline()
            before = cpu_seconds(server.pid)
            done = subprocess.run(
                [
                    generator,
                    str(A_PORT),
                    str(B_PORT),
                    str(options.rate),
                    str(options.seconds),
                    str(options.size),
                ],
                input=ports,
                capture_output=True,
                text=True,
                check=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}),
            )
            spent = cpu_seconds(server.pid) - before
        finally:
            server.kill()
    result = json.loads(done.stdout)
    result["cpu"] = spent / result["received"] * 1e6
    result["loss"] = 1 - result["received"] / result["sent"]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=20000, help="packets per second offered")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--size", type=int, default=172, help="octets of a packet (172: 20 ms of G.711)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            {"loop": serve_loop, "relay": serve_relay}[options.serve](options.calls)
        return 0
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("skipped: no C compiler for the generator (Debian: apt install gcc libc6-dev)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generator = Path(folder) / "rtpload"
        subprocess.run([compiler, "-O2", "-o", generator, HERE / "rtpload.c"], check=True)
        rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind in KINDS:
                rounds[kind].append(measure(kind, generator, options))
    print(
        f"{options.calls} calls, {options.rate} packets/s of {options.size} octets, {options.rounds} rounds"
    )
    cost = {}
    for kind, results in rounds.items():
        median = {name: statistics.median(each[name] for each in results) for name in results[0]}
        cost[kind] = median["cpu"]
        print(
            f"{kind:6} {median['cpu']:6.2f} us CPU/packet  loss {100 * median['loss']:.3f} %  "
            f"wrong {median['wrong']:.0f}  latency p50 {median['p50']:.0f} p99 {median['p99']:.0f} us"
        )
    print(f"relay / bare loop: {cost['relay'] / cost['loop']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
