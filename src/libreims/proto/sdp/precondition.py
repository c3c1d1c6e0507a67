"""QoS preconditions in SDP: RFC 3312, RFC 4032, as phones use them (TS 24.229 §6.1).

`Statement` reads and writes the `a=curr`, `a=des` and `a=conf` lines of one m-line.  `StatusTable` is our
view of one m-line (RFC 3312 §5), `Preconditions` that of all m-lines of a dialog.  What follows from it
for alerting and answering is in `precondition_decision`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Final, Literal, NamedTuple

from libreims.proto.sdp.description import MediaDescription, SessionDescription, attribute_name
from libreims.proto.sdp.offer_answer import PRECONDITIONS

OPTION_TAG: Final = "precondition"
"""In Supported; TS 24.229 §5.1.3.1 never puts it into Require, unlike RFC 3312 §11."""

QOS: Final = "qos"

Segment = Literal["local", "remote", "e2e"]
"""Whose access it is, from the writer's point of view, or the whole way (RFC 3312 §4)."""
SEGMENTS: Final[tuple[Segment, ...]] = ("local", "remote", "e2e")

Strength = Literal["mandatory", "optional", "none", "failure", "unknown"]
Demand = Literal["none", "optional", "mandatory"]
"""How much we insist on the resources of our side."""
STRENGTHS: Final[tuple[Strength, ...]] = ("mandatory", "optional", "none", "failure", "unknown")


class Way(IntFlag):
    """The directions of a stream, from the writer's point of view."""

    NONE = 0
    SEND = 1
    RECV = 2
    SENDRECV = 3

    @property
    def flipped(self) -> Way:
        """The same directions seen from the other end."""
        send = Way.RECV if self & Way.SEND else Way.NONE
        return send | (Way.SEND if self & Way.RECV else Way.NONE)

    @property
    def tag(self) -> str:
        """`none`, `send`, `recv`, `sendrecv`."""
        return _TAGS[self]


_TAGS: Final = {Way.NONE: "none", Way.SEND: "send", Way.RECV: "recv", Way.SENDRECV: "sendrecv"}
_WAYS: Final = {tag: way for way, tag in _TAGS.items()}


# --- lines --------------------------------------------------------------------------------------------


class Status(NamedTuple):
    """`a=curr` or `a=conf`."""

    kind: str
    """Precondition type: `qos`."""
    segment: Segment
    way: Way

    def __str__(self) -> str:
        return f"{self.kind} {self.segment} {self.way.tag}"


class Desired(NamedTuple):
    """`a=des`."""

    kind: str
    strength: Strength
    segment: Segment
    way: Way

    def __str__(self) -> str:
        return f"{self.kind} {self.strength} {self.segment} {self.way.tag}"


class Statement(NamedTuple):
    """The precondition lines of one m-line, as their writer means them."""

    current: tuple[Status, ...] = ()
    desired: tuple[Desired, ...] = ()
    confirm: tuple[Status, ...] = ()

    @classmethod
    def parse(cls, media: MediaDescription) -> Statement:
        """Read them; lines that are malformed count as not there: no call is lost for them."""
        return cls(
            tuple(_statuses(media.attributes("curr"))),
            tuple(_desires(media.attributes("des"))),
            tuple(_statuses(media.attributes("conf"))),
        )

    @property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [
            *(f"a=curr:{each}" for each in self.current),
            *(f"a=des:{each}" for each in self.desired),
            *(f"a=conf:{each}" for each in self.confirm),
        ]


def _statuses(values: Iterable[str]) -> Iterable[Status]:
    for value in values:
        parts = value.lower().split()
        if len(parts) == 3 and parts[2] in _WAYS and (segment := _segment(parts[1])) is not None:
            yield Status(parts[0], segment, _WAYS[parts[2]])


def _desires(values: Iterable[str]) -> Iterable[Desired]:
    for value in values:
        parts = value.lower().split()
        if len(parts) != 4 or parts[3] not in _WAYS:
            continue
        segment = _segment(parts[2])
        strength = next((each for each in STRENGTHS if each == parts[1]), None)
        if segment is not None and strength is not None:
            yield Desired(parts[0], strength, segment, _WAYS[parts[3]])


