"""Makes the virtual environment that LibreIMS runs in, then becomes LibreIMS.

Needs nothing but Python 3.11 and its standard library: no pip, no ensurepip, no root, no compiler.
Environments lie in `.venv/` of the repository (in the user's cache folder where that cannot be written),
named by a hash of what is in them, so that a changed requirement makes a new one.  The file `ready` is
written last: an environment without it was interrupted and is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = ROOT / "tools" / "vendor" / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
FORMAT = "1"
"""Part of every hash: change it when environments are made in another way."""

_OFFLINE = ("NewConnectionError", "NameResolutionError", "ConnectTimeout", "Retrying (Retry", "ProxyError")
"""Signs in pip's output that it reached nobody."""


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


@dataclass(frozen=True)
class Plan:
    """What an environment is made of: packages that must be there and packages that may."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def key(self) -> str:
        """Hash of everything that the environment depends on."""
        python = f"{sys.version_info.major}.{sys.version_info.minor} {os.path.realpath(sys.executable)}"
        parts = (FORMAT, *self.required, "", *self.optional, python, str(ROOT))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def plan(name: str) -> Plan:
    """The plan `run` (the program alone) or `test` (with everything that tests need), from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required, extras = project["dependencies"], project["optional-dependencies"]
    if name == "test":
        required = required + extras["dev"]
    return Plan(name, tuple(required), tuple(extras["fast"]))


def ensure(name: str) -> Path:
    """The Python of the environment `name`, which is made first where it is missing."""
    wanted = plan(name)
    for base in _bases():
        ready = base / f"{name}-{wanted.key}" / "ready"
        if os.path.exists(ready):  # ready.exists() raises where the folder is closed to us
            return ready.parent / "bin" / "python"
    writable = [base for base in _bases() if _writable(base)]
    if not writable:
        places = " nor ".join(str(base) for base in _bases())
        raise SetupError(f"neither {places} can be written: run it once as a user who can write there")
    base = writable[0]
    with _lock(base):
        folder = base / f"{name}-{wanted.key}"
        if not (folder / "ready").exists():
            _make(folder, wanted)
            _remove_others(base, folder)
    return folder / "bin" / "python"


def _bases() -> tuple[Path, Path]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    return ROOT / ".venv", cache / "libreims" / checkout


def _writable(base: Path) -> bool:
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(base, os.W_OK)


@contextlib.contextmanager
def _lock(base: Path) -> Iterator[None]:
    """One set-up at a time; the lock goes away with its process.

    Child processes keep it too: when this one is killed, its pip must not meet that of the next set-up.
    """
    with open(base / "lock", "w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running here, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """A line about the set-up, apart from what the program itself prints."""
    print(f"LibreIMS set-up: {text}", file=sys.stderr, flush=True)


def _make(folder: Path, wanted: Plan) -> None:
    begin = time.monotonic()
    if folder.exists():
        say("the last set-up did not finish, starting again")
        shutil.rmtree(folder)
    say(f"first use, making the environment in {folder}; this happens once and needs the network")
    _check_pip()
    try:
        _create(folder)
        log = folder / "setup.log"
        _pip(folder, log, "installing " + ", ".join(map(_bare, wanted.required)), wanted.required)
    except SetupError as error:
        if not _system_has_cryptography() or wanted.name != "run":
            raise
        say(str(error).splitlines()[0])
        say("going on with the packages that the system has; the remote API needs python3-aiohttp")
        shutil.rmtree(folder)
        _create(folder, "--system-site-packages")
    else:
        with contextlib.suppress(SetupError):
            _pip(folder, log, "installing " + ", ".join(map(_bare, wanted.optional)), wanted.optional)
    packages = next((folder / "lib").glob("python3.*/site-packages"))
    (packages / "libreims-src.pth").write_text(f"{ROOT / 'src'}\n")
    (folder / "ready").write_text(f"{wanted}\n")
    say(f"done in {time.monotonic() - begin:.0f} s")


def _create(folder: Path, *options: str) -> None:
    step = "creating a virtual environment"
    command = [sys.executable, "-I", "-m", "venv", "--without-pip", *options, str(folder)]
    with Progress(step):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        detail = (result.stderr or result.stdout).strip()
        raise SetupError(f"{step} failed: {detail}\nOn Debian: apt install python3 libpython3-stdlib")


def _check_pip() -> None:
    try:
        found = hashlib.sha256(PIP.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(f"cannot read {PIP}: {error.strerror}; get the repository anew") from None
    if found != PIP_SHA256:
        raise SetupError(
            f"{PIP} is damaged: its SHA-256 is {found}, not {PIP_SHA256}; get the repository anew"
        )


def _bare(requirement: str) -> str:
    for position, char in enumerate(requirement):
        if not (char.isalnum() or char in "-_."):
            return requirement[:position]
    return requirement


def _pip(folder: Path, log: Path, step: str, requirements: tuple[str, ...]) -> None:
    command = [
        str(folder / "bin" / "python"),
        str(PIP / "pip"),
        "install",
        "--no-input",
        "--progress-bar=off",
    ]
    command += [
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--retries=2",
        "--timeout=20",
        *requirements,
    ]
    # pip would take the wish for a system-wide or user folder from these; this is neither.
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    with Progress(step), open(log, "a") as output:
        result = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            close_fds=False,
            check=False,
        )
    if result.returncode:
        raise SetupError(_why_pip_failed(step, log.read_text(errors="replace")))


def _why_pip_failed(step: str, output: str) -> str:
    if any(sign in output for sign in _OFFLINE):
        reason = "the network or the package index cannot be reached."
    else:
        errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[
            -3:
        ]
        reason = "pip reports:\n  " + "\n  ".join(errors[:3])
    return (
        f"{step} failed: {reason}\n"
        "What to do: connect this machine to the network (a proxy goes in the variable https_proxy) and "
        "start again,\nor, on Debian and Ubuntu, apt install python3-cryptography python3-aiohttp and start "
        "again."
    )


def _system_has_cryptography() -> bool:
    probe = "import cryptography as c; assert int(c.__version__.split('.')[0]) >= 38"
    command = [sys.executable, "-I", "-c", probe]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _remove_others(base: Path, folder: Path) -> None:
    """Environments of the same kind that no longer fit."""
    kind = folder.name.partition("-")[0]
    for other in base.glob(f"{kind}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


class Progress:
    """Shows a step and, when it is over, how long it took; counts seconds meanwhile on a terminal."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._begin = 0.0
        self._over = threading.Event()
        self._counter = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> None:
        self._begin = time.monotonic()
        if sys.stderr.isatty():
            self._counter.start()
        else:
            say(f"{self._step} ...")

    def __exit__(self, *_: object) -> None:
        if self._counter.is_alive():
            self._over.set()
            self._counter.join()
            self._show("    \n")

    def _count(self) -> None:
        while not self._over.is_set():
            self._show(" ...")
            self._over.wait(1)

    def _show(self, end: str) -> None:
        seconds = time.monotonic() - self._begin
        print(f"\rLibreIMS set-up: {self._step}, {seconds:.0f} s{end}", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Become `python -m libreims` with the arguments given."""
    try:
        python = ensure("run")
    except SetupError as error:
        say(f"{error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next start begins again")
        return 130
    os.execv(python, [str(python), "-P", "-m", "libreims", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
