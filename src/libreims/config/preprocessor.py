"""The C-like preprocessor (manual §5.1, item 8) under the parser: blanks, comments, directives, files.

`Preprocessor.peek` brings the parser to the next significant character of the text that remains after
`#if`, with `#include` followed into the included file.  Directives work between any two tokens.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from libreims.config.operators import kind, truth
from libreims.config.source import Diagnosis
from libreims.config.tree import Obj, Value

INCLUDE_DEPTH = 16
"""Files that may include one another."""
INCLUDE_COUNT = 1000
"""Files that one configuration may read, repeated ones counted each time."""
ERROR_LIMIT = 50
"""Errors after which reading stops."""

ReadText = Callable[[str], str]
"""Gives the text of a file; raises OSError or UnicodeDecodeError."""

_BLANK = re.compile(r"(?:[ \t\n\f\v\ufeff\xa0]++|//[^\n]*+|/\*(?s:.*?)\*/)*")
_BLANK_IN_LINE = re.compile(r"(?:[ \t\f\v\xa0]++|\\\n|/\*[^\n]*?\*/)*")
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z_]*)")
_NAME = re.compile(r"[A-Za-z_]\w*", re.A)
_REST_OF_LINE = re.compile(r"(?:\\\n|[^\n])*")
# What has to be recognised in text that an #if leaves out: a directive, and where one may hide.
_LEFT_OUT = re.compile(
    r'"(?:[^"\\\n]++|\\.)*"?|//[^\n]*+|/\*.*?(?:\*/|\Z)|^[ \t]*#[ \t]*(?P<directive>[A-Za-z_]*)', re.M | re.S
)


class SyntaxFault(Exception):
    """Raised inside the parser at the first thing wrong in a value; `mark` says where."""

    def __init__(self, mark: int, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


class TooManyErrors(Exception):
    """Nothing useful can be said about the rest."""


class Condition:
    """An `#if` that has not met its `#endif`."""

    __slots__ = ("mark", "otherwise")

    def __init__(self, mark: int) -> None:
        self.mark = mark
        self.otherwise = False
        """`#else` has been seen."""


class Frame:
    """A file that is being read."""

    __slots__ = ("base", "conditions", "path", "pos", "text", "textual")

    def __init__(self, path: str, text: str, base: int, *, textual: bool) -> None:
        self.path = path
        self.text = text
        self.base = base
        self.pos = 0
        self.textual = textual
        """Came by `#include`: its end is not the end of what the parser reads."""
        self.conditions: list[Condition] = []


class Preprocessor:
    """Text, position and variables; the parser derives from it and gives it expressions."""

    def __init__(self, diagnosis: Diagnosis, read_text: ReadText) -> None:
        self.diagnosis = diagnosis
        self._read_text = read_text
        self.variables: dict[str, Value] = {}
        self.text = ""
        self.pos = 0
        self.base = 0
        self.in_line = False
        """Inside a directive: a line break ends the expression."""
        self._in_directive = False
        self._frames: list[Frame] = []
        self._included = 0

    def expression(self) -> Value:
        """Read and evaluate an expression."""
        raise NotImplementedError

    def mark(self) -> int:
        """The mark of the current position."""
        return self.base + self.pos

    def fault(self, message: str, mark: int | None = None) -> SyntaxFault:
        """An error here, to be raised."""
        return SyntaxFault(self.mark() if mark is None else mark, message)

    def report(self, fault: SyntaxFault) -> None:
        """Note an error and go on; raises TooManyErrors when there is no point in it."""
        self.diagnosis.error(fault.mark, fault.message)
        if len(self.diagnosis.errors) >= ERROR_LIMIT:
            self.diagnosis.error(None, f"more than {ERROR_LIMIT} errors, the rest is not shown")
            raise TooManyErrors

    # Files

    @property
    def frame(self) -> Frame:
        """The file that is being read."""
        return self._frames[-1]

    def push(self, path: str, *, textual: bool, mark: int = 0) -> None:
        """Go on reading in another file; raises SyntaxFault at `mark` when that is not possible."""
        absolute = os.path.abspath(path)
        if any(os.path.abspath(frame.path) == absolute for frame in self._frames):
            raise SyntaxFault(mark, f"'{path}' includes itself")
        if len(self._frames) >= INCLUDE_DEPTH:
            raise SyntaxFault(mark, f"more than {INCLUDE_DEPTH} files include one another")
        self._included += 1
        if self._included > INCLUDE_COUNT:
            raise SyntaxFault(mark, f"more than {INCLUDE_COUNT} files are included")
        try:
            text = self._read_text(path)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise SyntaxFault(mark, f"cannot read '{path}': {why or error}") from None
        if self._frames:
            self.frame.pos = self.pos
        base = self.diagnosis.sources.add(path, text)
        self._frames.append(Frame(path, text, base, textual=textual))
        self._enter(self.frame)

    def pop(self) -> None:
        """The file has been read: back to the one that included it."""
        for condition in self.frame.conditions:
            self.report(SyntaxFault(condition.mark, "#if without #endif"))
        self._frames.pop()
        if self._frames:
            self._enter(self.frame)

    def _enter(self, frame: Frame) -> None:
        self.text, self.pos, self.base = frame.text, frame.pos, frame.base

    def beside(self, name: str) -> str:
        """A file name as the file that is being read means it."""
        return os.path.join(os.path.dirname(self.frame.path), name)

    # The next character

    def peek(self) -> str:
        """Skip what is not significant; returns the next character, "" at the end."""
        if self.in_line:
            return self._peek_in_line()
        while True:
            match = _BLANK.match(self.text, self.pos)
            self.pos = pos = match.end() if match else self.pos
            char = self.text[pos : pos + 1]
            if char == "#":
                self._directive()
            elif char == "":
                if not self.frame.textual or self._in_directive:
                    return ""
                self.pop()
            elif char == "/" and self.text.startswith("/*", pos):
                self.report(self.fault("comment without end: '*/' expected"))
                self.pos = len(self.text)
            else:
                return char

    def _peek_in_line(self) -> str:
        match = _BLANK_IN_LINE.match(self.text, self.pos)
        self.pos = pos = match.end() if match else self.pos
        char = self.text[pos : pos + 1]
        if char == "\n" or (char == "/" and self.text[pos + 1 : pos + 2] in ("/", "*")):
            return ""
        return char

    # Directives

    def _directive(self) -> None:
        match = _DIRECTIVE.match(self.text, self.pos)
        assert match is not None
        mark, name = self.mark(), match[1]
        if self._in_directive:
            raise self.fault("a directive cannot stand inside another one")
        line = self.text[self.text.rfind("\n", 0, self.pos) + 1 : self.pos]
        self.pos = match.end()
        handler = _DIRECTIVES.get(name)
        if handler is None:
            self._complain(mark, f"unknown directive '#{name}'")
        elif line.strip() and not line.rstrip().endswith("*/"):
            self._complain(mark, f"'#{name}' must be the first thing on its line")
        else:
            handler(self, mark)

    def _complain(self, mark: int, message: str) -> None:
        self._rest_of_line()
        self.report(SyntaxFault(mark, message))

    def _rest_of_line(self) -> None:
        match = _REST_OF_LINE.match(self.text, self.pos)
        self.pos = match.end() if match else self.pos

    def _argument(self, what: str) -> Value:
        """The expression of a directive, up to the end of the line; raises SyntaxFault."""
        saved = self.in_line, self._in_directive
        self.in_line = self._in_directive = True
        try:
            if self.peek() == "":
                raise self.fault(f"{what} expected")
            value = self.expression()
            if self.peek() != "":
                raise self.fault("end of line expected")
            return value
        finally:
            self.in_line, self._in_directive = saved

    def _variable(self, directive: str) -> str:
        match = _BLANK_IN_LINE.match(self.text, self.pos)
        self.pos = match.end() if match else self.pos
        name = _NAME.match(self.text, self.pos)
        if name is None:
            raise self.fault(f"name of a variable expected after {directive}")
        self.pos = name.end()
        return name[0]

    def _define(self, _mark: int) -> None:
        try:
            name = self._variable("#define")
            if self._peek_in_line() == "":
                self.variables[name] = True
            else:
                self.variables[name] = self._argument("expression")
        except SyntaxFault as fault:
            self.report(fault)
        self._rest_of_line()

    def _undef(self, _mark: int) -> None:
        try:
            self.variables.pop(self._variable("#undef"), None)
        except SyntaxFault as fault:
            self.report(fault)
        self._rest_of_line()

    def _include(self, mark: int) -> None:
        try:
            name = self._argument("name of a file")
            if not isinstance(name, str):
                raise SyntaxFault(mark, f"#include expects a string, not {kind(name)}")
            self._rest_of_line()
            self.push(self.beside(name), textual=True, mark=mark)
        except SyntaxFault as fault:
            self.report(fault)
            self._rest_of_line()

    def _holds(self, directive: str) -> bool:
        """Evaluate the condition of an #if, #ifdef, #ifndef or #elif; a bad one does not hold."""
        holds = False
        try:
            if directive in ("ifdef", "ifndef"):
                holds = (self._variable(f"#{directive}") in self.variables) == (directive == "ifdef")
            else:
                condition = self._argument("condition")
                if isinstance(condition, Obj | list):
                    raise self.fault(f"#{directive} expects a number, a string or a boolean")
                holds = truth(condition)
        except SyntaxFault as fault:
            self.report(fault)
        self._rest_of_line()
        return holds

    def _begin(self, directive: str, mark: int) -> None:
        self.frame.conditions.append(Condition(mark))
        if not self._holds(directive):
            self._leave_out(taken=False)

    def _if(self, mark: int) -> None:
        self._begin("if", mark)

    def _ifdef(self, mark: int) -> None:
        self._begin("ifdef", mark)

    def _ifndef(self, mark: int) -> None:
        self._begin("ifndef", mark)

    def _alternative(self, mark: int, *, last: bool) -> bool:
        """Whether an #else or #elif may stand here; complains when not."""
        name = "#else" if last else "#elif"
        conditions = self.frame.conditions
        if not conditions:
            self._complain(mark, f"{name} without #if")
            return False
        if conditions[-1].otherwise:
            self._complain(mark, f"{name} after #else")
            return False
        conditions[-1].otherwise = last
        return True

    def _elif(self, mark: int) -> None:
        if self._alternative(mark, last=False):
            self._leave_out(taken=True)

    def _else(self, mark: int) -> None:
        if self._alternative(mark, last=True):
            self._leave_out(taken=True)

    def _endif(self, mark: int) -> None:
        if not self.frame.conditions:
            self._complain(mark, "#endif without #if")
            return
        self.frame.conditions.pop()
        self._rest_of_line()

    def _leave_out(self, *, taken: bool) -> None:
        """Skip to the branch that counts: the next that holds unless one was `taken`, else the #endif."""
        inner = 0
        while True:
            match = _LEFT_OUT.search(self.text, self.pos)
            if match is None:
                self.pos = len(self.text)
                return  # `pop` complains about the missing #endif
            self.pos = match.end()
            name = match["directive"]
            if name in ("if", "ifdef", "ifndef"):
                inner += 1
            elif name == "endif":
                if inner == 0:
                    self.frame.conditions.pop()
                    self._rest_of_line()
                    return
                inner -= 1
            elif inner == 0 and name in ("else", "elif"):
                allowed = self._alternative(self.mark() - len(name) - 1, last=name == "else")
                if allowed and not taken and (name == "else" or self._holds("elif")):
                    self._rest_of_line()
                    return


_DIRECTIVES: dict[str, Callable[[Preprocessor, int], None]] = {
    "define": Preprocessor._define,
    "undef": Preprocessor._undef,
    "include": Preprocessor._include,
    "if": Preprocessor._if,
    "ifdef": Preprocessor._ifdef,
    "ifndef": Preprocessor._ifndef,
    "elif": Preprocessor._elif,
    "else": Preprocessor._else,
    "endif": Preprocessor._endif,
}
