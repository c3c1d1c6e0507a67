"""The configuration language (manual §5.1): text to an evaluated tree, all errors of it at once.

A recursive descent parser that evaluates while it reads.  Nearly every line of a real file is
`name: literal,`: one regular expression takes such a line whole, which is what makes 10,000 users
load in a second.  After an error the parser looks for the next property and goes on.
"""

from __future__ import annotations

import re

from libreims.config import operators
from libreims.config.expression import NAME, Expressions, shown_character
from libreims.config.preprocessor import Frame, SyntaxFault, TooManyErrors
from libreims.config.tree import Arr, Obj

_MEMBER = re.compile(
    r'[ \t\n]*+(?:"([^"\\\n]*+)"|([A-Za-z_]\w*+))[ \t]*+:[ \t]*+'
    r'(?:"([^"\\\n]*+)"|(-?\d{1,15})|(-?\d{1,15}\.\d{1,15})|(true|false))[ \t\n]*+(?:,|(?=\}))',
    re.A,
)
_ELEMENT = re.compile(r'[ \t\n]*+(?:"([^"\\\n]*+)"|(-?\d{1,15}))[ \t\n]*+(?:,|(?=\]))', re.A)
_WORD = re.compile(r"\d\w*+", re.A)
_RECOVERY = re.compile(
    r'"(?:[^"\\\n]++|\\.)*"?|//[^\n]*+|/\*.*?(?:\*/|\Z)|[{}\[\](),]'
    r'|\n(?=[ \t]*+(?:#|(?:"[^"\n]*+"|[A-Za-z_]\w*+)[ \t]*+:))',
    re.S | re.A,
)


