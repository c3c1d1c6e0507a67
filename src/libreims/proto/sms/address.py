"""Addresses of TP (TS 23.040 §9.1.2.5) and of RP (TS 24.011 §8.2.5.1, §8.2.5.2).

Both are a type, a numbering plan and digits in swapped semi-octets.  TP counts semi-octets and may carry
letters in the GSM 7 bit alphabet; RP counts octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from libreims.proto.sms.alphabet import GSM7, pack, unpack
from libreims.proto.sms.reader import Reader, invalid

MAX_DIGITS: Final = 20


class TypeOfNumber(IntEnum):
    """Bits 6 to 4 of the type of address."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6
    RESERVED = 7


class NumberingPlan(IntEnum):
    """Bits 3 to 0 of the type of address; other values are reserved."""

    UNKNOWN = 0
    ISDN = 1
    """E.164."""
    DATA = 3
    TELEX = 4
    CENTRE_SPECIFIC_5 = 5
    CENTRE_SPECIFIC_6 = 6
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    RESERVED_FOR_EXTENSION = 15


_TYPES: Final = tuple(TypeOfNumber)
_PLANS: Final = {plan.value: plan for plan in NumberingPlan}
_DIGITS: Final = "0123456789*#abc"
_SEMI_OCTETS: Final = {digit: code for code, digit in enumerate(_DIGITS)} | {"A": 12, "B": 13, "C": 14}
_PAIRS: Final = tuple(
    "".join(_DIGITS[code] if code < 15 else "f" for code in (octet & 15, octet >> 4)) for octet in range(256)
)


@dataclass(frozen=True, slots=True)
class Address:
    """An SME or an SMS centre: digits (0-9, *, #, a, b, c), or text when the type is alphanumeric."""

    digits: str
    type_of_number: TypeOfNumber = TypeOfNumber.UNKNOWN
    numbering_plan: int = NumberingPlan.ISDN

    @classmethod
    def of_number(cls, number: str) -> Address:
        """Address of a number as people write it: international with `+`, else of unknown type; E.164."""
        if number.startswith("+"):
            return cls(number[1:], TypeOfNumber.INTERNATIONAL)
        return cls(number)

    @classmethod
    def of_text(cls, text: str) -> Address:
        """Alphanumeric sender, at most 11 septets of the default alphabet."""
        return cls(text, TypeOfNumber.ALPHANUMERIC, NumberingPlan.UNKNOWN)

    @classmethod
    def of_sender(cls, sender: str) -> Address:
        """The address that fits what a user wrote: a number when it is one, else text."""
        digits = sender.removeprefix("+")
        is_number = bool(digits) and len(digits) <= MAX_DIGITS and set(digits) <= set("0123456789*#")
        return cls.of_number(sender) if is_number else cls.of_text(sender)

    @property
    def number(self) -> str:
        """As people write it: `+` before an international number; the text of an alphanumeric one."""
        return f"+{self.digits}" if self.type_of_number is TypeOfNumber.INTERNATIONAL else self.digits

    @property
    def is_number(self) -> bool:
        """Whether it has digits, and not text."""
        return self.type_of_number is not TypeOfNumber.ALPHANUMERIC

    def encode_tp(self) -> bytes:
        """With the count of semi-octets and the type (TS 23.040 §9.1.2.5). Raises ValueError."""
        if self.type_of_number is TypeOfNumber.ALPHANUMERIC:
            septets = GSM7.encode(self.digits)
            count, value = (len(septets) * 7 + 3) // 4, pack(septets)
        else:
            count, value = len(self.digits), _semi_octets(self.digits)
        if count > MAX_DIGITS:
            raise ValueError(f"address {self.digits!r} is longer than {MAX_DIGITS} semi-octets")
        return bytes((count, self._type())) + value

    def encode_rp(self) -> bytes:
        """With the count of octets (TS 24.011 §8.2.5.1). Raises ValueError."""
        if len(self.digits) > MAX_DIGITS:
            raise ValueError(f"address {self.digits!r} is longer than {MAX_DIGITS} digits")
        value = _semi_octets(self.digits)
        return bytes((1 + len(value), self._type())) + value

    def _type(self) -> int:
        if not 0 <= self.numbering_plan <= 15:
            raise ValueError(f"numbering plan {self.numbering_plan} is not from 0 to 15")
        return 0x80 | self.type_of_number << 4 | self.numbering_plan


def centre_address(number: str, type_of_number: str = "unknown", numbering_plan: str = "unknown") -> Address:
    """The address that `sms_centre_address` configures; a `+` makes it international and E.164.

    What is set beside a `+` is kept where it says something, since a test may want it.
    """
    kind = TypeOfNumber[type_of_number.upper()]
    plan = NumberingPlan[numbering_plan.upper()]
    if number.startswith("+"):
        number = number[1:]
        kind = kind or TypeOfNumber.INTERNATIONAL
        plan = plan or NumberingPlan.ISDN
    return Address(number, kind, plan)


def read_tp(reader: Reader, what: str) -> Address:
    """A TP address at the reader's place."""
    count = reader.octet(what)
    if count > MAX_DIGITS:
        raise invalid(f"{what} of {count} semi-octets, at most {MAX_DIGITS} are allowed")
    kind = reader.octet(what)
    value = reader.octets((count + 1) // 2, what)
    type_of_number, plan = _TYPES[kind >> 4 & 7], _PLANS.get(kind & 15, kind & 15)
    if type_of_number is TypeOfNumber.ALPHANUMERIC:
        return Address(GSM7.decode(unpack(value, count * 4 // 7)), type_of_number, plan)
    return Address(_digits(value)[:count], type_of_number, plan)


def read_rp(reader: Reader, what: str) -> Address | None:
    """An RP address at the reader's place; None when its length is zero."""
    size = reader.octet(what)
    if not size:
        return None
    if size > 1 + MAX_DIGITS // 2:
        raise invalid(f"{what} of {size} octets, at most {1 + MAX_DIGITS // 2} are allowed")
    value = reader.octets(size, what)
    kind = value[0]
    return Address(_digits(value[1:]), _TYPES[kind >> 4 & 7], _PLANS.get(kind & 15, kind & 15))


def _digits(value: bytes) -> str:
    """Digits up to the end mark 1111 (TS 23.040 §9.1.2.3)."""
    return "".join([_PAIRS[octet] for octet in value]).partition("f")[0]


def _semi_octets(digits: str) -> bytes:
    try:
        codes = [_SEMI_OCTETS[digit] for digit in digits]
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} in {digits!r} is no digit of an address") from None
    if len(codes) % 2:
        codes.append(15)
    return bytes([low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True)])
