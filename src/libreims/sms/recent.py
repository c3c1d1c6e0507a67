"""What became of messages lately: an enquiry may come after the message has gone, and so may a repetition."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple, TypeVar

from libreims.proto.sms.failure import Status
from libreims.proto.sms.timestamp import Timestamp
from libreims.sms.pending import Origin

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
        self._calls: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note(self, origin: Origin, fate: Fate) -> None:
        """A message has been delivered or given up."""
        _keep(self._calls, (origin.impi, origin.call_id), None)
        if origin.destination is not None:
            _keep(self._fates, (origin.impi, origin.reference, origin.destination.number), fate)

    def came_in(self, impi: str, call_id: str) -> bool:
        """Whether a message came with this MESSAGE of this user."""
        return (impi, call_id) in self._calls

    def fate(self, impi: str, reference: int, destination: str) -> Fate | None:
        """What became of the last message with this TP-MR from this user to this number."""
        return self._fates.get((impi, reference, destination))


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
