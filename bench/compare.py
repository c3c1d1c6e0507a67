"""LibreIMS beside Kamailio under the same load in the same run, and what many users cost.

    python bench/compare.py [--rounds 3] [--only register,call,relay,memory,codec] [--write]

Prints Markdown: medians, in brackets the least and the most of the rounds, and ratios, which are taken
round by round.  Progress goes to standard error.  CPU time is that of all processes of a server, kernel
included, from /proc/PID/task/*/schedstat, divided by the registrations or calls that got through.  Servers
take turns on the first core, load generators are on the last one, everything on loopback, in a network
namespace of its own where that is possible.

Needs Linux; a C compiler for the load generator (Debian: gcc libc6-dev), else SIPp (sip-tester) takes its
place at low rates; Kamailio to compare with (kamailio, and for the IMS chain kamailio-ims-modules and
kamailio-presence-modules).  What is missing is left out, and said so.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rig import parts, servers, traffic
from rig.load import Generator, SipLoad, Sipp, compiler
from rig.process import isolate, isolated
from rig.scale import scale

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin, written by bench/compare.py --write -->", "<!-- figures: end -->"
CHAPTERS = ("register", "call", "relay", "memory", "codec")


def main() -> int:
    options = _options()
    isolate()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing that we started stays behind
    with tempfile.TemporaryDirectory() as folder:
        generator = _generator(Path(folder), options)
        chapters = _chapters(options, generator)
    print(*chapters.values(), sep="\n")
    if options.write:
        _write(chapters)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="load of each server in each round")
    parser.add_argument("--only", default=",".join(CHAPTERS), help=f"some of {','.join(CHAPTERS)}")
    parser.add_argument("--users", type=int, default=2000, help="users of the registrations and calls")
    parser.add_argument(
        "--sizes", default="1000,10000,100000", help="numbers of users whose costs are compared"
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="interpreter of the server (it needs the package cryptography)",
    )
    parser.add_argument("--sipp", action="store_true", help="load by SIPp at low rates, as a cross-check")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md as well")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(CHAPTERS)
    if unknown:
        parser.error(f"--only knows {', '.join(CHAPTERS)}, not {', '.join(sorted(unknown))}")
    if options.seconds > 30:
        parser.error("--seconds: at most 30")
    options.sizes = [int(size) for size in options.sizes.split(",")]
    return options


def _generator(folder: Path, options: argparse.Namespace) -> Generator:
    found = compiler()
    if found is not None and not options.sipp:
        return SipLoad(found, folder)
    if shutil.which("sipp") is None:
        raise SystemExit(
            "no load generator: install a C compiler (Debian: gcc libc6-dev) or SIPp (sip-tester)"
        )
    return Sipp(folder)


def _conditions(options: argparse.Namespace, generator: Generator) -> list[str]:
    asked = "import platform; print(platform.python_version(), platform.python_compiler(), sep=', built by ')"
    python = subprocess.run([options.python, "-c", asked], capture_output=True, text=True, check=True)
    kamailio = servers.kamailio_version()
    today = datetime.datetime.now(datetime.UTC).date()
    commit = subprocess.run(
        ["git", "-C", str(DOCUMENT.parent), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"{today}, commit {commit or 'unknown'}, {cores} cores, Python {python.stdout.strip()},",
        f"{kamailio or 'no Kamailio'}, load from {generator.name}, "
        f"{options.rounds} rounds of {options.seconds:g} s.",
    ]
    if not isolated():
        lines.append("Not in a network namespace of its own: other traffic of this machine may disturb.")
    return lines


def _chapters(options: argparse.Namespace, generator: Generator) -> dict[str, str]:
    """Each chapter's Markdown, by its heading."""
    python, rounds, seconds, users = options.python, options.rounds, options.seconds, options.users
    known: dict[str, tuple[str, Callable[[], list[str]]]] = {
        "register": (
            "Registrations with digest",
            lambda: traffic.registrations(generator, python, users, seconds, rounds),
        ),
        "call": ("Calls without media", lambda: traffic.calls(generator, python, users, seconds, rounds)),
        "relay": ("Relayed RTP packets", lambda: parts.relay(python, rounds, seconds)),
        "memory": ("Many users", lambda: scale(generator, python, options.sizes, seconds, rounds)),
        "codec": ("Parsing and serialising", lambda: parts.codec(python)),
    }
    conditions = _conditions(options, generator)
    chapters: dict[str, str] = {}
    for name in CHAPTERS:
        if name in options.only:
            title, chapter = known[name]
            lines = [f"### {title}", "", *conditions, "", *_paragraphs(chapter())]
            chapters[lines[0]] = "\n".join(lines) + "\n"
    return chapters


def _paragraphs(lines: list[str]) -> list[str]:
    """Sentences become paragraphs of their own; tables stay together."""
    apart: list[str] = []
    for line in lines:
        if apart and apart[-1] and line and not (line.startswith("|") and apart[-1].startswith("|")):
            apart.append("")
        apart.append(line)
    while apart and not apart[-1]:
        apart.pop()
    return apart


def _write(chapters: dict[str, str]) -> None:
    """Put chapters into the document; those that were not measured stay."""
    document = DOCUMENT.read_text()
    before, begin, rest = document.partition(BEGIN)
    figures, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT} has no place for the figures: {BEGIN} ... {END}")
    found = re.findall(r"^### .*?(?=^### |\Z)", figures, re.DOTALL | re.MULTILINE)
    kept = {chapter.partition("\n")[0]: chapter.strip() + "\n" for chapter in found}
    DOCUMENT.write_text(f"{before}{begin}\n{chr(10).join((kept | chapters).values())}{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
