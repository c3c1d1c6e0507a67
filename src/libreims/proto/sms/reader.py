"""A cursor over received octets: what is missing is one `SmsDecodeError`, never an IndexError."""

from __future__ import annotations

from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.rp_cause import RpCause


class Reader:
    """Octets and the place up to which they are read."""

    __slots__ = ("data", "place")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    @property
    def left(self) -> int:
        """How many octets follow."""
        return len(self.data) - self.place

    def octet(self, what: str) -> int:
        """The next octet; `what` names it in the error."""
        place = self.place
        if place >= len(self.data):
            raise missing(what)
        self.place = place + 1
        return self.data[place]

    def octets(self, count: int, what: str) -> bytes:
        """The next `count` octets."""
        place = self.place
        after = place + count
        if after > len(self.data):
            raise missing(what)
        self.place = after
        return self.data[place:after]


def invalid(why: str) -> SmsDecodeError:
    """Mandatory information that cannot be right (cause 96)."""
    return SmsDecodeError(RpCause.INVALID_MANDATORY_INFORMATION, why)


def missing(what: str) -> SmsDecodeError:
    """The octets end before `what` does (cause 96)."""
    return invalid(f"cut in {what}")
