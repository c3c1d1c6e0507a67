"""Writes `docs/configuration.md` and `docs/compatibility.md` from the declarations.

`libreims docs` (or `python -m libreims.config.docs`) in the root of the repository; a test fails when
the files are not what this would write.
"""
# ruff: noqa: E501  lines of Markdown tables

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from libreims.config import surface
from libreims.config.declare import LATER, WORKS, Prop, State, declarations
from libreims.config.kinds import ListOf, Struct
from libreims.config.schema import ImpuSettings, Settings, UserSettings

_NOTE = "<!-- Written by `libreims docs` from src/libreims/config; do not edit. -->\n"
_SUBJECTS = {
    "logging": "Logging",
    "sip": "SIP",
    "registration": "Registration",
    "calls": "Calls",
    "ipsec": "IPsec",
    "sgs": "SMS over SGs",
    "cx": "Cx (HSS)",
    "rx": "Rx (PCRF)",
    "n5": "N5 (PCF)",
    "remote_api": "Remote API",
    "license": "License",
    "sms": "SMS",
    "mms": "MMS",
    "users": "Users",
}


def find(section: type[Any], path: str) -> tuple[Prop, State]:
    """The declaration at a dotted path and its state, which is that of its parent when that one waits.

    Raises KeyError when there is none.
    """
    name, _, rest = path.partition(".")
    declared = declarations(section)[name]
    if not rest:
        return declared, declared.state
    inner = inner_section(declared)
    if inner is None:
        raise KeyError(path)
    found, state = find(inner, rest)
    return found, state if declared.state is WORKS else declared.state


def inner_section(declared: Prop) -> type[Any] | None:
    """The section whose properties an object or array of objects has."""
    kind = declared.kind.item if isinstance(declared.kind, ListOf) else declared.kind
    return kind.section if isinstance(kind, Struct) else None


def configuration() -> str:
    """The text of `docs/configuration.md`."""
    lines = [_NOTE, _INTRODUCTION]
    for subject, names in surface.CONFIG.items():
        lines.append(f"\n## {_SUBJECTS[subject]}\n")
        lines.extend(_table(Settings, names))
    lines.append("\n## A user: elements of `ue_db`\n")
    lines.append("Properties that only an MME needs are passed over in silence.\n")
    lines.extend(_table(UserSettings, _own_names(UserSettings)))
    lines.append("\n## A public identity: elements of `impu` and `echo`\n")
    lines.append("A string is enough where nothing but the identity is to be said.\n")
    lines.extend(_table(ImpuSettings, surface.IMPU))
    lines.append("\n## A callflow modifier\n")
    lines.extend(_table(ImpuSettings, surface.CALLFLOW_MODIFIER, "callflow_modifier."))
    return "\n".join(lines) + "\n"


def _own_names(section: type[Any]) -> list[str]:
    """Every name of a section, in the order of its declarations."""
    return [declared.name for declared in dict.fromkeys(declarations(section).values())]


