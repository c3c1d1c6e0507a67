"""The server of the demo, as a child process that is asked with OPTIONS whether it is ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

from libreims.base.tokens import Tokens
from libreims.demo import child
from libreims.demo.cast import DemoError
from libreims.net.address import bracketed, text
from libreims.net.port import Address
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse

_READY = 10.0
"""Seconds that the server may take to answer."""
_POLL = 0.1


class ServerProcess:
    """`libreims CONFIG` beside us."""

    def __init__(self, config: Path, log: Path, addresses: tuple[Address, ...]) -> None:
        self._config = config
        self._log = log
        self._addresses = addresses
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.output: list[str] = []

    async def start(self) -> None:
        """Start it and wait until it answers on every address. Raises DemoError."""
        self._process = await child.start([str(self._config)])
        self._reader = asyncio.create_task(self._read(self._process))
        for address in self._addresses:
            await self._answers(address)
        await self._ready()

    async def _ready(self) -> None:
        """Until it says so itself: what answers might be another server, on which ours has just failed."""
        try:
            async with asyncio.timeout(_READY):
                while not any(line.startswith("Ready: ") for line in self.output):
                    self._check_running()
                    await asyncio.sleep(_POLL / 10)
        except TimeoutError:
            raise DemoError(f"the server is not ready after {_READY:.0f} s") from None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.output.append(line.decode(errors="replace").rstrip())

    async def _answers(self, address: Address) -> None:
        network = SocketNetwork(asyncio.get_running_loop())
        answered = asyncio.Event()

        def received(data: bytes, _: Address) -> None:
            try:
                if isinstance(parse(data), Response):
                    answered.set()
            except SipParseError:
                return

        sock = network.udp((address[0], 0), received)
        tokens = Tokens()
        try:
            async with asyncio.timeout(_READY):
                while not answered.is_set():
                    self._check_running()
                    sock.send(_options(address, sock.local, tokens), address)
                    try:
                        await asyncio.wait_for(answered.wait(), _POLL)
                    except TimeoutError:
                        continue
        except TimeoutError:
            raise DemoError(f"the server does not answer on {text(address)} after {_READY:.0f} s") from None
        finally:
            sock.close()
            network.close()

    def _check_running(self) -> None:
        if self._process is not None and self._process.returncode is not None:
            said = "\n  ".join(self.output) or "nothing"
            raise DemoError(f"the server ended with status {self._process.returncode}; it said:\n  {said}")

    async def stop(self) -> int:
        """End it in order; returns its exit status."""
        if self._process is None:
            return 0
        status = await child.stop(self._process)
        if self._reader is not None:
            await self._reader
        return status

    def sentences(self, count: int) -> list[str]:
        """The last lines of its log that are sentences: no messages, no dumps."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            return [f"the log cannot be read: {error}"]
        wanted = [
            line for line in lines if line[:2].isdigit() and "[SIP]" not in line and "[MEDIA]" not in line
        ]
        return wanted[-count:]


def _options(server: Address, local: Address, tokens: Tokens) -> bytes:
    uri = f"sip:{bracketed(server[0])}:{server[1]}"
    headers = [
        ("Via", f"SIP/2.0/UDP {text(local)};rport;branch={tokens.branch()}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:demo@{bracketed(local[0])}>;tag={tokens.tag()}"),
        ("To", f"<{uri}>"),
        ("Call-ID", tokens.call_id()),
        ("CSeq", "1 OPTIONS"),
    ]
    return Request.build("OPTIONS", uri, headers).encode()
