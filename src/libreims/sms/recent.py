"""What became of messages lately: an enquiry may come after the message has gone, and so may a repetition."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple, TypeVar

from libreims.proto.sms.failure import Status
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.pending import Origin, Submission

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED: Final = 4096
"""Messages; the oldest are forgotten first."""


class Fate(NamedTuple):
    """The end of a message."""

    accepted: Timestamp
    """TP-SCTS."""
    settled_at: float
    """UTC."""
    status: Status


class Recent:
    """The last messages that left the centre."""

    def __init__(self) -> None:
        self._fates: OrderedDict[tuple[str, int, str], Fate] = OrderedDict()
        self._submissions: OrderedDict[Submission, None] = OrderedDict()

    def note(self, origin: Origin, fate: Fate) -> None:
        """A message has been delivered or given up."""
        _keep(self._submissions, origin.submission, None)
        if origin.destination is not None:
            _keep(self._fates, (origin.impi, origin.reference, origin.destination.number), fate)

    def __contains__(self, submission: Submission) -> bool:
        """Whether a message came with this MESSAGE."""
        return submission in self._submissions

    def fate(self, impi: str, reference: int, destination: str) -> Fate | None:
        """What became of the last message with this TP-MR from this user to this number."""
        return self._fates.get((impi, reference, destination))


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
