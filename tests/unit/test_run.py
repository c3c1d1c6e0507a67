"""What keeps the program from starting is said on the console, with exit status 1."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from libreims.run import ipsec_hosts, run


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "ims.cfg"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('domain: "ims.test", sip_addr: [', "ims.cfg:1:"),
        ('domain: "ims.test", timer_t1: "soon"', "timer_t1"),
        ('domain: "ims.test"', "sip_addr is not set"),
        (
            'domain: "ims.test", sip_addr: "192.0.2.77"',
            "sip_addr 192.0.2.77:5060: Cannot assign requested address; it is no address of this machine",
        ),
        (
            'domain: "ims.test", sip_addr: ["127.0.0.1:0", {addr: "127.0.0.1:45060"}, "127.0.0.1:45060"]',
            "it is in sip_addr twice",
        ),
        ('domain: "ims.test", sip_addr: "127.0.0.1", log_options: "sip.level=loud"', "loud"),
    ],
)
def test_faults_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    log = f', log_filename: "{tmp_path}/ims.log"'
    assert run(config(tmp_path, text + (log if not text.endswith("[") else ""))) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ((("hmac-sha-1-96", "aes-cbc"),), ", IPsec for 127.0.0.1, ::1"),
        ((), ", no algorithms for IPsec"),
    ],
)
def test_ready_says_where_there_is_ipsec(pairs: tuple[tuple[str, str], ...], said: str) -> None:
    agreements = SimpleNamespace(hosts=frozenset({"::1", "127.0.0.1"}), offer=SimpleNamespace(pairs=pairs))
    assert ipsec_hosts(agreements) == said  # type: ignore[arg-type]
    assert ipsec_hosts(None) == ""


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "missing.cfg")) == 1
    assert "missing.cfg" in capsys.readouterr().err


def test_what_is_odd_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(config(tmp_path, f'domain: "ims.test", log_filename: "{tmp_path}/ims.log", no_such_name: 1')) == 1
    )
    assert "no_such_name" in capsys.readouterr().out
    assert "unused property 'no_such_name'" in (tmp_path / "ims.log").read_text()


def test_a_file_of_registrations_that_cannot_be_used_keeps_the_server_from_starting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "ims.db"
    state.write_text("something else")
    text = (
        f'domain: "ims.test", sip_addr: "127.0.0.1:0", log_filename: "{tmp_path}/ims.log", '
        'ue_db_filename: "ims.db"'
    )
    assert run(config(tmp_path, text)) == 1
    said = capsys.readouterr()
    assert f"Error: ue_db_filename {state}: the file was not written by LibreIMS" in said.err
    assert "Ready" not in said.out
    assert state.read_text() == "something else"
