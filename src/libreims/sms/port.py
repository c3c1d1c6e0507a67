"""How the centre reaches phones: the port, its values and the outcomes of an attempt.

`sms.over_ip` is the way over SIP; SMS over SGs (TS 29.118) will be the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libreims.proto.sms.rp_cause import cause_text
from libreims.sms.pending import Pending


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone that can be reached now."""

    key: int
    """What the bearer knows it by; a phone that registers anew has another one."""
    name: str
    """For the log."""
    text_only: bool = False
    """It takes plain text, and no RP-DATA."""
    since: float = 0.0
    """UTC of its registration: `sms_delay` counts from there."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The phone has the RP-DATA; its RP-ACK is to come."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """RP-ACK, or a 2xx to plain text."""


@dataclass(frozen=True, slots=True)
class Refused:
    """RP-ERROR."""

    cause: int
    """RP cause."""
    failure: int | None = None
    """TP-FCS of the SMS-DELIVER-REPORT in it."""

    def __str__(self) -> str:
        return f"RP-ERROR with cause {cause_text(self.cause)}"


@dataclass(frozen=True, slots=True)
class Unreached:
    """It did not arrive."""

    why: str
    """Part of a sentence: `answers 480`."""
    unfit: bool = False
    """The phone takes no such messages at all, as long as it does not register anew."""
    retry_after: float = 0.0
    """Seconds for which it wants to be left alone."""
    declined: bool = False
    """The phone is there, and does not take this message."""


Outcome = Taken | Delivered | Refused | Unreached


class Outcomes(Protocol):
    """Who hears what became of an attempt: `sms.centre`."""

    def outcome(self, id: str, outcome: Outcome, *, attempt: str = "", impi: str = "") -> str:
        """A message went one step further; returns whose it is, empty when it is not, or no longer, held.

        `attempt` says which one it is about: of one that was given up only an RP-ACK still counts.  `impi`
        says whose phone told it, where a phone did: only the receiver can acknowledge.  The outcome is in the
        store when this returns; `go_on` has to follow.
        """

    def go_on(self, impi: str) -> None:
        """Send the next message for a user, where there is one."""

    def memory_available(self, impi: str, phone: int) -> None:
        """RP-SMMA: a phone can store messages again."""


class SmsBearer(Protocol):
    """A way to the phones."""

    def phones(self, pending: Pending) -> list[Phone]:
        """The phones that a message may go to now, in the order in which to try them."""

    def deliver(self, messages: Sequence[Pending], phone: Phone, attempt: str, *, more: bool) -> None:
        """Send a message, or all parts of one text to a phone that takes plain text.

        What becomes of it is told to the `Outcomes` by the identifier of the first one and that of the
        attempt.  `more`: others wait for the same phone (TP-MMS).
        """

    def withdraw(self, id: str, attempt: str) -> None:
        """An attempt whose phone has gone: it is not sent again, and nothing is told of its answer."""

    def absent(self, pending: Pending) -> str:
        """Why `phones` has none: a part of a sentence for the log."""
