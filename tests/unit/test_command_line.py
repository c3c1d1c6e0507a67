"""`cli`: which part of the program is meant, and its exit status."""
# ruff: noqa: E501  messages are compared whole

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from libreims import __version__, cli

ROOT = Path(__file__).parents[2]


def test_version_help_and_wrong_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status in ((["--version"], 0), (["--help"], 0), ([], 2), (["--check", "--print", "x"], 2)):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == status
    shown = capsys.readouterr()
    assert f"LibreIMS version {__version__}\n" in shown.out
    assert "libreims demo" in shown.out


def test_check_and_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ims.cfg"
    path.write_text('domain: "d", sip_addr: "::1"')
    assert cli.main(["--check", str(path)]) == 0
    assert cli.main([str(path), "--print"]) == 0
    assert '"domain": "d"' in capsys.readouterr().out
    assert cli.main(["--check", str(tmp_path / "no.cfg")]) == 1
    path.write_text('domain: "d", sip_addr: "::1", com_addr: "[::]", com_auth: { passfile: "none" }')
    assert cli.main(["--check", str(path)]) == 1
    assert "cannot read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "module", "function", "passed"),
    [
        (["ue", "--help"], "libreims.ue.cli", "main", ["--help"]),
        (["ws", "h", "x"], "libreims.ws.cli", "main", ["h", "x"]),
        (["demo"], "libreims.demo", "main", []),
        (["docs", "x"], "libreims.config.docs", "main", ["x"]),
        (["ims.cfg"], "libreims.run", "run", "ims.cfg"),
    ],
)
def test_each_command_reaches_its_part(
    arguments: list[str], module: str, function: str, passed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def part(given: object) -> int:
        calls.append(given)
        return 7

    stand_in = types.ModuleType(module)
    setattr(stand_in, function, part)
    monkeypatch.setitem(sys.modules, module, stand_in)
    assert cli.main(arguments) == 7
    assert calls == [passed]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "src"))
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("mode", [[], ["--check"], ["--print"]], ids=["start", "check", "print"])
def test_output_without_room_is_one_line_and_an_exit_status(
    mode: list[str], buffered: str, tmp_path: Path
) -> None:
    path = tmp_path / "ims.cfg"
    path.write_text('domain: "d", sip_addr: "::1"')
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "libreims", *mode, str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(ROOT / "src"), PYTHONUNBUFFERED=buffered),
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (
        1,
        b"Error: the output cannot be written: No space left on device\n",
    )


def test_other_faults_of_the_system_are_not_taken_for_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(given: object) -> int:
        raise fault

    stand_in = types.ModuleType("libreims.demo")
    monkeypatch.setattr(stand_in, "main", part, raising=False)
    monkeypatch.setitem(sys.modules, "libreims.demo", stand_in)
    for fault in (OSError(errno.ENOSPC, "No space", "a file"), PermissionError(errno.EACCES, "no")):
        with pytest.raises(type(fault)):
            cli.main(["demo"])


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "ims.cfg"
    path.write_text("".join(f'name{number}: "{"x" * 100}",\n' for number in range(20_000)))
    program = start("-m", "libreims", "--print", str(path))
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait() == 1
    program.stderr.close()


def test_a_terminal_that_is_gone_misses_nothing() -> None:
    """What was still buffered for it (EIO) is no failure of what the program did."""
    near, far = os.openpty()
    code = (
        "import sys, types, libreims.cli as cli\n"
        "def main(arguments):\n"
        "    sys.stdin.read()\n"
        "    sys.stdout.write('prompt')\n"
        "    return 0\n"
        "sys.modules['libreims.demo'] = types.ModuleType('libreims.demo')\n"
        "sys.modules['libreims.demo'].main = main\n"
        "sys.exit(cli.main(['demo']))\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "src"), PYTHONUNBUFFERED="")
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=far, stderr=far, env=environment
    )
    os.close(far)
    os.close(near)
    assert program.stdin is not None
    program.stdin.close()
    assert program.wait(30) == 0


def test_little_is_loaded_to_say_the_version() -> None:
    code = (
        "import sys, libreims.cli\n"
        "print([m for m in ('asyncio', 'cryptography', 'libreims.config', 'libreims.server') if m in sys.modules])"
    )
    output, _ = start("-c", code).communicate()
    assert output.strip() == b"[]"
