"""The server as a process: start, end, signals, and what it says when it cannot start."""

from __future__ import annotations

import re
import signal
import socket
import time
from pathlib import Path

import pytest

from support.process import Server, loopback, serving
from support.ue_process import ue

USERS = """
domain: "ims.test", timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
log_options: "all.level=debug,all.max_size=1",
echo: ["tel:666"],
ue_db: [
  { imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] },
  { imsi: "001010000000002", impi: "bob", pwd: "builder", impu: ["sip:bob", "tel:1002"] },
],
"""
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def many_users(count: int) -> str:
    """A user database as operators have it, about 360 octets a user."""
    entries = "".join(
        f"""  {{
    sim_algo: "milenage", /* test SIM {number} */
    imsi: "00101{number:010d}",
    K: "00112233445566778899aabb{number:08x}",
    opc: "8baf473f2f8fd09487cccbd7{number:08x}",
    amf: 0x9001, sqn: "000000000000",
    impi: "00101{number:010d}@ims.test",
    impu: ["sip:00101{number:010d}", "tel:{100000 + number}", "tel:+3363{number:07d}"],
    authent_type: "AKAv1",
    multi_sim: false, pdn_list: [{{ access_point_name: "ims", pdn_type: "ipv4", default: true }}],
  }},
"""
        for number in range(1, count + 1)
    )
    return f'domain: "ims.test", ue_db: [\n{entries}],\n'


@pytest.mark.parametrize(("count", "seconds"), [(10, 1.0), (10_000, 5.0)])
def test_start_is_quick(tmp_path: Path, count: int, seconds: float) -> None:
    """CPU time, so that a busy machine is no failure."""
    with serving(tmp_path, many_users(count)) as server:
        used = server.cpu_seconds()
        assert f"Ready: {count} users, SIP on {server.address} (UDP and TCP)" in server.text
        assert used < seconds


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it(tmp_path: Path, number: int) -> None:
    with Server(tmp_path, USERS) as server:
        begin = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - begin < 2
        assert "Traceback" not in server.text


def test_the_log_has_a_head_and_a_tail(tmp_path: Path) -> None:
    with serving(tmp_path, USERS) as server:
        pass
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    pattern = (
        r"# ims version \S+\n# Log file format:\n# time layer dir id message\n"
        rf"# Started on {when}\n(.* \[IPSEC\] -    - .*\n)?"
        r"\d\d:\d\d:\d\d\.\d{3} \[IMS\] -    - started with 2 users.*\n"
        rf"# Ended on {when}\n"
    )
    assert re.fullmatch(pattern, server.log_text)


@pytest.mark.parametrize("number", SIGNALS)
def test_calls_that_are_on_are_ended_with_bye(tmp_path: Path, number: int) -> None:
    with Server(tmp_path, USERS) as server:
        listener = ue(
            tmp_path, server.address, "bob", "register", "listen", "expect-hangup", password="builder"
        )
        with listener:
            server.wait_for_log("bob registered")
            steps = ("register", "call", "1002", "expect-audio", 10, "expect-hangup")
            with ue(tmp_path, server.address, "alice", *steps, password="wonderland") as caller:
                caller.wait_for(r"\[ok\] expect-audio")
                begin = time.monotonic()
                assert server.stop(number) == 0
                assert time.monotonic() - begin < 2
                for phone in (caller, listener):
                    phone.wait_for(r"\[ok\] expect-hangup")
    log = server.log_text
    assert len(re.findall(r"\[SIP\] TO .* BYE ", log)) == 2
    assert len(re.findall(r"\[SIP\] FROM .* 200 OK \(BYE\)", log)) == 2
    assert "Server shutdown" in log
    assert len(re.findall(r"closed \S+: received", log)) == 2


def test_a_phone_that_is_gone_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """Nobody answers the BYE."""
    with Server(tmp_path, USERS) as server:
        steps = ("register", "call", "666", "wait", 60)
        with ue(tmp_path, server.address, "alice", *steps, password="wonderland") as phone:
            phone.wait_for(r"\[ok\] call")
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 3
        assert "# Ended on" in server.log_text


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Server(tmp_path, USERS) as server:
        steps = ("register", "call", "666", "wait", 60)
        with ue(tmp_path, server.address, "alice", *steps, password="wonderland") as phone:
            phone.wait_for(r"\[ok\] call")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log(r"\[SIP\] TO .* BYE ")
        begin = time.monotonic()
        assert server.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - begin < 0.5


def test_it_starts_again_at_once_on_the_same_address(tmp_path: Path) -> None:
    """Connections of the one before, in TIME-WAIT, do not stand against it."""
    host = loopback()
    for _ in range(2):
        with (
            Server(tmp_path, USERS, host=host) as server,
            socket.create_connection((host, 5060)) as connection,
        ):
            connection.sendall(b"\r\n\r\n")
            assert connection.recv(10) == b"\r\n"
            server.finish()


def refused(folder: Path, properties: str, host: str = "") -> str:
    """What it says when it does not start; the exit status has to be 1."""
    with Server(folder, properties, host=host, wait=False) as server:
        assert server.wait() == 1
        assert "Traceback" not in server.text
        return server.text


def test_a_bad_configuration(tmp_path: Path) -> None:
    text = refused(tmp_path, 'domain: "ims.test",\nbinding_expires: -1,\ntimer_t1: "soon",\n')
    assert re.search(r"ims\.cfg:4:\d+.*binding_expires", text)
    assert re.search(r"ims\.cfg:5:\d+.*timer_t1", text)


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    text = refused(tmp_path, 'include "nothing.cfg",')
    assert re.search(r"ims\.cfg:3:\d+.*nothing\.cfg", text)
    assert re.search(r"ims\.cfg:4:\d+", refused(tmp_path, "domain: [\n}"))


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with serving(tmp_path, USERS) as server:
        folder = tmp_path / "second"
        folder.mkdir()
        text = refused(folder, USERS, server.host)
    assert f"Error: sip_addr {server.address}: Address already in use" in text


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    text = refused(tmp_path, USERS, "192.0.2.1")
    assert "Error: sip_addr 192.0.2.1:5060: Cannot assign requested address" in text


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """Calls matter more than their log: it says so and serves."""
    with Server(tmp_path, USERS + '\nlog_filename: "nowhere/ims.log",') as server:
        said = r"cannot open log file .*/nowhere/ims\.log \(log_filename\): No such file or directory"
        assert re.search(said, server.text)
        assert server.stop() == 0
