"""The command `libreims demo`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from libreims.base.errors import LibreImsError
from libreims.config.source import ConfigErrors
from libreims.demo import stage, story
from libreims.demo.actor import Actor
from libreims.demo.cast import Cast, can_bind, prepare
from libreims.demo.place import Place, find, loopback
from libreims.demo.server import ServerProcess
from libreims.net.address import text

_LOG_LINES = 15


def main(argv: Sequence[str] | None = None) -> int:
    """Play the demo; returns 0 only when all of it really happened."""
    parser = argparse.ArgumentParser(
        prog="libreims demo",
        description="Starts the server and two simulated phones on this machine. They register, through "
        "IPsec where this machine lets them, text and call each other, and call an echo. Shows the messages "
        "and says whether it worked. Takes about 10 seconds.",
        allow_abbrev=False,
    )
    parser.add_argument("--keep", action="store_true", help="keep the log file when all went well, too")
    parser.add_argument("--no-ladder", action="store_true", help="do not print the messages")
    parser.add_argument("--no-ipsec", action="store_true", help="play without IPsec, on loopback")
    options = parser.parse_args(argv)
    directory = Path(tempfile.mkdtemp(prefix="libreims-demo-"))
    try:
        # Before the event loop: a process that moves to another network may have one thread only.
        place = _place(ipsec=not options.no_ipsec)
        ok = asyncio.run(_demo(directory, place, ladder=not options.no_ladder))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nstopped; nothing is left running", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        return 130
    if ok and not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        _forget_keys(directory)
        stage.say(f"Configuration and log: {directory}")
    return 0 if ok else 1


def _place(*, ipsec: bool) -> Place:
    ipv6 = can_bind(("::1", 0))
    if not ipsec:
        return loopback("it was switched off with --no-ipsec", ipv6=ipv6)
    try:
        return find(ipv6)
    except LibreImsError as error:
        return loopback(str(error), ipv6=ipv6)


def _forget_keys(directory: Path) -> None:
    for sim in directory.glob("*.sim"):
        sim.unlink()


async def _demo(directory: Path, place: Place, *, ladder: bool) -> bool:
    began = time.monotonic()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        cast = prepare(directory, place)
    except (LibreImsError, ConfigErrors, OSError) as error:
        stage.say(f"VERDICT: it failed. {error}")
        return False
    for line in stage.setting(cast):
        stage.say(line)
    stage.say(f"Starting the server on {' and '.join(map(text, cast.servers))} ...")
    server = ServerProcess(cast.config, cast.log, cast.servers)
    a, b = Actor(cast.a, directory, stage.tell), Actor(cast.b, directory, stage.tell)
    failure = await _play(cast, server, a, b)
    if ladder and (a.lines or b.lines):
        stage.say("")
        stage.show_ladder(a, b)
    stage.say("")
    if failure:
        stage.say(f"VERDICT: it failed. {failure}")
        stage.say("What the server logged last:")
        for sentence in server.sentences(_LOG_LINES):
            stage.say(f"  {sentence}")
        return False
    stage.say(stage.verdict(cast, a, b, time.monotonic() - began))
    return True


async def _play(cast: Cast, server: ServerProcess, a: Actor, b: Actor) -> str:
    """Play and clean up; returns what went wrong, or nothing."""
    failure = ""
    try:
        await server.start()
        stage.say("The server is ready. Two simulated phones begin:")
        await story.play(cast, a, b)
        failure = "; ".join(story.judge(cast, a, b))
    except (LibreImsError, OSError) as error:
        failure = str(error)
    finally:
        await asyncio.shield(_stop(a, b))
        status = await asyncio.shield(server.stop())
    if not failure and status:
        failure = f"the server ended with status {status}: {'; '.join(server.output[-5:])}"
    return failure


async def _stop(a: Actor, b: Actor) -> None:
    await asyncio.gather(a.stop(), b.stop())
