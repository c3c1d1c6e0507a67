"""The configuration language (manual §5.1): text to an evaluated tree, all errors of it at once.

A recursive descent parser that evaluates while it reads.  Nearly every line of a real file is
`name: literal,`: one regular expression takes such a line whole, which is what makes 10,000 users
load in a second.  After an error the parser looks for the next property and goes on.
"""

from __future__ import annotations

import re

from libreims.config import operators
from libreims.config.operators import OperandError
from libreims.config.preprocessor import Frame, Preprocessor, ReadText, SyntaxFault, TooManyErrors
from libreims.config.source import Diagnosis
from libreims.config.tree import Arr, Obj, Value, copy, size

NESTING = 64
"""Objects, arrays and parentheses inside one another."""
COPIES = 1_000_000
"""Values that the uses of variables may add up to."""

_MEMBER = re.compile(
    r'[ \t\n]*+(?:"([^"\\\n]*+)"|([A-Za-z_]\w*+))[ \t]*+:[ \t]*+'
    r'(?:"([^"\\\n]*+)"|(-?\d{1,15})|(-?\d{1,15}\.\d{1,15})|(true|false))[ \t\n]*+(?:,|(?=\}))',
    re.A,
)
_ELEMENT = re.compile(r'[ \t\n]*+(?:"([^"\\\n]*+)"|(-?\d{1,15}))[ \t\n]*+(?:,|(?=\]))', re.A)
_NAME = re.compile(r"[A-Za-z_]\w*+", re.A)
_WORD = re.compile(r"\d\w*+", re.A)
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]++|(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)(?![\w.])", re.A)
_OPERATOR = re.compile(r"\|\||&&|[=!<>]=|[-+*/<>]")
_OPERATOR_START = frozenset("|&=!<>-+*/")
_STRING_PART = {quote: re.compile(rf"[^{quote}\\\n]++") for quote in "\"'"}
_BACKQUOTE_PART = re.compile(r"(?:[^`\\$]++|\$(?!\{))++")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0", "\n": ""}
_HEXADECIMAL = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})(?:\\u([0-9A-Fa-f]{4}))?")
_RECOVERY = re.compile(
    r'"(?:[^"\\\n]|\\.)*+"?|//[^\n]*+|/\*.*?(?:\*/|\Z)|[{}\[\](),]'
    r'|\n(?=[ \t]*+(?:#|(?:"[^"\n]*+"|[A-Za-z_]\w*+)[ \t]*+:))',
    re.S | re.A,
)
_CLOSING = {"{": "}", "[": "]", "(": ")"}


