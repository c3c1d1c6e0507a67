"""The types of configuration values: each reads an untyped value, or says what was expected."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any

from libreims.base.log_options import LogOptionsError
from libreims.base.log_options import parse as parse_log_options
from libreims.config.declare import Invalid, Kind, Reader, Skip, declarations
from libreims.config.operators import kind as describe
from libreims.config.tree import Arr, Obj, Value, number_text, plain

Address = tuple[str, int]

_HEX = re.compile(r"[0-9A-Fa-f]*\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")
_MANY = 1e15


def shown(value: Value) -> str:
    """A value in a message, cut when it is long."""
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int | float | complex):
        text = number_text(value)
    else:
        text = describe(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Boolean(Kind):
    """`true` or `false`; `1` and `0` will do."""

    name = "boolean"

    def read(self, value: Value, reader: Reader, path: str) -> bool:
        """True or False."""
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float) and value in (0, 1):
            return value == 1
        raise Invalid(f"true or false expected, not {shown(value)}")


class Integer(Kind):
    """A whole number in a range, ends included."""

    name = "integer"

    def __init__(self, low: int = 0, high: int = 2**31 - 1, *, also: tuple[int, ...] = ()) -> None:
        self.low = low
        self.high = high
        self.also = also

    def range(self) -> str:
        """For example `0 to 255`."""
        more = "".join(f", {number}" for number in self.also)
        return f"{self.low} to {self.high}{more}" if self.high < 2**31 - 1 else f"{self.low} or more{more}"

    def read(self, value: Value, reader: Reader, path: str) -> int:
        """The integer."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"integer expected, not {shown(value)}")
        if not self.low <= value <= self.high and value not in self.also:
            raise Invalid(f"{value} is out of range: {self.range()}")
        return value


class Number(Kind):
    """A real number in a range, ends included."""

    name = "number"

    def __init__(self, low: float = 0.0, high: float = _MANY, *, above: bool = False) -> None:
        self.low = low
        self.high = high
        self.above = above
        """The lower end does not belong to the range."""

    def range(self) -> str:
        """For example `0 to 60`."""
        low = number_text(self.low)
        if self.high == _MANY:
            return f"more than {low}" if self.above else f"{low} or more"
        return f"{'more than ' if self.above else ''}{low} to {number_text(self.high)}"

    def read(self, value: Value, reader: Reader, path: str) -> float:
        """The number."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Invalid(f"number expected, not {shown(value)}")
        if not self.low <= value <= self.high or (self.above and value == self.low):
            raise Invalid(f"{number_text(value)} is out of range: {self.range()}")
        return float(value)


class Text(Kind):
    """A string."""

    name = "string"

    def __init__(self, pattern: str = "", what: str = "") -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._what = what

    def range(self) -> str:
        """What the string must look like."""
        return self._what

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The string."""
        if not isinstance(value, str):
            raise Invalid(f"string expected, not {describe(value)}")
        if self._pattern is not None and self._pattern.fullmatch(value) is None:
            raise Invalid(f"{self._what} expected, not {shown(value)}")
        return value


class Secret(Kind):
    """A string that no message shows."""

    name = "string"

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The string."""
        if not isinstance(value, str):
            raise Invalid(f"string expected, not {describe(value)}")
        return value


class TextOrBoolean(Kind):
    """A string or a boolean."""

    name = "string or boolean"

    def read(self, value: Value, reader: Reader, path: str) -> str | bool:
        """The string or the boolean."""
        if isinstance(value, str | bool):
            return value
        if isinstance(value, int | float) and value in (0, 1):
            return value == 1
        raise Invalid(f"string, true or false expected, not {shown(value)}")


class Choice(Kind):
    """One of several strings."""

    name = "string"

    def __init__(
        self, *choices: str, also: Mapping[Value, str] | None = None, ignored: tuple[str, ...] = ()
    ) -> None:
        self.choices = choices
        self._also = dict(also or {})
        """Older spellings and booleans, and what they mean today."""
        self._ignored = ignored
        """Values of older versions that are left out with a warning."""

    def range(self) -> str:
        """The strings allowed."""
        return ", ".join(f'"{choice}"' for choice in self.choices)

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The string."""
        if isinstance(value, str) and value in self.choices:
            return value
        if not isinstance(value, Obj | Arr) and value in self._also:
            return self._also[value]
        if value in self._ignored:
            raise Skip(f"{shown(value)} is no longer supported and left out")
        raise Invalid(f"{shown(value)} is not one of {self.range()}")


class ChoiceSet(Kind):
    """Several of some strings, separated by commas in one string."""

    name = "string"

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def range(self) -> str:
        """The strings allowed."""
        return "list, separated by commas, of " + ", ".join(f'"{choice}"' for choice in self.choices)

    def read(self, value: Value, reader: Reader, path: str) -> tuple[str, ...]:
        """The strings, in the order of the file."""
        if not isinstance(value, str):
            raise Invalid(f"string expected, not {describe(value)}")
        chosen = tuple(word.strip() for word in value.split(","))
        for word in chosen:
            if word not in self.choices:
                raise Invalid(f"{shown(word)} is not one of " + ", ".join(map(shown, self.choices)))
        return chosen


class Hex(Kind):
    """Octets as hexadecimal digits; no message shows them."""

    name = "hexadecimal string"

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths

    def range(self) -> str:
        """The lengths allowed."""
        return " or ".join(map(str, self.lengths)) + " bytes"

    def read(self, value: Value, reader: Reader, path: str) -> bytes:
        """The octets."""
        if not isinstance(value, str):
            raise Invalid(f"string of hexadecimal digits expected, not {describe(value)}")
        digits = value.replace(" ", "")
        if not _HEX.match(digits):
            raise Invalid("hexadecimal digits expected, there are other characters")
        if len(digits) % 2 or len(digits) // 2 not in self.lengths:
            wanted = " or ".join(str(2 * length) for length in self.lengths)
            raise Invalid(f"{wanted} hexadecimal digits expected, there are {len(digits)}")
        return bytes.fromhex(digits)


