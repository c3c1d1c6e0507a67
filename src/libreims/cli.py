"""The command `libreims` (and `lteims`): which part of the program is meant.

Everything is imported where it is needed: `libreims --version` must not load a SIP server.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from libreims import __version__

if TYPE_CHECKING:
    from libreims.config.schema import Settings
    from libreims.config.source import Diagnosis
    from libreims.config.tree import Obj

_EPILOG = """\
other commands:
  libreims demo     two simulated phones register, text and call each other: shows that it works
  libreims ue ...   a simulated phone; see libreims ue --help
  libreims ws ...   sends messages to the remote API of a running server; see libreims ws --help
  libreims docs     for developers: write docs/configuration.md and docs/compatibility.md anew

exit status: 0 when all went well, 1 when the configuration or the machine stands
against it, 2 for wrong arguments
"""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a full disk, or a terminal that is gone, does to our output; other files say their names."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (those of the process by default); returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _COMMANDS.get(arguments[0]) if arguments else None
    try:
        status = command(arguments[1:]) if command is not None else _server(arguments)
        _write_the_rest()
        return status
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        with contextlib.suppress(OSError):
            print(f"Error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        _let_output_go()


def _write_the_rest() -> None:
    """What is buffered still; a terminal that is gone misses nothing. Raises OSError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def _let_output_go() -> None:
    """Who read our output may have seen enough, a terminal may be gone: no complaint about it at the end."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where it was closed from the beginning
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _server(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.check:
        from libreims.api import files
        from libreims.config.check import check

        return check(options.config, others=files.problems, doubt=_doubt)
    if options.print:
        from libreims.config.check import print_merged

        return print_merged(options.config)
    from libreims.run import run

    return run(options.config)


def _doubt(settings: Settings, tree: Obj, diagnosis: Diagnosis) -> None:
    """Look at `sim_events`, where there are any: that takes most parts of the server."""
    if settings.sim_events:
        from libreims.api import rehearsal

        rehearsal.doubt(settings, tree, diagnosis)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="libreims",
        usage="libreims [--check | --print] CONFIG\n       libreims demo\n       libreims ue ...\n"
        "       libreims ws ADDRESS MESSAGE...",
        description="LibreIMS, an IMS server for LTE and 5G: P-CSCF, I-CSCF, S-CSCF, HSS and SMS centre\n"
        "in one program. Runs in the foreground, takes commands (try help), ends on quit, SIGINT or SIGTERM.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration file, config/ims.cfg for example")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only tell what is wrong with the configuration")
    mode.add_argument(
        "--print", action="store_true", help="only print the configuration as JSON, evaluated and merged"
    )
    parser.add_argument("--version", action="version", version=f"LibreIMS version {__version__}")
    return parser


def _ue(arguments: list[str]) -> int:
    from libreims.ue.cli import main as ue

    return ue(arguments)


def _ws(arguments: list[str]) -> int:
    from libreims.ws.cli import main as ws

    return ws(arguments)


def _demo(arguments: list[str]) -> int:
    from libreims.demo import main as demo

    return demo(arguments)


def _docs(arguments: list[str]) -> int:
    from libreims.config.docs import main as docs

    return docs(arguments)


_COMMANDS: dict[str, Callable[[list[str]], int]] = {"ue": _ue, "ws": _ws, "demo": _demo, "docs": _docs}
