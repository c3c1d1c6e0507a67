"""A message that the centre holds: a value, and the record in which it outlives the process.

The TPDU is the one that the phone gets (SMS-DELIVER or SMS-STATUS-REPORT, TS 23.040 §9.2.2), whatever it
came as; only its flag "more messages" is set when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from libreims.proto.sms.address import Address, NumberingPlan, TypeOfNumber
from libreims.proto.sms.alphabet import octets_of
from libreims.proto.sms.coding import coding
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.header import Concatenation
from libreims.proto.sms.status_report import StatusReport
from libreims.proto.sms.tpdu import decode_to_phone
from libreims.proto.sms.user_data import UserData

Submission = tuple[str, str, int]
"""IMPI, Call-ID and CSeq of a MESSAGE."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The submission that a message came in: for status reports, SMS-COMMAND, the search for duplicates."""

    impi: str
    """Who sent it."""
    impu: str
    """The normal form of the IMPU to which a status report goes."""
    call_id: str
    cseq: int
    """Of the MESSAGE that brought it: one that comes again after a restart is known by these two."""
    reference: int = 0
    """TP-MR."""
    destination: Address | None = None
    """TP-DA; None for a message that came as text."""
    report: bool = False
    """A status report is wanted (TP-SRR)."""

    @property
    def submission(self) -> Submission:
        """What tells it from every other one."""
        return self.impi, self.call_id, self.cseq


@dataclass(frozen=True, slots=True)
class Pending:
    """A message for one user."""

    id: str
    impi: str
    """Whose it is."""
    impu: str
    """Normal form of the IMPU that it is for; empty: any phone of the user."""
    tpdu: Deliver | StatusReport
    accepted_at: float
    """UTC."""
    expires_at: float
    """UTC."""
    dialled: str = ""
    """The URI by which the sender named the IMPU."""
    from_: str = ""
    """From for a phone that gets it as text; empty where the originator of the TPDU says all."""
    sos: bool = False
    """For phones in an emergency registration only."""
    single_shot: bool = False
    """Given up after the first attempt (TS 23.040 §9.2.3.12.3)."""
    origin: Origin | None = None

    @property
    def text(self) -> str | None:
        """What it says; None for what is no text."""
        tpdu = self.tpdu
        return tpdu.user_data.text(tpdu.dcs) if isinstance(tpdu, Deliver) else None

    @property
    def part(self) -> Concatenation | None:
        """Which part of a longer text it is."""
        tpdu = self.tpdu
        if not isinstance(tpdu, Deliver) or not tpdu.user_data.has_header:
            return None
        return tpdu.user_data.header.concatenation

    @property
    def sender(self) -> str:
        """Who it is from, for the log."""
        tpdu = self.tpdu
        return tpdu.originator.number if isinstance(tpdu, Deliver) else "the SMS centre"

    def with_report(self, wanted: bool) -> Pending:
        """The same message, for which a status report is wanted or not."""
        if self.origin is None:
            return self
        return replace(self, origin=replace(self.origin, report=wanted))

    def record(self) -> dict[str, Any]:
        """As JSON types."""
        tpdu = self.tpdu
        value: dict[str, Any] = {"impi": self.impi, "impu": self.impu}
        if isinstance(tpdu, Deliver) and not _is_even(tpdu):
            # What the remote API sent with a length of its own would not be read again as it is.
            data = tpdu.user_data
            value["user_data"] = [data.length, data.octets.hex(), data.has_header]
            tpdu = replace(tpdu, user_data=UserData())
        value |= {
            "tpdu": tpdu.encode().hex(),
            "accepted": self.accepted_at,
            "expires": self.expires_at,
        }
        if self.dialled:
            value["dialled"] = self.dialled
        if self.from_:
            value["from"] = self.from_
        if self.sos:
            value["sos"] = True
        if self.single_shot:
            value["single_shot"] = True
        if self.origin is not None:
            value["origin"] = _origin_record(self.origin)
        return value

    @classmethod
    def read(cls, id: str, value: Mapping[str, Any]) -> Pending:
        """From a record. Raises ValueError for one that is none."""
        try:
            tpdu = decode_to_phone(bytes.fromhex(value["tpdu"]))
            if not isinstance(tpdu, Deliver | StatusReport):
                raise ValueError("its TPDU is a report of a submission")
            if "user_data" in value and isinstance(tpdu, Deliver):
                length, octets, has_header = value["user_data"]
                data = UserData(int(length), bytes.fromhex(octets), bool(has_header))
                tpdu = replace(tpdu, user_data=data)
            return cls(
                id=id,
                impi=str(value["impi"]),
                impu=str(value["impu"]),
                tpdu=tpdu,
                accepted_at=float(value["accepted"]),
                expires_at=float(value["expires"]),
                dialled=str(value.get("dialled", "")),
                from_=str(value.get("from", "")),
                sos=bool(value.get("sos", False)),
                single_shot=bool(value.get("single_shot", False)),
                origin=_read_origin(value["origin"]) if "origin" in value else None,
            )
        except SmsDecodeError as error:
            raise ValueError(f"its TPDU cannot be read: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _is_even(deliver: Deliver) -> bool:
    """Whether TP-User-Data-Length fits the octets."""
    data = deliver.user_data
    septets = coding(deliver.dcs).counts_septets
    return len(data.octets) == (octets_of(data.length) if septets else data.length)


def _origin_record(origin: Origin) -> dict[str, Any]:
    value: dict[str, Any] = {
        "impi": origin.impi,
        "impu": origin.impu,
        "call_id": origin.call_id,
        "cseq": origin.cseq,
    }
    if origin.destination is not None:
        address = origin.destination
        value |= {
            "reference": origin.reference,
            "destination": [address.digits, int(address.type_of_number), int(address.numbering_plan)],
            "report": origin.report,
        }
    return value


def _read_origin(value: Mapping[str, Any]) -> Origin:
    destination = None
    if "destination" in value:
        digits, kind, plan = value["destination"]
        known = {each.value: each for each in NumberingPlan}
        destination = Address(str(digits), TypeOfNumber(kind), known.get(plan, int(plan)))
    return Origin(
        str(value["impi"]),
        str(value["impu"]),
        str(value["call_id"]),
        int(value["cseq"]),
        int(value.get("reference", 0)),
        destination,
        bool(value.get("report", False)),
    )
