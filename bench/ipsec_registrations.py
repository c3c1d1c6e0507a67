"""What a registration costs the server with IPsec, and without.

    PYTHONPATH=src:tests .venv/test-*/bin/python bench/ipsec_registrations.py [--phones 200] [--at-once 8]

Moves into a network of its own first: root, or an ordinary user where user namespaces and /dev/net/tun allow.
The server is the program, as shipped, in a process of its own; every phone registers with AKA and has an
address of its own.  With IPsec a registration is the agreement with its ports and associations, REGISTER and
401 in clear, REGISTER and 200 in ESP; then each phone refreshes, and leaves.  CPU is the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.net import private
from libreims.net.esp_tunnel import EspTunnel, open_tunnel
from libreims.net.sockets import SocketNetwork
from libreims.run import LoopClock
from support.lab import DOMAIN
from support.protected import ProtectedNetwork
from support.secure_phone import SecurePhone

SERVER = "10.45.0.1"
TICKS = os.sysconf("SC_CLK_TCK")


def hosts(count: int) -> list[str]:
    """Addresses of the phones."""
    return [f"10.45.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


class Phone(SecurePhone):
    """A scripted phone; all of them share a tunnel."""

    def __init__(self, lab: Any, number: int, host: str, shared: EspTunnel) -> None:
        super().__init__(lab, f"p{number}", host)
        self.tunnel = shared
        self.serial = itertools.count(1000 + 16 * number, 2)  # SPIs are those of the tunnel, not of the host
        self.server = self.peer_port = (SERVER, 5060)
        self.tokens = self.stack.tokens = Tokens()

    async def register(self, ipsec: bool) -> None:  # type: ignore[override]
        challenge = await self.ask()
        authorization = await self.enter(challenge) if ipsec else self.answer(challenge)
        assert (await self.confirm(authorization).final()).status == 200

    async def again(self, expires: str) -> None:
        assert (await self.refresh(Expires=expires)).status == 200


def config(folder: Path, count: int, ipsec: bool) -> Path:
    users = ",\n".join(
        f'{{ imsi: "0010100000{number:05d}", impi: "p{number}@{DOMAIN}", authent_type: "AKAv1", '
        f'K: "00112233445566778899aabbccddeeff", impu: ["p{number}"] }}'
        for number in range(count)
    )
    file = folder / "ims.cfg"
    file.write_text(
        f'{{ domain: "{DOMAIN}", sip_addr: ["{SERVER}"], ipsec: {str(ipsec).lower()}, '
        f'ipsec_tun_setup_script_filename: "{folder}/script", log_filename: "{folder}/ims.log",\n'
        f"ue_db: [{users}] }}"
    )
    return file


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds that the server has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(process: subprocess.Popen[bytes], count: int, at_once: int, ipsec: bool) -> None:
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop)
    shared = open_tunnel(
        hosts(count), loop=loop, log=Log.null().layer("ipsec"), tokens=Tokens(), utc=time.time
    )
    lab = SimpleNamespace(loop=clock, network=SocketNetwork(loop), inside=ProtectedNetwork(clock))
    lab.log_text = lambda: ""
    phones = [Phone(lab, number, host, shared) for number, host in enumerate(hosts(count))]
    for phone in phones:
        await phone.start()
    places = asyncio.Semaphore(at_once)
    steps = {
        "register": lambda phone: phone.register(ipsec),
        "refresh": lambda phone: phone.again("3600"),
        "leave": lambda phone: phone.again("0"),
    }
    for name, step in steps.items():

        async def one(phone: Phone, step: Any = step) -> None:
            async with places:
                await step(phone)

        used, began = cpu(process), time.perf_counter()
        await asyncio.gather(*map(one, phones))
        passed, used = time.perf_counter() - began, max(cpu(process) - used, 1 / TICKS)  # few phones: no tick
        print(f"{name:10} {1e6 * used / count:8.0f} {count / used:10.0f} {count / passed:12.0f}", flush=True)
    for phone in phones:
        phone.transport.close()
    shared.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--phones", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    options = parser.parse_args()
    try:
        private.enter([SERVER, *hosts(options.phones)])
    except (OSError, LibreImsError) as error:
        print(f"no network of its own: {error}", file=sys.stderr)
        return 1
    for ipsec in (False, True):
        with tempfile.TemporaryDirectory() as name:
            file = config(Path(name), options.phones, ipsec)
            process = subprocess.Popen(
                [sys.executable, "-m", "libreims", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            try:
                assert process.stdout is not None
                while b"Ready" not in (line := process.stdout.readline()):
                    assert line, "the server does not start"
                print(f"\n{'with' if ipsec else 'without'} IPsec  CPU us  a CPU second  a second")
                asyncio.run(measure(process, options.phones, options.at_once, ipsec))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