class Parser(Expressions):
    """Reads one configuration with the files that it includes."""

    def parse(self, path: str) -> Obj:
        """Read a file; errors and warnings go to the diagnosis."""
        root = Obj()
        try:
            self.push(path, textual=False)
            self._top_level(root)
        except SyntaxFault as fault:  # only `push`: the main file itself cannot be read
            self.diagnosis.error(None, fault.message)
        except TooManyErrors:
            pass
        return root

    def _top_level(self, root: Obj) -> None:
        """The whole of a file, its braces being optional, into `root`."""
        outer, self.open = self.open, []
        frame = self.frame
        try:
            first = self.peek()
            if first == "{" and self.frame is frame:
                self._braced(root)
                if self.peek() == ",":
                    self.pos += 1
                while self.peek() != "":
                    self.report(self.fault("end of file expected after the closing '}'"))
                    self.pos = len(self.text)
            elif first == "[":
                self.report(self.fault("property name expected: a file holds an object, not an array"))
                self.pos = len(self.text)
                self.peek()
            else:
                self._members(root, "")
        except SyntaxFault as fault:
            self.report(fault)
        finally:
            self.open = outer
        while self.frame is not frame:
            self.pop()
        self.pop()

    # Objects

    def object(self) -> Obj:
        """Read an object from its `{`."""
        made = Obj()
        self._braced(made)
        return made

    def _braced(self, into: Obj) -> None:
        """An object from its `{`."""
        opening = self.mark()
        saved = self.enter_bracket("{")
        try:
            self._members(into, "}", opening)
        finally:
            self.leave_bracket(saved)

    def _members(self, into: Obj, close: str, opening: int = 0) -> None:
        """Properties up to `close`, which is consumed, or up to the end."""
        marks = into.marks
        while True:
            match = _MEMBER.match(self.text, self.pos)
            while match is not None:
                quoted, bare, string, integer, real, boolean = match.groups()
                if quoted is not None:
                    key, mark = quoted, self.base + match.start(1)
                elif bare in self.variables:
                    break
                else:
                    key, mark = bare, self.base + match.start(2)
                into[key] = (
                    string
                    if string is not None
                    else int(integer)
                    if integer is not None
                    else float(real)
                    if real is not None
                    else boolean == "true"
                )
                marks[key] = mark
                self.pos = match.end()
                match = _MEMBER.match(self.text, self.pos)
            char = self.peek()
            if char == close and close:
                self.pos += 1
                return
            if char == "":
                if close:
                    self.report(SyntaxFault(opening, "'}' expected: the object is never closed"))
                return
            if self._slow(char, into, None, close):
                return

    def _slow(self, char: str, into: Obj, array: Arr | None, close: str) -> bool:
        """One member or element of any form, and what follows it; True when the bracket has ended."""
        frame = self._frames[-1]
        try:
            if array is None:
                container = self._member(char, into)
            elif char in "})":
                raise self.fault(f"value or '{close}' expected, not '{char}'")
            else:
                mark = self.mark()
                value = self.expression()
                array.put(value, mark)
                container = isinstance(value, Obj | Arr)
            return self._separator(close, frame, lenient=container)
        except SyntaxFault as fault:
            self.report(fault)
            return self._recover(close)

    def _member(self, char: str, into: Obj) -> bool:
        """One property or include; True where a comma may be forgotten after it."""
        mark = self.mark()
        if char == "{" and self.frame.textual:
            self._braced(into)  # an included file that has its braces
            return True
        if char in "\"'`":
            key = self.string(char)
        else:
            name = NAME.match(self.text, self.pos)
            if name is None:
                raise self._not_a_name(char)
            key = name[0]
            self.pos = name.end()
            follows = self.peek()
            if key == "include" and follows != ":":
                self._include_keyword(into, mark)
                return True
            replaced = self.variables.get(key)
            if isinstance(replaced, str):
                key = replaced
        if self.peek() != ":":
            raise self.fault(f"':' expected after property name '{key}'")
        self.pos += 1
        value = self.expression()
        into.put(key, value, mark)
        return isinstance(value, Obj | Arr)

    def _not_a_name(self, char: str) -> SyntaxFault:
        word = _WORD.match(self.text, self.pos)
        if word is not None:
            return self.fault(f'a property name that starts with a digit needs quotes: "{word[0]}"')
        return self.fault(f"property name expected, not {shown_character(char)}")

    def _include_keyword(self, into: Obj, mark: int) -> None:
        if self.peek() == "":
            raise self.fault("name of the file to include expected")
        name = self.expression()
        if not isinstance(name, str):
            raise SyntaxFault(mark, f"include expects a string, not {operators.kind(name)}")
        included = Obj()
        end = self.end
        self.push(self.beside(name), textual=False, mark=mark)
        saved, self.in_line = self.in_line, False
        try:
            self._top_level(included)
        finally:
            self.in_line = saved
        self.end = end
        for key, value in included.items():
            into.put(key, value, included.marks[key])

    def _separator(self, close: str, frame: Frame, *, lenient: bool) -> bool:
        """What stands after a member or element that began in `frame`; True when the bracket has ended."""
        char = self.peek()
        if char == ",":
            self.pos += 1
            return False
        if char == "" or char == close:
            return False  # the loop that called knows what to do with it
        if frame is not self._frames[-1]:
            return False  # an included file begins or ends here
        if lenient:
            self.diagnosis.warn(self.end, "missing ',' added")
            return False
        expected = f"',' or '{close}' expected" if close else "',' expected"
        fault = self.fault(f"{expected}, not '{char}'")
        between = self.text[max(0, self.end - self.base) : self.pos]
        if char not in "}])" and "\n" in between and self._starts_member(close):
            self.report(self.fault(expected, self.end))
            return False
        raise fault

    def _starts_member(self, close: str) -> bool:
        return close != "]" and _RECOVERY.match("\n" + self.text[self.pos : self.pos + 200]) is not None

    def _recover(self, close: str) -> bool:
        """Go to where the next member or element may start; True when this bracket is given up."""
        depth = 0
        while True:
            match = _RECOVERY.search(self.text, self.pos)
            if match is None:
                self.pos = len(self.text)
                return False
            token = match[0]
            self.pos = match.start()
            if token in "{[(":
                depth += 1
            elif token in "}])":
                if depth:
                    depth -= 1
                elif token == close:
                    return False
                elif token in self.open and token != ")":
                    return True
                else:
                    # Nobody waits for it: a mistyped end of this bracket.
                    self.pos = match.end()
                    return bool(close) and token != ")"
            elif token == "\n":
                self.pos += 1
                self.peek()  # a directive counts wherever it stands
                if depth == 0:
                    return False
                continue
            elif token == "," and depth == 0:
                self.pos += 1
                return False
            self.pos = match.end()

    # Arrays

    def array(self) -> Arr:
        """Read an array from its `[`."""
        opening = self.mark()
        saved = self.enter_bracket("[")
        array = Arr()
        nothing = Obj()
        try:
            while True:
                match = _ELEMENT.match(self.text, self.pos)
                while match is not None:
                    string, integer = match.groups()
                    if string is not None:
                        array.put(string, self.base + match.start(1) - 1)
                    else:
                        array.put(int(integer), self.base + match.start(2))
                    self.pos = match.end()
                    match = _ELEMENT.match(self.text, self.pos)
                char = self.peek()
                if char == "]":
                    self.pos += 1
                    return array
                if char == "":
                    self.report(SyntaxFault(opening, "']' expected: the array is never closed"))
                    return array
                if self._slow(char, nothing, array, "]"):
                    return array
        finally:
            self.leave_bracket(saved)
