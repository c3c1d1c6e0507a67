"""The server of the demo as a process: it is ours that has to be ready, not one that happens to answer."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from libreims.demo.cast import DemoError
from libreims.demo.server import ServerProcess
from libreims.net.port import Address
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from support.process import free_port

HOST = "127.0.0.1"


def process(tmp_path: Path, address: Address) -> ServerProcess:
    config = tmp_path / "ims.cfg"
    config.write_text(
        f'domain: "ims.test", sip_addr: "{address[0]}:{address[1]}", ipsec: false, ue_db: [],\n'
    )
    return ServerProcess(config, tmp_path / "ims.log", (address,))


async def test_it_starts_and_ends(tmp_path: Path) -> None:
    server = process(tmp_path, (HOST, free_port(HOST)))
    await server.start()
    assert any(line.startswith("Ready: 0 users") for line in server.output)
    assert await server.stop() == 0


async def test_another_server_on_its_address_is_not_taken_for_it(tmp_path: Path) -> None:
    network = SocketNetwork(asyncio.get_running_loop())

    def answer(data: bytes, remote: Address) -> None:
        request = parse(data)
        assert isinstance(request, Request)
        other.send(Response.to_request(request, 200, tag="other").encode(), remote)

    other = network.udp((HOST, 0), answer)
    server = process(tmp_path, other.local)
    with socket.socket() as listening:
        listening.bind(other.local)
        with pytest.raises(DemoError, match="another program uses this port"):
            await server.start()
    assert await server.stop() == 1
    other.close()
    network.close()
