"""`tools/run_tests.py`: peers from Debian, and what is said where they cannot be had."""

from __future__ import annotations

import pytest

import run_tests


class Machine:
    """Which programs there are, who we are, and what apt-get does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = {"apt-get"}
        self.user = 0
        self.installs = True
        self.asked: list[list[str]] = []
        monkeypatch.setattr(run_tests.shutil, "which", lambda name: name if name in self.programs else None)
        monkeypatch.setattr(run_tests.os, "geteuid", lambda: self.user)
        monkeypatch.setattr(run_tests, "_apt", self.apt)

    def apt(self, packages: list[str]) -> str:
        self.asked.append(packages)
        if not self.installs:
            return "apt-get failed (no network)"
        self.programs |= {
            program
            for program, needed in run_tests.DEBIAN_PACKAGES.items()
            if set(needed.split()) <= set(packages)
        }
        return "installed"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_nothing_is_done_where_everything_is_there(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.programs |= set(run_tests.DEBIAN_PACKAGES)
    run_tests.install_peers()
    assert machine.asked == []
    assert capsys.readouterr().err == ""


def test_root_gets_what_is_missing_and_nothing_else(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.programs.add("sipp")
    run_tests.install_peers()
    others = {name for names in run_tests.DEBIAN_PACKAGES.values() for name in names.split()} - {"sip-tester"}
    assert [set(packages) for packages in machine.asked] == [others]
    assert "skipped" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("user", "apt", "reason"),
    [(1000, True, "needs root"), (0, False, "no apt-get"), (0, True, "no network")],
)
def test_what_is_skipped_is_named_with_the_reason(
    machine: Machine, capsys: pytest.CaptureFixture[str], user: int, apt: bool, reason: str
) -> None:
    machine.user, machine.installs = user, False
    if not apt:
        machine.programs.clear()
    run_tests.install_peers()
    said = capsys.readouterr().err
    assert reason in said
    assert f"{', '.join(run_tests.DEBIAN_PACKAGES)} are skipped" in said
    assert "apt install sip-tester tshark baresip-core iproute2 kamailio" in said
