"""Long texts: their parts put together again (TS 23.040 §9.2.3.24.1)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from libreims.proto.sms.coding import Alphabet, coding
from libreims.proto.sms.header import Concatenation
from libreims.proto.sms.user_data import UserData


class Reassembly:
    """Parts that wait for the others. The oldest unfinished message goes when `limit` of them wait."""

    __slots__ = ("_limit", "_waiting")

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._waiting: dict[Hashable, dict[int, UserData]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sender: Hashable, part: Concatenation, user_data: UserData) -> tuple[UserData, ...] | None:
        """All parts in their order once the last one has come, else None.

        `sender` tells messages apart that happen to have the same reference: who sent it to whom.  A part
        that comes twice counts once, the later one.
        """
        key = (sender, part.wide, part.reference, part.total)
        parts = self._waiting.pop(key, None)
        if parts is None:
            parts = {}
            if len(self._waiting) >= self._limit:
                del self._waiting[next(iter(self._waiting))]
        parts[part.number] = user_data
        if len(parts) == part.total:
            return tuple(parts[number] for number in range(1, part.total + 1))
        self._waiting[key] = parts  # At the end again: the oldest is the one that waits longest for a part.
        return None


def joined_text(parts: Sequence[UserData], dcs: int) -> str | None:
    """The text of all parts; None for 8 bit and compressed data.

    UTF-16 is put together before it is read, for senders that cut a character in two.
    """
    if not coding(dcs).compressed and coding(dcs).alphabet is Alphabet.UCS2:
        return b"".join(part.data(dcs) for part in parts).decode("utf-16-be", "replace")
    texts = [part.text(dcs) for part in parts]
    return None if None in texts else "".join(text or "" for text in texts)
