"""The simulated phone as a program of its own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from support.process import Program, loopback

_numbers = itertools.count()


def ue(
    folder: Path,
    server: str,
    impi: str,
    *steps: str | int,
    password: str = "",
    options: Sequence[str] = (),
    local: str = "",
    prefix: Sequence[str] = (),
) -> Program:
    """A soft phone of domain ims.test that does these steps."""
    command = [*prefix, sys.executable, "-m", "libreims", "ue", "--server", server]
    command += ["--local", local or loopback(), "--impi", impi, "--domain", "ims.test"]
    command += ["--password", password, "--md5"] if password else []
    command += [*options, *map(str, steps)]
    return Program(command, folder / f"ue-{impi}-{next(_numbers)}.out", name=f"phone {impi}")
