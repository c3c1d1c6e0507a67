"""Long texts that travel in parts (TS 23.040 §9.2.3.24.1), put together for phones that take plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.reassembly import joined_text
from libreims.sms.pending import Pending

PARTS_PATIENCE: Final = 30.0
"""Seconds that a part waits for the others; then it goes alone."""


SEARCHED: Final = 600
"""Messages of a line that are looked at for the parts of a text, which has at most 255."""


def joined(waiting: Iterable[Pending]) -> list[Pending] | None:
    """All parts of the text to which the first message belongs, in order; None while some are missing."""
    found: dict[int, Pending] = {}
    wanted: tuple[object, ...] | None = None
    total = 0
    for pending in islice(waiting, SEARCHED):
        part = pending.part
        if part is None:
            continue
        belongs = (pending.sender, part.reference, part.total, part.wide)
        if wanted is None:
            wanted, total = belongs, part.total
        if belongs == wanted:
            found.setdefault(part.number, pending)
            if len(found) == total:
                return [found[number] for number in sorted(found)]
    return None


def whole_text(parts: Sequence[Pending]) -> str:
    """What the parts say together."""
    deliveries = [each.tpdu for each in parts if isinstance(each.tpdu, Deliver)]
    if len({each.dcs for each in deliveries}) == 1:
        return joined_text([each.user_data for each in deliveries], deliveries[0].dcs) or ""
    return "".join([each.text or "" for each in parts])
