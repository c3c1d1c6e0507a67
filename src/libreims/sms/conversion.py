"""Text as short messages: SMS-DELIVER TPDUs in as many parts as it takes (TS 23.040 §9.2.3.24.1)."""

from __future__ import annotations

from libreims.proto.sms.address import Address
from libreims.proto.sms.coding import DataCoding
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.segments import segment
from libreims.proto.sms.timestamp import Timestamp


def deliveries(
    text: str,
    originator: Address,
    timestamp: Timestamp,
    reference: int,
    *,
    pid: int = 0,
    dcs: int | None = None,
) -> list[Deliver]:
    """The parts of a text, in the smallest alphabet that has it. Raises ValueError for one that is too long.

    `reference` ties the parts together; `dcs` is a data coding scheme that says more than the alphabet.
    """
    cut = segment(text, reference)
    scheme = DataCoding(cut.alphabet).octet if dcs is None else dcs
    return [Deliver(originator, timestamp, part, pid, scheme) for part in cut.parts]
