"""Child processes of the demo, none of which outlives it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import libreims

_PATIENCE = 5.0
"""Seconds between asking a process to end and ending it."""


async def start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    """Run `libreims` with these arguments, in a session of its own: Ctrl-C reaches the demo alone."""
    environment = dict(os.environ)
    package = str(Path(libreims.__file__).parent.parent)
    paths = [package, environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "libreims",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        limit=1 << 20,
    )


async def stop(process: asyncio.subprocess.Process) -> int:
    """Ask a process to end, and end it when it does not; returns its exit status."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            process.kill()
    return await process.wait()
