"""`libreims ws`: its command line, and what it writes."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from libreims.base.errors import LibreImsError
from libreims.ws.address import parse_address
from libreims.ws.connection import Connection, Tls, Unreachable
from libreims.ws.exchange import Exchange, LateError, Wishes
from libreims.ws.messages import Frame, Message, read_messages

PASSWORD = "LIBREIMS_PASSWORD"
"""Environment variable with the password."""
ANSWER_SECONDS = 60.0
"""How long answers may take where nothing says that they take long."""
FAILED, WRONG, TROUBLE = 1, 2, 3

_EPILOG = f"""\
A MESSAGE is JSON, or an array of messages sent as one frame; a bare name such as config_get; @FILE; or - for
the standard input. All are sent at once, in this order; what comes is written as it comes.

The password, where the server wants one, comes from --password-file, from the environment variable
{PASSWORD}, or is asked for on a terminal. What --password gives is seen by everybody who lists processes.

examples:
  libreims ws 127.0.0.1 config_get
  libreims ws 127.0.0.1:9003 '{{"message": "mt_call", "impu": "1008", "duration": 10}}'
  libreims ws [::1]:9003 -e users_update -e dialog
  libreims ws ims.example --ca ca.pem --raw - < messages.json

exit status: 0 when every answer came without error, 1 when one was an error, 2 for wrong arguments,
3 when there is no connection, or answers or events did not come in time
"""


def main(argv: Sequence[str], stdin: TextIO | None = None) -> int:
    """Run the client; returns the exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(list(argv))
    wishes = Wishes(tuple(options.event), options.listen, options.count, options.timeout)
    try:
        frames = read_messages(options.messages, stdin or sys.stdin)
        if not frames and not wishes.goes_on:
            parser.error("a MESSAGE is needed, or --listen")
        tls = Tls(options.ca, options.cert, options.key, options.insecure)
        address = parse_address(options.address, tls=options.ssl or tls != Tls())
        password = _password(options)
        exchange = Exchange(frames, _bounded(wishes, frames), _writer(options.raw))
    except LibreImsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return WRONG
    try:
        asyncio.run(_talk(exchange, Connection(address, tls, password)))
    except (Unreachable, LateError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return TROUBLE
    except LibreImsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return (FAILED if exchange.failed else 0) if wishes.goes_on else 130
    return FAILED if exchange.failed else 0


async def _talk(exchange: Exchange, connection: Connection) -> None:
    async with connection:
        await exchange.run(connection)


def _bounded(wishes: Wishes, frames: list[Frame]) -> Wishes:
    """Do not wait for ever for a server that is stuck; but events and messages for later take their time."""
    messages = [each for frame in frames for each in (frame if isinstance(frame, list) else [frame])]
    later = any(each.get("start_time") or each.get("loop_count") for each in messages)
    if wishes.timeout is not None or wishes.goes_on or later:
        return wishes
    return Wishes(timeout=ANSWER_SECONDS)


def _writer(raw: bool) -> Callable[[Message], None]:
    def write(message: dict[str, Any]) -> None:
        layout: dict[str, Any] = {"separators": (",", ":")} if raw else {"indent": 2}
        print(json.dumps(message, ensure_ascii=not _any_character(sys.stdout), **layout), flush=True)

    return write


def _any_character(output: TextIO) -> bool:
    return (output.encoding or "").lower().replace("-", "") == "utf8"


def _password(options: argparse.Namespace) -> Callable[[], str | None]:
    """Where the password comes from, when one is wanted. Raises LibreImsError."""
    given: str | None = options.password
    if options.password_file:
        try:
            with open(options.password_file, encoding="utf-8") as file:
                given = file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            text = getattr(error, "strerror", None) or error
            raise LibreImsError(f"--password-file {options.password_file} cannot be read: {text}") from error
    if given is None:
        given = os.environ.get(PASSWORD)

    def ask() -> str | None:
        if given is not None or not sys.stderr.isatty():
            return given
        try:
            return getpass.getpass("Password of the remote API: ")
        except EOFError:
            return None

    return ask


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="libreims ws",
        usage="libreims ws [options] ADDRESS MESSAGE...",
        description="Sends messages to the remote API of a running server and writes the answers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("address", metavar="ADDRESS", help="HOST, HOST:PORT (9003 by default), [::1]:9003, wss://HOST")
    add("messages", metavar="MESSAGE", nargs="*", help="what to send")
    add("-l", "--listen", action="store_true", help="go on after the answers and write what comes")
    add(
        "-e", "--event", metavar="NAME", action="append", default=[], help="register for an event, and listen"
    )
    add("--count", metavar="N", type=_count, default=0, help="stop after so many events")
    add("--timeout", metavar="SECONDS", type=_seconds, help="for the answers, or how long to listen")
    add("--raw", action="store_true", help="one line for each message")
    group = parser.add_argument_group("authentication")
    group.add_argument("--password", metavar="PASSWORD", help="everybody on this machine can read it there")
    group.add_argument("--password-file", metavar="FILE", help="its first line is the password")
    group = parser.add_argument_group("TLS")
    group.add_argument("--ssl", action="store_true", help="use TLS; the options below do so too")
    group.add_argument(
        "--ca", metavar="FILE", default="", help="certificates that the server's is verified by"
    )
    group.add_argument("--cert", metavar="FILE", default="", help="certificate of this client")
    group.add_argument("--key", metavar="FILE", default="", help="its key, where --cert does not have it")
    group.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is no number of events")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return seconds