class Parser(Preprocessor):
    """Reads one configuration with the files that it includes."""

    def __init__(self, diagnosis: Diagnosis, read_text: ReadText) -> None:
        super().__init__(diagnosis, read_text)
        self._open: list[str] = []
        """Closing brackets that are awaited in this file, innermost last."""
        self._depth = 0
        """Brackets that are open in all files."""
        self._end = 0
        """Where the last value ended."""
        self._unevaluated = 0
        """Inside the right side of an && or || that does not count."""
        self._copied = 0

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
        outer, self._open = self._open, []
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
            self._open = outer
        while self.frame is not frame:
            self.pop()
        self.pop()

    # Objects

    def _braced(self, into: Obj) -> None:
        """An object from its `{`."""
        opening = self.mark()
        saved = self._enter_bracket("{")
        try:
            self._members(into, "}", opening)
        finally:
            self._leave_bracket(saved)

    def _enter_bracket(self, bracket: str) -> bool:
        if self._depth >= NESTING:
            raise self.fault(f"more than {NESTING} brackets inside one another")
        self.pos += 1
        self._depth += 1
        self._open.append(_CLOSING[bracket])
        saved, self.in_line = self.in_line, False
        return saved

    def _leave_bracket(self, in_line: bool) -> None:
        self._open.pop()
        self._depth -= 1
        self.in_line = in_line

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
            key = self._string(char)
        else:
            name = _NAME.match(self.text, self.pos)
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
        return self.fault(f"property name expected, not '{char}'")

    def _include_keyword(self, into: Obj, mark: int) -> None:
        if self.peek() == "":
            raise self.fault("name of the file to include expected")
        name = self.expression()
        if not isinstance(name, str):
            raise SyntaxFault(mark, f"include expects a string, not {operators.kind(name)}")
        included = Obj()
        depth = len(self._frames)
        self.push(self.beside(name), textual=False, mark=mark)
        saved, self.in_line = self.in_line, False
        try:
            self._top_level(included)
        finally:
            self.in_line = saved
        assert len(self._frames) == depth
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
            self.diagnosis.warn(self._end, "missing ',' added")
            return False
        expected = f"',' or '{close}' expected" if close else "',' expected"
        fault = self.fault(f"{expected}, not '{char}'")
        between = self.text[max(0, self._end - self.base) : self.pos]
        if char not in "}])" and "\n" in between and self._starts_member(close):
            self.report(self.fault(expected, self._end))
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
                elif token in self._open and token != ")":
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

    # Values

    def _array(self) -> Arr:
        opening = self.mark()
        saved = self._enter_bracket("[")
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
            self._leave_bracket(saved)

    def expression(self) -> Value:
        """Read and evaluate an expression; raises SyntaxFault."""
        return self._binary(1)

    def _binary(self, minimum: int) -> Value:
        left = self._unary()
        self._end = self.mark()
        while self.peek() in _OPERATOR_START:
            match = _OPERATOR.match(self.text, self.pos)
            if match is None:
                raise self.fault(f"operator expected, not '{self.text[self.pos]}'")
            operator = match[0]
            precedence = operators.PRECEDENCE.get(operator, 0)
            if precedence < minimum:
                if precedence == 0:
                    raise self.fault(f"operator expected, not '{operator}'")
                break
            mark = self.mark()
            self.pos = match.end()
            if precedence <= 2:
                left = self._logical(operator, left, precedence)
                continue
            right = self._binary(precedence + 1)
            if not self._unevaluated:
                try:
                    left = operators.apply(operator, left, right)
                except OperandError as error:
                    raise SyntaxFault(mark, str(error)) from None
        return left

    def _logical(self, operator: str, left: Value, precedence: int) -> Value:
        """`||` and `&&` give one of their operands; the right one is not evaluated without need."""
        decided = not self._unevaluated and operators.truth(left) == (operator == "||")
        self._unevaluated += decided
        try:
            right = self._binary(precedence + 1)
        finally:
            self._unevaluated -= decided
        return left if decided else right

    def _unary(self) -> Value:
        signs: list[tuple[str, int]] = []
        while (char := self.peek()) in ("!", "-", "+"):
            signs.append((char, self.mark()))
            self.pos += 1
        value = self._primary(char)
        for sign, mark in reversed(signs):
            if self._unevaluated:
                break
            try:
                if sign == "!":
                    value = not operators.truth(value)
                elif sign == "-":
                    value = operators.negate(value)
                else:
                    value = operators.apply("+", 0, value) if not isinstance(value, str) else value
            except OperandError as error:
                raise SyntaxFault(mark, str(error)) from None
        return value

    def _primary(self, char: str) -> Value:
        if char == "":
            raise self.fault("value expected")
        if char in "\"'`":
            return self._string(char)
        if char == "{":
            made = Obj()
            self._braced(made)
            return made
        if char == "[":
            return self._array()
        if char == "(":
            return self._parentheses()
        name = _NAME.match(self.text, self.pos)
        if name is not None:
            return self._named(name[0])
        number = _NUMBER.match(self.text, self.pos)
        if number is not None:
            return self._number(number[0])
        if char in "0123456789.":
            raise self.fault("number expected; strings need quotes")
        raise self.fault(f"value expected, not '{char}'")

    def _parentheses(self) -> Value:
        saved = self._enter_bracket("(")
        try:
            value = self.expression()
            if self.peek() != ")":
                raise self.fault("')' expected")
            self.pos += 1
            return value
        finally:
            self._leave_bracket(saved)

    def _number(self, digits: str) -> Value:
        mark = self.mark()
        self.pos += len(digits)
        if digits[:2] in ("0x", "0X"):
            value: operators.Number = int(digits, 16) if len(digits) <= 258 else float("inf")
        elif len(digits) <= 16 and digits.isdecimal():
            value = int(digits)
        else:
            value = float(digits)
        try:
            return operators.exact(value)
        except (OperandError, OverflowError):
            raise SyntaxFault(mark, "the number does not fit 64-bit floating point") from None

    def _named(self, name: str) -> Value:
        mark = self.mark()
        self.pos += len(name)
        if name in self.variables:
            return self._substitute(self.variables[name], mark)
        if name == "true":
            return True
        if name == "false":
            return False
        if name == "null":
            return None
        if name == "I":
            return 1j
        if name == "defined":
            return self._defined()
        if self._unevaluated:
            return None
        raise SyntaxFault(mark, f"undefined variable '{name}'; a string needs quotes")

    def _substitute(self, value: Value, mark: int) -> Value:
        if not isinstance(value, Obj | Arr):
            return value
        self._copied += size(value)
        if self._copied > COPIES:
            raise SyntaxFault(mark, f"variables stand for more than {COPIES} values")
        return copy(value)

    def _defined(self) -> bool:
        if self.peek() != "(":
            raise self.fault("'(' expected after 'defined'")
        self.pos += 1
        self.peek()
        name = _NAME.match(self.text, self.pos)
        if name is None:
            raise self.fault("name of a variable expected")
        self.pos = name.end()
        if self.peek() != ")":
            raise self.fault("')' expected")
        self.pos += 1
        return name[0] in self.variables

    # Strings

    def _string(self, quote: str) -> str:
        if quote == "`":
            return self._backquoted()
        mark = self.mark()
        self.pos += 1
        parts: list[str] = []
        inside = _STRING_PART[quote]
        while True:
            match = inside.match(self.text, self.pos)
            if match is not None:
                parts.append(match[0])
                self.pos = match.end()
            char = self.text[self.pos : self.pos + 1]
            if char == quote:
                self.pos += 1
                return "".join(parts)
            if char != "\\":
                raise SyntaxFault(mark, f"string without end: {quote} expected on the same line")
            parts.append(self._escape())

    def _escape(self) -> str:
        """A backslash and what it stands for, as in JavaScript."""
        mark = self.mark()
        coded = _HEXADECIMAL.match(self.text, self.pos + 1)
        if coded is None:
            char = self.text[self.pos + 1 : self.pos + 2]
            if char in ("x", "u"):
                raise SyntaxFault(mark, f"hexadecimal digits expected after '\\{char}'")
            self.pos += 2
            return _ESCAPES.get(char, char)
        code = int(coded[1] or coded[2], 16)
        if 0xD800 <= code < 0xE000:
            low = int(coded[3], 16) if coded[3] else 0
            if code >= 0xDC00 or not 0xDC00 <= low < 0xE000:
                raise SyntaxFault(mark, "half of a surrogate pair")
            self.pos = coded.end()
            return chr(0x10000 + ((code - 0xD800) << 10) + low - 0xDC00)
        self.pos = coded.end(1) if coded[1] else coded.end(2)
        return chr(code)

    def _backquoted(self) -> str:
        """A backquote string, over several lines, with `${expression}` in it (manual §5.1, item 9)."""
        mark = self.mark()
        self.pos += 1
        parts: list[str] = []
        length = 0
        while True:
            match = _BACKQUOTE_PART.match(self.text, self.pos)
            if match is not None:
                parts.append(match[0])
                self.pos = match.end()
            char = self.text[self.pos : self.pos + 1]
            if char == "`":
                self.pos += 1
                return "".join(parts)
            if char == "\\":
                parts.append(self._escape())
            elif char == "$":
                self.pos += 1
                parts.append(self._inserted())
                length += len(parts[-1])
            else:
                raise SyntaxFault(mark, "backquote string without end: ` expected")
            if length > operators.TEXT_LIMIT:
                raise SyntaxFault(mark, f"the string is longer than {operators.TEXT_LIMIT} characters")

    def _inserted(self) -> str:
        mark = self.mark()
        saved = self._enter_bracket("{")
        try:
            value = self.expression()
            if self.peek() != "}":
                raise self.fault("'}' expected")
            self.pos += 1
        finally:
            self._leave_bracket(saved)
        if self._unevaluated:
            return ""
        try:
            return operators.text(value)
        except OperandError as error:
            raise SyntaxFault(mark, str(error)) from None
