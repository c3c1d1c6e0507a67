"""Configuration texts in tests: no files, no typed settings."""

from __future__ import annotations

from typing import Any

from libreims.config.source import Diagnosis
from libreims.config.syntax import Parser
from libreims.config.tree import plain


def read(text: str, **files: str) -> tuple[Any, list[str], list[str]]:
    """The tree as plain values, the errors and the warnings of a text; `f1="..."` is the file `f1.cfg`."""
    known = {"main.cfg": text} | {f"{name}.cfg": content for name, content in files.items()}

    def read_text(path: str) -> str:
        if path not in known:
            raise FileNotFoundError(2, "No such file or directory")
        return known[path]

    diagnosis = Diagnosis()
    tree = Parser(diagnosis, read_text).parse("main.cfg")
    return plain(tree), [str(error) for error in diagnosis.errors], [str(each) for each in diagnosis.warnings]


def evaluate(text: str, **files: str) -> Any:
    """What a text without any error or warning amounts to."""
    tree, errors, warnings = read(text, **files)
    assert errors == []
    assert warnings == []
    return tree


def value(expression: str, before: str = "") -> Any:
    """What an expression amounts to."""
    return evaluate(f"{before}\nx: {expression}\n")["x"]


def errors(text: str, **files: str) -> list[str]:
    """The errors of a text, without the name of the main file."""
    return [error.removeprefix("main.cfg:") for error in read(text, **files)[1]]
