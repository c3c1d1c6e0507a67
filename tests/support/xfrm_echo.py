"""A program for a guest: UDP and TCP behind its kernel's IPsec, all of it sent back turned round.

    python xfrm_echo.py ASSOCIATIONS

ASSOCIATIONS is a file that `write` has made. UDP is answered on all local ports, TCP on the even ones; a
datagram to an odd one has it open a TCP connection from there, and it is sent back over that.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from libreims.net.port import Address, DatagramSocket, Stream, TcpOptions
from libreims.net.tunnel import SecurityAssociation
from support.xfrm import XfrmTunnel

READY = "echo is ready"
"""File that appears when everything is set up."""


def write(file: Path, associations: Iterable[SecurityAssociation]) -> None:
    """Write associations, as the guest sees them."""
    file.write_text(json.dumps([asdict(a) for a in associations], default=bytes.hex))


def read(file: Path) -> list[SecurityAssociation]:
    made = []
    for fields in json.loads(file.read_text()):
        for name in ("local", "remote"):
            fields[name] = tuple(fields[name])
        for name in ("authentication_key", "encryption_key"):
            fields[name] = bytes.fromhex(fields[name])
        made.append(SecurityAssociation(**fields))
    return made


class Turned:
    """One TCP connection: what comes is sent back, octets turned round, each line for itself."""

    def __init__(self, stream: Stream | None = None) -> None:
        self.stream = stream
        self._data = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._data = (self._data + data).split(b"\n")
        assert self.stream is not None
        for line in lines:
            self.stream.send(line[::-1] + b"\n")

    def closed(self, error: Exception | None) -> None:
        """Nothing is kept of it."""


class Echo:
    """Everything that answers at one address and port."""

    def __init__(self, tunnel: XfrmTunnel, local: Address) -> None:
        self.tunnel = tunnel
        self.local = local
        self.socket: DatagramSocket = tunnel.network.udp(local, self.datagram)

    async def listen(self) -> None:
        await self.tunnel.network.tcp_listen(self.local, Turned, TcpOptions)

    def datagram(self, data: bytes, source: Address) -> None:
        if self.local[1] % 2 == 0:
            self.socket.send(data[::-1], source)
            return
        handler = Turned()
        handler.stream = self.tunnel.network.tcp_connect(
            self.local[0], source, handler, TcpOptions(), local_port=self.local[1]
        )
        handler.stream.send(data[::-1] + b"\n")


async def main(file: Path) -> None:
    tunnel = XfrmTunnel(asyncio.get_running_loop())
    associations = read(file)
    tunnel.install(associations)
    for local in {association.local: None for association in associations}:
        echo = Echo(tunnel, local)
        if local[1] % 2 == 0:
            await echo.listen()
    Path(READY).touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
