"""A line that somebody typed, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from libreims.base.errors import LibreImsError


class WrongUsage(LibreImsError):
    """The words do not suit the command: its syntax is shown."""


class Arguments:
    """The words behind the name of a command."""

    def __init__(self, line: str) -> None:
        """Words may be quoted as in a shell; where quotes do not pair, they are letters like any other."""
        self.line = line.strip()
        try:
            words = shlex.split(self.line)
        except ValueError:
            words = self.line.split()
        self.name = words[0] if words else ""
        self.words = words[1:]

    def exactly(self, *counts: int) -> list[str]:
        """The words, of which there have to be so many. Raises WrongUsage."""
        if len(self.words) not in counts:
            raise WrongUsage
        return self.words

    def option(self, name: str) -> str | None:
        """Take `-x VALUE` out, wherever it stands; None where it is not there. Raises WrongUsage."""
        if name not in self.words:
            return None
        at = self.words.index(name)
        if at + 1 == len(self.words):
            raise WrongUsage
        value = self.words[at + 1]
        del self.words[at : at + 2]
        return value

    def flag(self, name: str) -> bool:
        """Take `-x` out; whether it was there."""
        if name not in self.words:
            return False
        self.words.remove(name)
        return True

    def after(self, count: int) -> str:
        """What stands behind so many words, as it was typed; a single quoted text without its quotes.

        Raises WrongUsage where nothing does.
        """
        if len(self.words) == count + 1:
            return self.words[count]
        # The name is a word too.
        pieces = self.line.split(None, count + 1)
        if len(pieces) < count + 2:
            raise WrongUsage
        return pieces[count + 1]


def assignments(words: Iterable[str]) -> dict[str, str]:
    """`name=value` words. Raises WrongUsage."""
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise WrongUsage
        values[name] = value
    return values