def _segment(text: str) -> Segment | None:
    return next((each for each in SEGMENTS if each == text), None)


def put(media: MediaDescription, statement: Statement) -> MediaDescription:
    """The m-line with these precondition lines at its end instead of those it has."""
    lines = [each for each in media.lines[1:] if attribute_name(each) not in PRECONDITIONS]
    return media.with_lines([*lines, *statement.lines])


# --- one m-line ---------------------------------------------------------------------------------------

_MIRROR: Final[dict[Segment, Segment]] = {"local": "remote", "remote": "local", "e2e": "e2e"}


class _Row:
    """One segment of the table, each flag for both directions, from our point of view."""

    __slots__ = ("asked", "failed", "mandatory", "optional", "said")

    def __init__(self) -> None:
        self.said = Way.NONE  # current, by the peer's last word
        self.mandatory = Way.NONE
        self.optional = Way.NONE
        self.asked = Way.NONE  # the peer wants to be told when it is there
        self.failed = Way.NONE


class StatusTable:
    """The status of one m-line as we see it: `local` is our side, `remote` the peer's (RFC 3312 §5).

    Each side is believed about its own access: what the peer says of `local` changes nothing here.  A
    new word of the peer replaces its last one, so that what it had may be lost again (RFC 4032 §3).
    """

    __slots__ = ("_demand", "_reserved", "_rows", "_told", "unknown")

    def __init__(self, reserved: Way = Way.NONE, demand: Demand = "none") -> None:
        """`reserved`: what our side has; `demand`: how much we insist on our side's resources."""
        self._reserved = reserved
        self._demand = demand
        self._rows: dict[Segment, _Row] = {}
        self._told: Way | None = None  # what our last description said of our side
        self.unknown: tuple[Desired, ...] = ()
        """What the peer makes mandatory and we do not know (other types than `qos`, RFC 3312 §8)."""

    # -- what is known -----------------------------------------------------------------------------

    @property
    def in_use(self) -> bool:
        """Whether the peer, or we in an offer, put preconditions on this m-line."""
        return bool(self._rows)

    def current(self, segment: Segment) -> Way:
        """What is there."""
        if segment == "local":
            return self._reserved
        row = self._rows.get(segment)
        said = row.said if row is not None else Way.NONE
        # Of the whole way a side knows about what it sends (RFC 3312 §13.1).
        return said | (self._reserved & Way.SEND) if segment == "e2e" else said

    def missing(self, segment: Segment) -> Way:
        """What is mandatory and not there."""
        row = self._rows.get(segment)
        return Way.NONE if row is None else row.mandatory & ~self.current(segment)

    def is_met(self) -> bool:
        """Whether every mandatory precondition is met: the session may go on (RFC 3312 §6)."""
        return not any(self.missing(segment) for segment in SEGMENTS)

    def peer_is_met(self) -> bool:
        """Whether the peer's side is there, as far as it is mandatory."""
        return not (self.missing("remote") | self._unsaid)

    @property
    def _unsaid(self) -> Way:
        """What only the peer can say of the whole way: whether its packets get through."""
        return self.missing("e2e") & Way.RECV

    def has_failed(self) -> bool:
        """Whether the peer said that a precondition cannot be met (`failure`, `unknown`; RFC 3312 §8)."""
        return any(row.failed for row in self._rows.values())

    @property
    def asked(self) -> bool:
        """The peer asked for a confirmation of ours that is due now (RFC 3312 §7)."""
        return any(
            row.asked and not row.asked & ~self.current(segment) for segment, row in self._rows.items()
        )

    @property
    def told(self) -> bool:
        """Whether our last description said what our side has now."""
        return self._told == self._reserved

    def untold(self) -> None:
        """Our last description never counted: its request was refused or lost."""
        self._told = None

    # -- what happens ------------------------------------------------------------------------------

    def reserve(self, way: Way = Way.SENDRECV) -> None:
        """Our side has this now; NONE takes it back."""
        self._reserved = way

    def demand(self, strength: Demand) -> None:
        """Insist on our side's resources from the next description on."""
        self._demand = strength

    def received_offer(self, statement: Statement) -> None:
        """The peer offers: its wishes replace those of before (RFC 3312 §5.1, §5.2)."""
        if not _about_qos(statement):
            self._rows = {}
        for row in self._rows.values():
            row.mandatory = row.optional = Way.NONE
        self._take(statement)

    def received_answer(self, statement: Statement) -> None:
        """The peer answers: it may raise strengths, never lower them (RFC 3312 §5.2).

        An answer that says nothing comes from a peer without preconditions: none hold.
        """
        if not _about_qos(statement):
            self._rows = {}
        self._take(statement)

    def _take(self, statement: Statement) -> None:
        for row in self._rows.values():
            row.said = row.asked = row.failed = Way.NONE
        for each in statement.current:
            if each.kind == QOS:
                row = self._row(_MIRROR[each.segment])
                row.said |= each.way.flipped
        for wish in statement.desired:
            if wish.kind == QOS:
                self._wish(self._row(_MIRROR[wish.segment]), wish.strength, wish.way.flipped)
        for each in statement.confirm:
            if each.kind == QOS:
                self._row(_MIRROR[each.segment]).asked |= each.way.flipped
        self.unknown = tuple(
            wish for wish in statement.desired if wish.kind != QOS and wish.strength == "mandatory"
        )

    @staticmethod
    def _wish(row: _Row, strength: Strength, way: Way) -> None:
        if strength == "mandatory":
            row.mandatory |= way
        elif strength == "optional":
            row.optional |= way
        elif strength in ("failure", "unknown"):
            row.failed |= way

    def _row(self, segment: Segment) -> _Row:
        row = self._rows.get(segment)
        if row is None:
            row = self._rows[segment] = _Row()
        return row

    # -- what we say -------------------------------------------------------------------------------

    def offer(self) -> Statement:
        """Our lines in an offer: segmented (TS 24.229 §6.1.2) unless the peer speaks of the whole way."""
        if not self._rows:
            self._row("local")
            self._row("remote")
        return self._state(confirm=False)

    def answer(self) -> Statement:
        """Our lines in an answer, empty to an offer without; asks to be told of what is missing (§7)."""
        return self._state(confirm=True) if self._rows else Statement()

    def _state(self, confirm: bool) -> Statement:
        own: Segment = "e2e" if "e2e" in self._rows and "local" not in self._rows else "local"
        if self._demand != "none":
            self._wish(self._row(own), self._demand, Way.SENDRECV)
        self._told = self._reserved
        segments = [each for each in SEGMENTS if each in self._rows]
        needed = (Status(QOS, "e2e", self._unsaid), Status(QOS, "remote", self.missing("remote")))
        return Statement(
            tuple(Status(QOS, each, self.current(each)) for each in segments),
            tuple(wish for each in segments for wish in _wishes(each, self._rows[each])),
            tuple(each for each in needed if each.way) if confirm else (),
        )

    def refusal(self) -> Statement:
        """The lines of a 580: which preconditions are the reason (RFC 3312 §8)."""
        failures = [
            Desired(QOS, "failure", each, self.missing(each)) for each in SEGMENTS if self.missing(each)
        ]
        strangers = [
            Desired(each.kind, "unknown", _MIRROR[each.segment], each.way.flipped) for each in self.unknown
        ]
        return Statement(desired=(*failures, *strangers))


