"""Expressions of the configuration language (manual §5.1, items 1, 2, 3 and 9): values, operators, strings.

Evaluated while they are read, with JavaScript's precedence.
"""

from __future__ import annotations

import re

from libreims.config import operators
from libreims.config.operators import OperandError
from libreims.config.preprocessor import Preprocessor, ReadText, SyntaxFault
from libreims.config.source import Diagnosis
from libreims.config.tree import Arr, Obj, Value, copy, extent

NESTING = 40
"""Objects, arrays and parentheses inside one another."""
COPIES = 1_000_000
"""Values that the uses of variables may add up to."""
NAME = re.compile(r"[A-Za-z_]\w*+", re.A)
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]++|(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)(?![\w.])", re.A)
_OPERATOR = re.compile(r"\|\||&&|[=!<>]=|[-+*/<>]")
_OPERATOR_START = frozenset("|&=!<>-+*/")
_STRING_PART = {quote: re.compile(rf"[^{quote}\\\n]++") for quote in "\"'"}
_BACKQUOTE_PART = re.compile(r"(?:[^`\\$]++|\$(?!\{))+")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0", "\n": ""}
_HEXADECIMAL = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})(?:\\u([0-9A-Fa-f]{4}))?")
_CLOSING = {"{": "}", "[": "]", "(": ")"}


def shown_character(char: str) -> str:
    """A character of a file ("" at its end) in a sentence, whatever it is."""
    if not char:
        return "the end"
    return f"'{char}'" if char.isprintable() else f"the character U+{ord(char):04X}"


class Expressions(Preprocessor):
    """Reads expressions; the parser derives from it and reads what has brackets."""

    def __init__(self, diagnosis: Diagnosis, read_text: ReadText) -> None:
        super().__init__(diagnosis, read_text)
        self.open: list[str] = []
        """Closing brackets that are awaited in this file, innermost last."""
        self.end = 0
        """Where the last value ended."""
        self._depth = 0
        """Brackets that are open in all files."""
        self._unevaluated = 0
        """Inside the right side of an && or || that does not count."""
        self._copied = 0

    def object(self) -> Obj:
        """Read an object from its `{`."""
        raise NotImplementedError

    def array(self) -> Arr:
        """Read an array from its `[`."""
        raise NotImplementedError

    def enter_bracket(self, bracket: str) -> bool:
        """Pass an opening bracket; what is returned goes to `leave_bracket`."""
        if self._depth >= NESTING:
            raise self.fault(f"more than {NESTING} brackets inside one another")
        self.pos += 1
        self._depth += 1
        self.open.append(_CLOSING[bracket])
        saved, self.in_line = self.in_line, False
        return saved

    def leave_bracket(self, in_line: bool) -> None:
        """The closing bracket has been passed, or given up."""
        self.open.pop()
        self._depth -= 1
        self.in_line = in_line

    def expression(self) -> Value:
        """Read and evaluate an expression; raises SyntaxFault."""
        return self._binary(1)

    def _binary(self, minimum: int) -> Value:
        left = self._unary()
        end = self.mark()
        while self.peek() in _OPERATOR_START:
            match = _OPERATOR.match(self.text, self.pos)
            if match is None:
                raise self.fault(f"operator expected, not '{self.text[self.pos]}'")
            operator = match[0]
            precedence = operators.PRECEDENCE[operator]
            if precedence < minimum:
                break
            mark = self.mark()
            self.pos = match.end()
            if precedence <= 2:
                left = self._logical(operator, left, precedence)
                end = self.end
                continue
            right = self._binary(precedence + 1)
            end = self.end
            if not self._unevaluated:
                try:
                    left = operators.apply(operator, left, right)
                except OperandError as error:
                    raise SyntaxFault(mark, str(error)) from None
        self.end = end  # not earlier: `peek` may have read the expression of a directive
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
            return self.string(char)
        if char == "{":
            return self.object()
        if char == "[":
            return self.array()
        if char == "(":
            return self._parentheses()
        name = NAME.match(self.text, self.pos)
        if name is not None:
            return self._named(name[0])
        number = _NUMBER.match(self.text, self.pos)
        if number is not None:
            return self._number(number[0])
        if char in "0123456789.":
            raise self.fault("number expected; strings need quotes")
        raise self.fault(f"value expected, not {shown_character(char)}")

    def _parentheses(self) -> Value:
        saved = self.enter_bracket("(")
        try:
            value = self.expression()
            if self.peek() != ")":
                raise self.fault("')' expected")
            self.pos += 1
            return value
        finally:
            self.leave_bracket(saved)

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
        count, depth = extent(value)
        self._copied += count
        if self._copied > COPIES:
            raise SyntaxFault(mark, f"variables stand for more than {COPIES} values")
        if self._depth + depth > NESTING:
            raise SyntaxFault(mark, f"more than {NESTING} brackets inside one another")
        return copy(value)

    def _defined(self) -> bool:
        if self.peek() != "(":
            raise self.fault("'(' expected after 'defined'")
        self.pos += 1
        self.peek()
        name = NAME.match(self.text, self.pos)
        if name is None:
            raise self.fault("name of a variable expected")
        self.pos = name.end()
        if self.peek() != ")":
            raise self.fault("')' expected")
        self.pos += 1
        return name[0] in self.variables

    # Strings

    def string(self, quote: str) -> str:
        """A string from its quote."""
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
        saved = self.enter_bracket("{")
        try:
            value = self.expression()
            if self.peek() != "}":
                raise self.fault("'}' expected")
            self.pos += 1
        finally:
            self.leave_bracket(saved)
        if self._unevaluated:
            return ""
        try:
            return operators.text(value)
        except OperandError as error:
            raise SyntaxFault(mark, str(error)) from None