def _table(section: type[Any], names: Sequence[str], inside: str = "") -> Iterator[str]:
    yield "| property | type | default | allowed | run time | what it does |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        declared, state = find(section, inside + name)
        if name != declared.name and name.rpartition(".")[2] != declared.name:
            yield f"| `{name}` | | | | | Older name of `{declared.name}`. |"
            continue
        doc = declared.doc if state is WORKS else f"{declared.doc} *{state.capitalize()}.*"
        cells = (
            f"`{name}`",
            declared.kind.name,
            default_text(declared),
            declared.kind.range(),
            "yes" if declared.runtime else "",
            doc,
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default_text(declared: Prop) -> str:
    """The default as the configuration file would say it; "" when there is none."""
    value = declared.default
    if value is None or value == () or value == ("", 0):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'`"{value}"`' if value else ""
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return "see its properties"


def compatibility() -> str:
    """The text of `docs/compatibility.md`."""
    lines = [_NOTE, _COMPATIBILITY]
    for subject, names in surface.CONFIG.items():
        lines.extend(_states(f"Configuration: {_SUBJECTS[subject]}", names, _property_state(Settings)))
    for title, section, inside, names in (
        ("Users (`ue_db`)", UserSettings, "", surface.UE_DB),
        ("Public identities (`impu`)", ImpuSettings, "", surface.IMPU),
        ("Callflow modifiers", ImpuSettings, "callflow_modifier.", surface.CALLFLOW_MODIFIER),
    ):
        lines.extend(_states(title, names, _property_state(section, inside)))
    for subject, states in surface.OTHERS.items():
        lines.extend(_states(surface.TITLES[subject], tuple(states), states.__getitem__))
    lines.extend(_states("Properties that `config_set` may change", surface.CONFIG_SET, config_set_state))
    return "\n".join(lines) + "\n"


def config_set_state(name: str) -> State:
    """The state of a run-time change: the remote API has to be there, and what it changes."""
    api = surface.OTHERS["remote_api"]["config_set"]
    return find(Settings, name)[1] if api is WORKS and name != "logs" else api


def _property_state(section: type[Any], inside: str = "") -> Callable[[str], State]:
    return lambda name: find(section, inside + name)[1]


def _states(title: str, names: Sequence[str], state: Callable[[str], State]) -> Iterator[str]:
    states = [state(name) for name in names]
    done = sum(each is not LATER for each in states)
    yield f"\n## {title} ({done} of {len(names)})\n"
    yield "| name | state |"
    yield "|---|---|"
    for name, each in zip(names, states, strict=True):
        shown = name.replace("|", "\\|")
        yield f"| `{shown}` | {each} |"


def main(argv: Sequence[str]) -> int:
    """Write the two files into a directory, or with `--check` tell whether they are up to date."""
    parser = argparse.ArgumentParser(prog="libreims docs", description="Write the generated documentation.")
    parser.add_argument("directory", nargs="?", default="docs", help="where to (docs)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when out of date")
    options = parser.parse_args(argv)
    stale = False
    for name, make in PAGES.items():
        path = os.path.join(options.directory, name)
        text = make()
        if options.check:
            try:
                with open(path, encoding="utf-8") as file:
                    current = file.read() == text
            except FileNotFoundError:
                current = False
            if not current:
                stale = True
                print(f"{path} is out of date: run `libreims docs`", file=sys.stderr)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"{path} written")
    return 1 if stale else 0


_INTRODUCTION = """\
# Configuration reference

The program reads one file, `libreims config/ims.cfg`, and the files that it includes.
`libreims --check FILE` tells what is wrong with a file, `libreims --print FILE` shows what it amounts to.

## The language

JSON with what makes it bearable to write by hand:

| what | example |
|---|---|
| names without quotes, unless they start with a digit | `domain: "example.org", "100rel": true` |
| no braces around the whole file, a comma after the last element | |
| comments | `// to the end of the line`, `/* from here to there */` |
| numbers, also hexadecimal and complex | `13.4`, `0x9001`, `1.2+3*I` |
| strings in `"` or `'`; in backquotes they span lines and take expressions | `` `sip:${NUMBER}@${DOMAIN}` `` |
| 0 and 1 for false and true | `log_sync: 0` |
| `+ - * /`, `! \\|\\| && == != < <= > >=`, parentheses, with JavaScript's precedence; `+` joins strings | `"tel:" + 600` |
| a property that is there twice is merged, the later one wins | |
| another file's properties at this place | `include "ue_db-ims.cfg",` |

A preprocessor runs first. A directive stands on a line of its own:

| directive | |
|---|---|
| `#define NAME expression` | `NAME` stands for the value from here on, also as a property name when it is a string |
| `#undef NAME` | no longer |
| `#include expression` | the text of another file at this place, relative to the file that says so |
| `#if expression` `#elif expression` `#else` `#endif` | leaves text out; `defined(NAME)` asks for a name |
| `#ifdef NAME` `#ifndef NAME` | the same as `#if defined(NAME)` and `#if !defined(NAME)` |

Merging goes into objects and arrays: of two objects every property is kept, of two arrays every position, and where both
have a value the later one counts.

Names of files in values are relative to the directory of the main configuration file. An unknown property is a warning."""

_COMPATIBILITY = """\
# Compatibility

Every name of the reference program's interface and what LibreIMS does with it.
*works*: does what the reference's manual says. *not implemented yet*: read and checked, with a warning when it is set.
*accepted, no effect*: read and checked, there is nothing to do."""

PAGES = {"configuration.md": configuration, "compatibility.md": compatibility}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
