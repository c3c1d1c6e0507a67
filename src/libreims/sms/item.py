"""One message of a queue, the line that it waits in, and where it stands."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from libreims.sms.pending import Pending
from libreims.sms.port import Refused


class Line(NamedTuple):
    """What tells the lines of a user apart."""

    impu: str
    sos: bool
    is_text: bool


class State(Enum):
    """Of one message."""

    WAITING = auto()
    """For its turn, a phone, or its time."""
    SENDING = auto()
    """Sent; the SIP answer is to come."""
    AWAITING = auto()
    """The phone has it; its RP-ACK is to come."""
    GONE = auto()
    """Delivered, or given up."""


class Item:
    """A message and where it stands."""

    __slots__ = (
        "aside",
        "attempt",
        "line",
        "not_before",
        "number",
        "pending",
        "refused",
        "refusers",
        "restored",
        "retry_after",
        "rounds",
        "state",
        "tried",
    )

    def __init__(self, pending: Pending, number: int) -> None:
        self.pending = pending
        self.line = Line(pending.impu, pending.sos, pending.text is not None)
        self.number = number
        """Place in the order of acceptance."""
        self.state = State.WAITING
        self.attempt = ""
        """The last one, as the bearer knows it."""
        self.not_before = 0.0  # clock time
        self.rounds = 0
        """How often all phones have been tried in vain."""
        self.retry_after = 0.0
        """Seconds for which a phone wants to be left alone."""
        self.aside = False
        """A phone that is there does not take it, so that others may overtake it."""
        self.tried: set[int] = set()
        """Phones tried in this round."""
        self.restored = False
        """It came in with an earlier process."""
        self.refusers: set[int] = set()
        """Phones that will not take it, ever."""
        self.refused: Refused | None = None
        """What the last of them said."""