def _about_qos(statement: Statement) -> bool:
    kinds = [each.kind for each in statement.current] + [each.kind for each in statement.desired]
    return QOS in kinds


def _wishes(segment: Segment, row: _Row) -> Iterable[Desired]:
    """One line where both directions are wished for alike, else one for each (RFC 3312 §5.1.1)."""
    mandatory = row.mandatory
    optional = row.optional & ~mandatory
    ways: tuple[tuple[Strength, Way], ...] = (
        ("mandatory", mandatory),
        ("optional", optional),
        ("none", Way.SENDRECV & ~(mandatory | optional)),
    )
    for strength, way in ways:
        if way:
            yield Desired(QOS, strength, segment, way)


# --- all m-lines --------------------------------------------------------------------------------------


class Preconditions:
    """The preconditions of one dialog, by m-line; an m-line that is off (port 0) has none."""

    __slots__ = ("_demand", "_reserved", "_tables")

    def __init__(self) -> None:
        self._tables: list[StatusTable | None] = []
        self._reserved = Way.NONE
        self._demand: Demand = "none"

    @property
    def tables(self) -> tuple[StatusTable | None, ...]:
        """One for each m-line."""
        return tuple(self._tables)

    def _active(self) -> list[StatusTable]:
        return [each for each in self._tables if each is not None]

    @property
    def in_use(self) -> bool:
        """Whether any m-line has preconditions."""
        return any(each.in_use for each in self._active())

    @property
    def asked(self) -> bool:
        """The peer asked for a confirmation that is due now."""
        return any(each.asked and not each.told for each in self._active())

    @property
    def told(self) -> bool:
        """Whether our last description said of every m-line what our side has now."""
        return all(each.told for each in self._active() if each.in_use)

    @property
    def unknown(self) -> tuple[Desired, ...]:
        """Mandatory preconditions of types that are not known here: 580 (RFC 3312 §8)."""
        return tuple(wish for each in self._active() for wish in each.unknown)

    def is_met(self) -> bool:
        """Whether every mandatory precondition of every m-line is met."""
        return all(each.is_met() for each in self._active())

    def peer_is_met(self) -> bool:
        """Whether the peer's own resources are there, as far as they are mandatory."""
        return all(each.peer_is_met() for each in self._active())

    def has_failed(self) -> bool:
        """Whether the peer said that a precondition cannot be met."""
        return any(each.has_failed() for each in self._active())

    def reserve(self, way: Way = Way.SENDRECV, index: int | None = None) -> None:
        """Our side has this now, on one m-line or on all, those to come included; NONE takes it back."""
        if index is None:
            self._reserved = way
        for number, table in enumerate(self._tables):
            if table is not None and index in (None, number):
                table.reserve(way)

    def demand(self, strength: Demand) -> None:
        """Insist on our side's resources: before a phone rings that its caller cannot hear yet."""
        self._demand = strength
        for table in self._active():
            table.demand(strength)

    def untold(self) -> None:
        """Our last description never counted: its request was refused or lost."""
        for table in self._active():
            table.untold()

    def received_offer(self, description: SessionDescription) -> None:
        """The peer's offer, in INVITE, UPDATE, PRACK or a response."""
        for media, table in self._each(description):
            table.received_offer(Statement.parse(media))

    def received_answer(self, description: SessionDescription) -> None:
        """The peer's answer."""
        for media, table in self._each(description):
            table.received_answer(Statement.parse(media))

    def offer(self, description: SessionDescription) -> SessionDescription:
        """Our offer with our view of the preconditions in it, instead of any other."""
        return self._put(description, [table.offer() for _, table in self._each(description)])

    def answer(self, description: SessionDescription) -> SessionDescription:
        """Our answer with our view of the preconditions in it; none where the offer had none."""
        return self._put(description, [table.answer() for _, table in self._each(description)])

    def refusal(self, offer: SessionDescription) -> SessionDescription:
        """The body of a 580 to this offer: its m-lines with what could not be met (RFC 3312 §8)."""
        return self._put(offer, [table.refusal() for _, table in self._each(offer)])

    def _each(self, description: SessionDescription) -> list[tuple[MediaDescription, StatusTable]]:
        """The m-lines that are on with their tables; new ones begin, those that are off end."""
        del self._tables[len(description.media) :]
        found = []
        for index, media in enumerate(description.media):
            if index == len(self._tables):
                self._tables.append(None)
            table = self._tables[index]
            if not media.port:
                self._tables[index] = None
                continue
            if table is None:
                table = self._tables[index] = StatusTable(self._reserved, self._demand)
            found.append((media, table))
        return found

    @staticmethod
    def _put(description: SessionDescription, statements: list[Statement]) -> SessionDescription:
        rest = iter(statements)
        media = [put(each, next(rest)) if each.port else each for each in description.media]
        return SessionDescription(description.lines, tuple(media))
