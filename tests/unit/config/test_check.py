"""`config.check`: `--check` and `--print`."""
# ruff: noqa: E501  messages are compared whole

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from libreims.config.check import check, print_merged


def write(directory: Path, text: str) -> str:
    path = directory / "ims.cfg"
    path.write_text(text)
    return str(path)


def run(command: object, path: str) -> tuple[int, str, str]:
    assert callable(command)
    output, errors = io.StringIO(), io.StringIO()
    status = command(path, output, errors)
    return status, output.getvalue(), errors.getvalue()


def test_a_good_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'sip_addr: "::1", domain: "d",\nodd: 1, ue_db: [{ imsi: "001010000000001" }]')
    assert run(check, path) == (
        0,
        f"Warning: {path}:2: unused property 'odd'\n{path}: ok, 1 user, 1 warning\n",
        "",
    )


def test_a_bad_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'sip_addr: "::1", domain: "d",\nlog_sync: 5, cx_watchdog_duration: -1')
    status, output, errors = run(check, path)
    assert status == 1
    assert errors == (
        f"Error: {path}:2:1: log_sync: true or false expected, not 5\n"
        f"Error: {path}:2:14: cx_watchdog_duration: -1 is out of range: 0 to 36000000\n"
        f"{path}: 2 errors\n"
    )
    assert output == f"Warning: {path}:2: property 'cx_watchdog_duration': not implemented yet\n"


def test_a_file_without_an_address_to_listen_on(tmp_path: Path) -> None:
    path = write(tmp_path, 'domain: "d"')
    status, _, errors = run(check, path)
    assert (status, "sip_addr is not set" in errors) == (1, True)


def test_what_other_parts_of_the_program_find_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, 'sip_addr: "::1", domain: "d", com_name: "x"')
    output, errors = io.StringIO(), io.StringIO()
    status = check(path, output, errors, others=lambda settings: [f"name {settings.com_name}", "two"])
    assert status == 1
    assert errors.getvalue() == f"Error: {path}: name x\nError: {path}: two\n{path}: 2 errors\n"


def test_print_shows_what_the_files_say_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "more.cfg").write_text("b: { y: 2 }, list: [1, 2],")
    path = write(
        tmp_path,
        '#define N 2\ndomain: "d" + N, b: { x: N * 3.5 }, "100rel": 1,\ninclude "more.cfg",\nlist: [9], z: 1+2*I, n: null,',
    )
    status, output, errors = run(print_merged, path)
    assert (status, errors) == (0, "")
    assert json.loads(output) == {
        "domain": "d2",
        "b": {"x": 7, "y": 2},
        "100rel": 1,
        "list": [9, 2],
        "z": "1+2*I",
        "n": None,
    }


def test_print_needs_no_right_values_but_right_language(tmp_path: Path) -> None:
    assert run(print_merged, write(tmp_path, "ipsec_mtu: 1"))[0] == 0
    path = write(tmp_path, "a: {}\nb: @")
    assert run(print_merged, path) == (
        1,
        "",
        f"Warning: {path}:1: missing ',' added\nError: {path}:2:4: value expected, not '@'\n",
    )


def test_print_keeps_to_what_the_terminal_can_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ims.cfg"
    path.write_text('domain: "é"', encoding="utf-8")
    assert run(print_merged, str(path))[1] == '{\n  "domain": "\\u00e9"\n}\n'
    assert print_merged(str(path)) == 0
    assert json.loads(capsys.readouterr().out) == {"domain": "é"}
