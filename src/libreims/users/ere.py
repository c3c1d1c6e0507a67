"""POSIX Extended Regular Expressions (the manual's `match`) on Python's `re`.

The two languages look alike and differ where it hurts: bracket expressions know `[:digit:]` and take a
backslash literally, `$` must not match before a trailing newline, `a+?` is an optional `a+` and not a lazy
one, `(?...)` and back-references do not exist.  IEEE 1003.1 §9.4; `\\w \\W \\s \\S \\b \\B \\< \\>` are
accepted as GNU's library does, because that is what such expressions have been run on.
"""

from __future__ import annotations

import re

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9A-Fa-f",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "print": r" -~",
    "graph": r"!-~",
    "cntrl": r"\x00-\x1f\x7f",
}
_GNU = {
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
    "w": r"\w",
    "W": r"\W",
    "s": r"\s",
    "S": r"\S",
    "b": r"\b",
    "B": r"\B",
}


def compile_ere(text: str) -> re.Pattern[str]:
    """Compile a POSIX ERE; use `search`, as POSIX does. Raises ValueError saying what is wrong with it."""
    translation = _Translator(text).run()
    try:
        return re.compile(translation, re.DOTALL)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{text!r} is not a POSIX extended regular expression: {error}") from error


class _Translator:
    """One pass over the expression; `atom` is where the last thing that can be repeated starts in `out`."""

    __slots__ = ("atom", "groups", "out", "pos", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.out: list[str] = []
        self.atom: int | None = None
        self.groups: list[int] = []

    def run(self) -> str:
        text = self.text
        while self.pos < len(text):
            char = text[self.pos]
            self.pos += 1
            if char == "[":
                self._emit_atom(self._bracket())
            elif char == "\\":
                self._escape()
            elif char in "*+?" or (char == "{" and self.atom is not None):
                self._repeat(char)
            else:
                self._plain(char)
        if self.groups:
            raise self._error("a '(' is not closed")
        return "".join(self.out)

    def _error(self, what: str) -> ValueError:
        return ValueError(f"{self.text!r} is not a POSIX extended regular expression: {what}")

    def _emit_atom(self, piece: str) -> None:
        self.atom = len(self.out)
        self.out.append(piece)

    def _plain(self, char: str) -> None:
        if char == "(":
            self.groups.append(len(self.out))
            self.out.append("(?:")
            self.atom = None
        elif char == ")" and self.groups:
            self.atom = self.groups.pop()
            self.out.append(")")
        elif char in "^$|":
            self.out.append({"^": r"\A", "$": r"\Z", "|": "|"}[char])
            self.atom = None
        else:
            self._emit_atom("." if char == "." else re.escape(char))

    def _escape(self) -> None:
        if self.pos >= len(self.text):
            raise self._error("it ends with a backslash")
        char = self.text[self.pos]
        self.pos += 1
        if char in "123456789":
            raise self._error(f"there are no back-references such as \\{char}")
        self._emit_atom(_GNU.get(char) or re.escape(char))

    def _repeat(self, char: str) -> None:
        if self.atom is None:
            # A repetition with nothing before it is undefined in POSIX; GNU's library takes it literally.
            self._emit_atom(re.escape(char))
            return
        count = char
        if char == "{":
            found = re.compile(r"([0-9]*)(,?)([0-9]*)\}").match(self.text, self.pos)
            if found is None or not (found[1] or found[3]):
                self._emit_atom(r"\{")
                return
            self.pos = found.end()
            count = f"{{{found[1] or '0'}{found[2]}{found[3]}}}"
        # The group keeps a second repetition from becoming "lazy" or "possessive".
        self.out.insert(self.atom, "(?:")
        self.out.append(f"){count}")
        self._group_from(self.atom)

    def _group_from(self, start: int) -> None:
        piece = "".join(self.out[start:])
        del self.out[start:]
        self.out.append(f"(?:{piece})")
        self.atom = start

    def _bracket(self) -> str:
        text = self.text
        pieces = ["["]
        if text.startswith("^", self.pos):
            pieces.append("^")
            self.pos += 1
        first = self.pos
        while True:
            if self.pos >= len(text):
                raise self._error("a '[' is not closed")
            char = text[self.pos]
            if char == "]" and self.pos > first:
                self.pos += 1
                return "".join((*pieces, "]"))
            pieces.append(self._bracket_item(char, self.pos == first))

    def _bracket_item(self, char: str, first: bool) -> str:
        text = self.text
        kind = text[self.pos + 1 : self.pos + 2]
        if char == "[" and kind and kind in ":.=":
            end = text.find(f"{kind}]", self.pos + 2)
            if end < 0:
                raise self._error(f"'[{kind}' is not closed")
            name = text[self.pos + 2 : end]
            self.pos = end + 2
            if kind != ":":
                return re.escape(name)
            if name not in _CLASSES:
                raise self._error(f"there is no character class [:{name}:]")
            return _CLASSES[name]
        self.pos += 1
        if char == "-":
            return r"\-" if first or text[self.pos : self.pos + 1] == "]" else "-"
        return re.escape(char) if char in r"\[]^&~|" else char
