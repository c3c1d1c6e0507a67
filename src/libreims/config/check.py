"""`--check` and `--print`: what a configuration is worth, without starting anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from libreims.config.load import Doubt, load, parse
from libreims.config.schema import Settings
from libreims.config.source import ConfigErrors, ConfigWarning, Diagnosis
from libreims.config.tree import plain


def check(
    path: str,
    output: TextIO | None = None,
    errors: TextIO | None = None,
    *,
    others: Callable[[Settings], Iterable[str]] = lambda settings: (),
    doubt: Doubt | None = None,
) -> int:
    """Read a configuration and tell what is wrong with it; returns the exit status, 0 or 1.

    `others` looks at what only other parts of the program know: a sentence for each mistake;
    `doubt` warns of what they know.
    """
    output, errors = output or sys.stdout, errors or sys.stderr
    try:
        loaded = load(path, doubt)
    except ConfigErrors as problems:
        _warn(problems.warnings, output)
        for error in problems.errors:
            print(f"Error: {error}", file=errors)
        print(f"{path}: {_count(len(problems.errors), 'error')}", file=errors)
        return 1
    _warn(loaded.warnings, output)
    settings = loaded.settings
    if not settings.sip_addr:
        print(
            f"Error: {path}: sip_addr is not set: the server would have no address to listen on", file=errors
        )
        return 1
    found = list(others(settings))
    if found:
        for problem in found:
            print(f"Error: {path}: {problem}", file=errors)
        print(f"{path}: {_count(len(found), 'error')}", file=errors)
        return 1
    users, warnings = _count(len(settings.ue_db), "user"), _count(len(loaded.warnings), "warning")
    print(f"{path}: ok, {users}, {warnings}", file=output)
    return 0


def print_merged(path: str, output: TextIO | None = None, errors: TextIO | None = None) -> int:
    """Write the configuration as JSON: evaluated and merged, nothing added; returns the exit status.

    Only the language has to be right for that, not the values.
    """
    output, errors = output or sys.stdout, errors or sys.stderr
    diagnosis = Diagnosis()
    tree = parse(path, diagnosis)
    _warn(diagnosis.warnings, errors)
    if diagnosis.errors:
        for error in diagnosis.errors:
            print(f"Error: {error}", file=errors)
        return 1
    any_character = (output.encoding or "").lower().replace("-", "") == "utf8"
    json.dump(plain(tree), output, indent=2, ensure_ascii=not any_character, allow_nan=False)
    output.write("\n")
    return 0


def _warn(warnings: tuple[ConfigWarning, ...] | list[ConfigWarning], stream: TextIO) -> None:
    for warning in warnings:
        print(f"Warning: {warning}", file=stream)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
