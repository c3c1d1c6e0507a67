"""`tools/environment.py`: what makes the environment, without a network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

import environment
from environment import PIP, PIP_SHA256, ROOT, Plan, SetupError, ensure, plan


def test_the_vendored_pip_is_the_one_that_was_reviewed() -> None:
    assert hashlib.sha256(PIP.read_bytes()).hexdigest() == PIP_SHA256
    notice = (ROOT / "tools" / "vendor" / "README.md").read_text()
    assert PIP.name in notice
    assert PIP_SHA256 in notice


def test_plans_come_from_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run, test = plan("run"), plan("test")
    assert run.required == tuple(project["dependencies"])
    assert set(test.required) > set(run.required)
    assert any(requirement.startswith("pytest") for requirement in test.required)


def test_a_changed_requirement_asks_for_a_new_environment() -> None:
    assert Plan("run", ("a>=1",), ()).key == Plan("run", ("a>=1",), ()).key
    assert Plan("run", ("a>=1",), ()).key != Plan("run", ("a>=2",), ()).key
    assert Plan("run", ("a",), ("b",)).key != Plan("run", ("a", "b"), ()).key


class Lab:
    """`ensure` with everything that takes time replaced by a note of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.steps: list[str] = []
        self.failing = ""
        self.system = False
        self.bases = (folder / "first", folder / "second")
        monkeypatch.setattr(environment, "_bases", lambda: self.bases)
        monkeypatch.setattr(environment, "_create", self.create)
        monkeypatch.setattr(environment, "_pip", self.pip)
        monkeypatch.setattr(environment, "_system_has_cryptography", lambda: self.system)

    def create(self, folder: Path, *options: str) -> None:
        self.steps.append(" ".join(("create", *options)))
        (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        (folder / "setup.log").write_text("")

    def pip(self, folder: Path, log: Path, step: str, requirements: tuple[str, ...]) -> None:
        self.steps.append(step)
        if self.failing and self.failing in step:
            raise SetupError(f"{step} failed: on purpose\nWhat to do: nothing")


RUN = "cryptography, aiohttp, prompt_toolkit"
"""What the program itself is made of."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    return Lab(monkeypatch, tmp_path)


def test_it_is_made_once(lab: Lab) -> None:
    python = ensure("run")
    assert lab.steps == ["create", f"installing {RUN}", "installing uvloop"]
    assert python.is_relative_to(lab.bases[0])
    source = next(python.parent.parent.glob("lib/python3.*/site-packages/libreims-src.pth"))
    assert source.read_text() == f"{ROOT / 'src'}\n"
    assert ensure("run") == python
    assert len(lab.steps) == 3


def test_an_interrupted_one_is_made_anew(lab: Lab) -> None:
    lab.failing = "cryptography"
    with pytest.raises(SetupError):
        ensure("run")
    rubbish = next(lab.bases[0].glob("run-*")) / "rubbish"
    rubbish.write_text("")
    lab.failing = ""
    assert (ensure("run").parent.parent / "ready").exists()
    assert not rubbish.exists()


def test_an_old_one_is_removed_but_not_that_of_the_other_kind(lab: Lab) -> None:
    old, other = lab.bases[0] / "run-0000", lab.bases[0] / "test-0000"
    old.mkdir(parents=True)
    other.mkdir()
    ensure("run")
    assert not old.exists()
    assert other.exists()


def test_without_the_optional_packages_it_goes_on(lab: Lab) -> None:
    lab.failing = "uvloop"
    assert (ensure("run").parent.parent / "ready").exists()


def test_the_cryptography_of_the_system_is_the_way_out(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.failing, lab.system = "cryptography", True
    assert (ensure("run").parent.parent / "ready").exists()
    assert lab.steps == ["create", f"installing {RUN}", "create --system-site-packages"]
    said = capsys.readouterr().err
    assert "What to do" not in said
    assert "the remote API needs python3-aiohttp" in said


def test_tests_do_not_run_with_half_of_their_tools(lab: Lab) -> None:
    lab.failing, lab.system = "pytest", True
    with pytest.raises(SetupError):
        ensure("test")


def test_a_repository_that_cannot_be_written_uses_the_cache(lab: Lab) -> None:
    lab.bases[0].write_text("a file where the folder should be")
    assert ensure("run").is_relative_to(lab.bases[1])
    lab.bases[1].rename(lab.bases[1].with_name("gone"))
    lab.bases[1].write_text("")
    with pytest.raises(SetupError, match="can be written"):
        ensure("run")


def test_a_place_that_cannot_be_looked_at_is_none(lab: Lab) -> None:
    """The folder of another user, say: here a name that no file system takes."""
    lab.bases = (lab.bases[0].with_name("x" * 300), lab.bases[1])
    assert ensure("run").is_relative_to(lab.bases[1])


def test_a_damaged_pip_is_not_run(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "pip.whl"
    damaged.write_bytes(b"not pip")
    monkeypatch.setattr(environment, "PIP", damaged)
    with pytest.raises(SetupError, match="is damaged"):
        ensure("run")
    monkeypatch.setattr(environment, "PIP", tmp_path / "missing.whl")
    with pytest.raises(SetupError, match="cannot read"):
        ensure("run")
    assert lab.steps == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("WARNING: Retrying (Retry(total=1)): ...\nERROR: No matching distribution", "cannot be reached"),
        ("ERROR: No matching distribution found for x\nmore", "No matching distribution found for x"),
        ("Killed", "Killed"),
    ],
)
def test_a_failure_tells_what_to_do(output: str, expected: str) -> None:
    text = environment._why_pip_failed("installing x", output)
    assert expected in text
    assert "What to do" in text
    assert "python3-cryptography" in text


@pytest.mark.parametrize("requirement", ["name", "name>=1", "name[extra]>=1", "name ; python_version > '3'"])
def test_the_name_in_a_requirement(requirement: str) -> None:
    assert environment._bare(requirement) == "name"


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n', "has Python 3.9.2"),
        ("", "has no python3"),
    ],
)
@pytest.mark.parametrize("command", ["libreims", "test"])
def test_an_old_python_or_none_is_told(command: str, python: str, expected: str, tmp_path: Path) -> None:
    for tool in ("sh", "dirname", "readlink"):
        (tmp_path / tool).symlink_to(
            next(p for p in (Path("/usr/bin") / tool, Path("/bin") / tool) if p.exists())
        )
    if python:
        (tmp_path / "python3").write_text(python)
        (tmp_path / "python3").chmod(0o755)
    result = subprocess.run(
        [str(tmp_path / "sh"), str(ROOT / command)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "needs Python 3.11 or newer" in result.stderr
    assert expected in result.stderr
    assert "apt install python3" in result.stderr


def test_the_commands_can_be_started() -> None:
    for name in ("libreims", "test", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK)
