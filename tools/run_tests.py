"""What `./test` does: sets up, checks the code, runs every test; with arguments runs pytest only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from environment import ROOT, SetupError, ensure, say

DEBIAN_PACKAGES = {
    "sipp": "sip-tester",
    "tshark": "tshark",
    "baresip": "baresip-core",
    "ip": "iproute2",
    "kamailio": "kamailio kamailio-ims-modules",
    "linux.uml": "user-mode-linux",
    "modprobe": "kmod",
}
"""Programs that interoperability tests need, and the Debian packages of each."""
APT_SECONDS = 240
TEST_SECONDS = 1200
"""All tests together take a small part of this; more means that one hangs."""
EVERYTHING = ["-v", "--no-header", "-p", "no:cacheprovider", "-n", "3", "--dist", "loadfile"]
"""What pytest gets without arguments of ours.

-v takes back the -q of pyproject.toml: the closing line then has its full form.  Tests with real peers
mostly wait, so three files at a time do not need three cores; those of one file share what is dear to start.
"""


def install_peers() -> None:
    """Install missing peers from Debian where that is possible, else say which tests will be skipped."""
    missing = [program for program in DEBIAN_PACKAGES if shutil.which(program) is None]
    if not missing:
        return
    packages = [package for program in missing for package in DEBIAN_PACKAGES[program].split()]
    if os.geteuid() != 0:
        reason = "installing needs root"
    elif shutil.which("apt-get") is None:
        reason = "there is no apt-get"
    else:
        say(f"installing Debian packages {', '.join(packages)}; this happens once and needs the network")
        reason = _apt(packages)
    missing = [program for program in missing if shutil.which(program) is None]
    if missing:
        names = " ".join(DEBIAN_PACKAGES[program] for program in missing)
        say(f"{reason}: tests that need {', '.join(missing)} are skipped (as root: apt install {names})")


def _apt(packages: list[str]) -> str:
    """Install `packages`; returns why it did not work, in a few words."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "-qq", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "update"]
    install = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages]
    for command in (update, install):
        try:
            result = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=APT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{' '.join(command[:1])} took longer than {APT_SECONDS} s"
        if result.returncode:
            lines = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
            return f"apt-get failed ({lines[-1]})"
    return "apt-get installed the packages without these programs"


def checks(python: Path) -> dict[str, list[str]]:
    """Everything that looks at the code without running it, by name."""
    tools = python.parent
    return {
        "ruff check": [str(tools / "ruff"), "check", "."],
        "ruff format": [str(tools / "ruff"), "format", "--check", "."],
        "mypy": [str(tools / "mypy")],
        "mypy tools": [str(tools / "mypy"), "--strict", "tools/environment.py", "tools/run_tests.py"],
        "import contracts": [str(tools / "lint-imports"), "--no-cache"],
    }


def run_checks(python: Path) -> list[str]:
    """Run all checks, show the output of those that fail, return their names."""
    failed = []
    for name, command in checks(python).items():
        begin = time.monotonic()
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"{name}: {verdict} ({time.monotonic() - begin:.1f} s)", flush=True)
        if result.returncode:
            failed.append(name)
            print(result.stdout + result.stderr, flush=True)
    return failed


def main() -> int:
    """Exit status 0 only if every check and every test passed."""
    arguments = sys.argv[1:]
    try:
        python = ensure("test")
    except SetupError as error:
        say(f"{error}")
        return 1
    if not arguments:
        install_peers()
    failed = [] if arguments else run_checks(python)
    tests = run_pytest(python, arguments)
    if failed:
        print(f"checks that failed before the tests: {', '.join(failed)}", flush=True)
    return tests or (1 if failed else 0)


def run_pytest(python: Path, arguments: list[str]) -> int:
    """Run pytest with `arguments`, or everything; returns its exit status."""
    command = [str(python), "-m", "pytest", *(arguments or EVERYTHING)]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=TEST_SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        print(
            f"the tests took longer than {TEST_SECONDS} s and were ended; the last one shown hangs",
            flush=True,
        )
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
