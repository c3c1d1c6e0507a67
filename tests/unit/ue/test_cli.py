"""`libreims ue` from its command line, on real loopback sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.net.port import Address
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ServerTransaction
from libreims.ue.cli import main
from support.phones import OPC, K, RegistrarStub


class _Server:
    """A registrar on a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.address: Address = asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)

    async def _start(self) -> Address:
        self.network = SocketNetwork(self.loop)
        self.registrar = RegistrarStub(self.network, self.loop, ("127.0.0.1", 0))
        self.registrar.address = await self.registrar.transport.listen(("127.0.0.1", 0))
        return self.registrar.address

    def stop(self) -> None:
        async def end() -> None:
            self.registrar.stack.stop()
            self.registrar.transport.close()
            self.network.close()

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def server() -> Iterator[_Server]:
    one = _Server()
    yield one
    one.stop()


def arguments(server: _Server, *more: str) -> list[str]:
    where = f"127.0.0.1:{server.address[1]}"
    return ["--server", where, "--impi", "user@ims.test", *more]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_registers_with_a_sim_file(
    server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], transport: str
) -> None:
    sim = tmp_path / "sim"
    sim.write_text(f"sim_algo = milenage\nK = {K.hex()}\nopc = {OPC.hex()}\n")
    server.registrar.algorithm = "AKAv1-MD5"
    words = ("--sim", str(sim), "--transport", transport, "--ladder", "register", "deregister")
    assert main(arguments(server, *words)) == 0
    out = capsys.readouterr().out
    assert "[ok] register: registered with AKAv1-MD5 for 600000 s" in out
    assert "401 Unauthorized (REGISTER) AKAv1-MD5" in out
    assert "All 2 steps succeeded." in out
    assert K.hex() not in out and OPC.hex() not in out


def test_json_lines_end_with_a_summary(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(server, "--json", "register")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines][-1] == "summary"
    assert {"sip", "note", "step", "summary"} == {line["type"] for line in lines}
    assert lines[-1]["ok"] is True and lines[-1]["failed"] is None
    # It has left in order.
    assert server.registrar.registers[-1].expires == 0


def test_a_failed_step_is_explained_and_is_the_exit_status(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.registrar.algorithm = "MD5"
    assert main(arguments(server, "--md5", "--password", "wrong", "register", "wait", "1")) == 1
    out = capsys.readouterr().out
    assert "[FAILED] register: 401" in out
    assert "Failed at `register`" in out and "is the password or K right?" in out
    assert "wrong" not in out


def test_trace_prints_whole_messages(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(server, "--trace", "register")) == 0
    out = capsys.readouterr().out
    assert "REGISTER sip:ims.test SIP/2.0" in out and "CSeq: 1 REGISTER" in out


def test_many_phones(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(server, "--count", "20", "--rate", "200", "register")) == 0
    out = capsys.readouterr().out
    assert "register: 20 ok, 0 failed" in out
    # Without digits in the user part the number is put behind it.
    identities = {request.from_.uri.user for request in server.registrar.registers}
    assert identities == {"user", *(f"user{number}" for number in range(1, 20))}


def test_an_imsi_gives_identities_and_domain(server: _Server) -> None:
    where = f"127.0.0.1:{server.address[1]}"
    assert main(["--server", where, "--imsi", "001010000000001", "register"]) == 0
    request = server.registrar.registers[0]
    # TS 23.003 §13.2 to §13.4B, two-digit MNC.
    assert request.uri == "sip:ims.mnc001.mcc001.3gppnetwork.org"
    assert request.from_.uri_text == "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"


def test_an_address_that_is_not_ours_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--impi", "a@b", "--local", "192.0.2.1", "register"]) == 1
    assert "libreims ue:" in capsys.readouterr().err


def test_help_explains_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "call TARGET [video] [text]" in out and "exit status: 0" in out


def test_what_a_phone_can_do_in_calls(server: _Server) -> None:
    invites: list[Request] = []

    def busy(transaction: ServerTransaction) -> None:
        invites.append(transaction.request)
        transaction.respond(Response.to_request(transaction.request, 486, tag="b"))

    server.registrar.other = busy
    assert main(arguments(server, "--precondition", "--session-expires", "600", "call", "1")) == 1
    assert main(arguments(server, "--100rel", "call", "1")) == 1
    assert main(arguments(server, "call", "1")) == 1
    assert [each.get("Supported") for each in invites] == ["100rel, precondition, timer", "100rel", None]
    assert [each.get("Session-Expires") for each in invites] == ["600;refresher=uac", None, None]
    assert [b"a=des:qos mandatory local sendrecv" in each.body for each in invites] == [True, False, False]


def test_a_session_timer_of_less_than_nothing(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(server, "--session-expires", "-5", "register")) == 2
    assert "--session-expires" in capsys.readouterr().err