class HexNumber(Hex):
    """A big-endian number as hexadecimal digits."""

    def read(self, value: Value, reader: Reader, path: str) -> Any:
        """The number."""
        return int.from_bytes(super().read(value, reader, path), "big")


class FileName(Kind):
    """The name of a file, relative to the directory of the configuration file."""

    name = "file name"

    def __init__(self, *, null: bool = False) -> None:
        self.null = null

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The name, usable from any directory where the configuration file's is."""
        if not isinstance(value, str):
            raise Invalid(f"string expected, not {describe(value)}")
        return os.path.join(reader.directory, value) if value else ""


class IpAddress(Kind):
    """An IP address with an optional port: `10.0.0.1`, `10.0.0.1:5060`, `::1`, `[::1]:5060`."""

    name = "address"

    def __init__(self, default_port: int = 0, *, host_name: bool = False) -> None:
        self.default_port = default_port
        """-1 leaves it to the reader of the value."""
        self.host_name = host_name

    def range(self) -> str:
        """The port that is taken when none is given."""
        return f"default port {self.default_port}" if self.default_port > 0 else ""

    def read(self, value: Value, reader: Reader, path: str) -> Address:
        """Host, in the form of RFC 5952 when IPv6, and port."""
        if not isinstance(value, str):
            raise Invalid(f"string with an IP address expected, not {describe(value)}")
        host, port = _split_port(value)
        number = self.default_port
        if port is not None:
            if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
                raise Invalid(f"{shown(value)} has no valid port: 0 to 65535 expected")
            number = int(port)
        try:
            return str(ipaddress.ip_address(host)), number
        except ValueError:
            if self.host_name and _HOST_NAME.match(host):
                return host.lower(), number
        expected = "IP address or host name" if self.host_name else "IP address"
        raise Invalid(
            f"{shown(value)} is not an {expected} with an optional port; IPv6 with port: [::1]:5060"
        )


def _split_port(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return "", None
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


class ListOf(Kind):
    """An array; with `single`, one value stands for an array of one."""

    nested = True

    def __init__(self, item: Kind, *, single: bool = False) -> None:
        self.item = item
        self.single = single
        self.name = f"array of {item.name}" + (f", or one {item.name}" if single else "")

    def range(self) -> str:
        """The values allowed for an element."""
        return self.item.range()

    def elements(self, value: Value, reader: Reader, path: str, first: int = 0) -> list[tuple[Any, int]]:
        """The elements with their marks; what is wrong with them has been noted.

        Of a slice of a longer array `first` is the index of its first element there.
        """
        if not isinstance(value, Arr):
            if not self.single:
                raise Invalid(f"array expected, not {describe(value)}")
            return [(self.item.read(value, reader, path), -1)]
        read: list[tuple[Any, int]] = []
        for index, (element, mark) in enumerate(zip(value, value.marks, strict=True), first):
            try:
                if element is None:
                    raise Invalid(f"{self.item.name} expected, not null")
                where = f"{path}[{index}]" if self.item.nested else path
                read.append((self.item.read(element, reader, where), mark))
            except Invalid as invalid:
                reader.error(mark, f"{path}[{index}]", str(invalid))
            except Skip as skip:
                reader.diagnosis.warn(mark, str(skip))
        return read

    def read(self, value: Value, reader: Reader, path: str) -> Any:
        """The elements as a tuple."""
        return tuple([element for element, _ in self.elements(value, reader, path)])


class Struct(Kind):
    """An object with properties of its own."""

    nested = True

    def __init__(self, section: type[Any], *, short: str = "", what: str = "object") -> None:
        self.section = section
        self.short = short
        """The property that a value which is no object sets."""
        short_kind = declarations(section)[short].kind.name if short else ""
        self.name = f"{what} or {short_kind}" if short else what

    def read(self, value: Value, reader: Reader, path: str) -> Any:
        """An instance of the section."""
        if isinstance(value, Obj):
            return reader.section(self.section, value, path)
        if self.short and not isinstance(value, Arr):
            tree = Obj()
            tree.put(self.short, value, -1)
            return self._from_short(tree, reader, path)
        raise Invalid(f"object expected, not {describe(value)}")

    def _from_short(self, tree: Obj, reader: Reader, path: str) -> Any:
        before = len(reader.diagnosis.errors)
        made = reader.section(self.section, tree, path)
        if len(reader.diagnosis.errors) > before:
            # The value has no mark of its own: leave the message to whoever knows the place.
            message = reader.diagnosis.errors[before].message
            del reader.diagnosis.errors[before:]
            raise Invalid(message.removeprefix(f"{path}.{self.short}: "))
        return made


class LogAssignments(Kind):
    """`log_options`: assignments separated by commas."""

    name = "string"

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The text, which the log will read again."""
        if not isinstance(value, str):
            raise Invalid(f"string expected, not {describe(value)}")
        try:
            parse_log_options(value)
        except LogOptionsError as error:
            raise Invalid("; ".join(error.problems)) from None
        return value


class Anything(Kind):
    """Any JSON value, kept as it is."""

    name = "any"

    def read(self, value: Value, reader: Reader, path: str) -> object:
        """Plain dicts, lists and scalars."""
        return plain(value)
