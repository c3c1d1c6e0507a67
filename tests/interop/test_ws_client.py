"""`libreims ws` as a program against the real server: authentication, TLS, events, what cannot be reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.certificates import Authority
from support.process import SOURCE, Server, free_port, serving
from support.terminal import Terminal
from support.ue_process import ue

CONFIG = """
domain: "ims.test", timer_t1: 0.5, timer_t2: 4, timer_t4: 5, echo: ["tel:666"],
log_options: "all.level=debug,all.max_size=1",
ue_db: [
  { imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] },
],
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "libreims", "ws", *map(str, arguments)]


def ws(*arguments: object, stdin: str = "", status: int = 0, **environment: str) -> tuple[list[Any], str]:
    """What it wrote, message by message, and what it complained of."""
    done = subprocess.run(
        command("--raw", *arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8"} | environment,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_messages_events_and_quit(tmp_path: Path) -> None:
    port = free_port("::1")
    with Server(tmp_path, f'com_addr: "[::1]:{port}", com_name: "LAB",{CONFIG}') as server:
        address = f"[::1]:{port}"
        more = '[{"message": "license", "message_id": 5}, {"message": "users_get"}]'
        answers, _ = ws(address, "config_get", "-", "nonsense", stdin=more, status=1)
        assert [each["message"] for each in answers] == ["config_get", "license", "users_get", "nonsense"]
        assert answers[0]["name"] == "LAB" and answers[1]["message_id"] == 5
        assert answers[2]["users"][0]["impi"] == "alice" and "message_id" not in answers[2]
        assert answers[3]["error"] == "Unknown message: nonsense"
        listener = subprocess.Popen(
            command(address, "--raw", "-e", "users_update", "-e", "dialog", "--count", 4, "--timeout", 20),
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        )
        server.wait_for_log('"message":"register"')
        with ue(tmp_path, server.address, "alice", "register", "call", "666", password="wonderland") as phone:
            output, _ = listener.communicate(timeout=25)
            phone.wait_for(r"\[ok\] call")
        events = [json.loads(line)["message"] for line in output.splitlines()]
        assert listener.returncode == 0 and len(events) == 4 and set(events) == {"users_update", "dialog"}
        ws(address, "dialog_get", "quit")
        assert server.wait() == 0
    _, complaint = ws(address, "config_get", status=3)
    assert f"no connection to {address}" in complaint


def test_tls_and_a_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files, own = authority.issue("server", "127.0.0.1"), authority.issue("client")
    port = free_port("127.0.0.1")
    config = f"""
    com_addr: "127.0.0.1:{port}", com_auth: {{ password: "open sesame" }},
    com_ssl_certificate: "{files.certificate}", com_ssl_key: "{files.key}",
    com_ssl_ca: "{authority.ca}", com_ssl_peer_verify: true, {CONFIG}
    """
    address = f"127.0.0.1:{port}"
    tls = ("--ca", authority.ca, "--cert", own.certificate, "--key", own.key)
    with serving(tmp_path, config) as server:
        answers, _ = ws(address, *tls, "license", LIBREIMS_PASSWORD="open sesame")
        assert answers[0]["message"] == "license"
        (tmp_path / "password").write_text("open sesame\n")
        ws(address, *tls, "--password-file", tmp_path / "password", "license")
        _, complaint = ws(address, *tls, "--password", "guess", "license", status=3)
        assert "does not accept the password" in complaint
        assert "wants a password" in ws(address, *tls, "license", status=3)[1]
        assert "does it want TLS (--ssl)?" in ws(address, "license", status=3)[1]
        assert "certificate" in ws(address, "--ca", authority.ca, "license", status=3)[1]
        assert "cannot be verified" in ws(address, *tls[2:], "license", status=3)[1]
        with Terminal(command(address, *tls, "license"), tmp_path, "dumb") as terminal:
            terminal.wait_for("Password of the remote API: ")
            terminal.type("open sesame\r")
            terminal.wait_for('"message": "license"')
            assert terminal.ended() == 0
            assert "sesame" not in terminal.text
        assert "open sesame" not in server.log_text
