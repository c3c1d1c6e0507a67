"""Offer and answer (RFC 3264) as pure functions: what a back-to-back user agent does with descriptions.

`call/` decides; this file knows how a decision looks in SDP: the relay's addresses put in, directions
reversed and intersected, m-lines refused, an answer checked against its offer, the echo's answer made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from libreims.proto.sdp.description import (
    DIRECTIONS,
    Address,
    Direction,
    MediaDescription,
    Origin,
    SessionDescription,
    attribute_name,
    connection_line,
)

KINDS: Final = ("audio", "video", "text")
"""Media types that are relayed and echoed."""

PRECONDITIONS: Final = frozenset({"curr", "des", "conf"})
"""Attributes of QoS preconditions (RFC 3312 §4)."""
_PRECONDITION_STARTS: Final = tuple(f"a={name}" for name in PRECONDITIONS)
_PRECONDITION_OCTETS: Final = tuple(start.encode() for start in _PRECONDITION_STARTS)

_BYPASS: Final = frozenset(
    {"ice-ufrag", "ice-pwd", "ice-lite", "ice-options", "ice-mismatch", "ice-pacing", "candidate"}
    | {"remote-candidates", "end-of-candidates", "rtcp-mux", "rtcp-mux-only", "bundle-only"}
    | {"altc", "source-filter"}
)
"""Attributes that lead packets past the relay or put streams together on one port: once the relay's
address is the only one they would lie (RFC 8839, 5761, 9143, 6947, 4570)."""

_BYPASS_GROUPS: Final = ("BUNDLE", "ANAT")
_NOT_RELAYED: Final = _BYPASS | PRECONDITIONS
_LOOKED_AT: Final = frozenset(f"a={name}"[:5] for name in (*_NOT_RELAYED, "group", "rtcp"))
"""How attributes begin that may have to go: most lines are let through by one look."""

_MIRRORED: Final = frozenset(
    {"rtpmap", "fmtp", "ptime", "maxptime", "minptime", "rtcp-fb", "rtcp-rsize", "extmap"}
    | {"framerate", "framesize", "mid", "content", "silenceSupp"}
)
"""What the echo may promise for itself by saying it back; the rest of an offer describes its author only."""

_ECHO_PROFILES: Final = ("RTP/AVP", "RTP/AVPF")
"""No keys are agreed with the echo: secure profiles are refused rather than answered wrongly."""


# --- directions ---------------------------------------------------------------------------------------

_SENDS: Final = ("sendrecv", "sendonly")
_RECEIVES: Final = ("sendrecv", "recvonly")


def make_direction(sends: bool, receives: bool) -> Direction:
    """Direction of who sends and receives so."""
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def reverse(direction: Direction) -> Direction:
    """The same stream seen from the other end."""
    return make_direction(direction in _RECEIVES, direction in _SENDS)


def intersect(first: Direction, second: Direction) -> Direction:
    """What both allow, both seen from the same end."""
    return make_direction(first in _SENDS and second in _SENDS, first in _RECEIVES and second in _RECEIVES)


def answer_direction(offered: Direction, wanted: Direction = "sendrecv") -> Direction:
    """Direction of the answer: the most of `wanted` that the offer leaves (RFC 3264 §6.1)."""
    return intersect(reverse(offered), wanted)


def effective_direction(description: SessionDescription, index: int) -> Direction:
    """Direction of an m-line, a null address counting as "do not send to me" (RFC 3264 §8.4, RFC 2543)."""
    direction = description.direction(index)
    connection = description.media_connection(index)
    if connection is not None and connection.is_null:
        return intersect(direction, "sendonly")
    return direction


def is_hold(description: SessionDescription, index: int | None = None) -> bool:
    """Whether an m-line, or every m-line that is on, asks not to be sent to (RFC 3264 §8.4)."""
    wanted = range(len(description.media)) if index is None else (index,)
    active = [each for each in wanted if description.media[each].port]
    return bool(active) and all(effective_direction(description, each) not in _RECEIVES for each in active)


def set_direction(
    description: SessionDescription, direction: Direction, kind: str | None = None
) -> SessionDescription:
    """Give every m-line that is on, or those of one media type, this direction."""
    lines = _without_direction(description.lines) if kind is None else description.lines
    media = [
        _with_direction(each, direction) if each.port and kind in (None, each.kind) else each
        for each in description.media
    ]
    return SessionDescription(tuple(lines), tuple(media))


def hold(description: SessionDescription, kind: str | None = None) -> SessionDescription:
    """What to offer to put the peer on hold: still sending, no longer receiving (RFC 3264 §8.4)."""
    media = [
        _with_direction(each, intersect(description.direction(index), "sendonly"))
        if each.port and kind in (None, each.kind)
        else each
        for index, each in enumerate(description.media)
    ]
    return SessionDescription(description.lines, tuple(media))


def _without_direction(lines: Iterable[str]) -> list[str]:
    return [each for each in lines if each.rstrip() not in DIRECTIONS]


def _with_direction(media: MediaDescription, direction: Direction) -> MediaDescription:
    return media.with_lines([*_without_direction(media.lines[1:]), f"a={direction}"])


# --- through the relay --------------------------------------------------------------------------------


def rewrite(
    description: SessionDescription,
    addresses: Sequence[Address | None],
    origin: Origin,
    *,
    preconditions: bool = True,
) -> SessionDescription:
    """The description as it goes on to the other leg, with the relay's addresses in it.

    `addresses` has the relay's RTP address for each m-line; None refuses the m-line (port 0), and what
    came with port 0 stays so.  RTCP is at the next port: `a=rtcp` is rewritten.  Lines that would lead
    past the relay are dropped, keys (`a=crypto`, DTLS) and everything unknown stay.  A hold by null
    address becomes one by direction.  A port count becomes 1, since one pair of ports is relayed.
    Without `preconditions` their lines go too, as by `strip_preconditions`.
    """
    media = []
    dropped = _BYPASS if preconditions else _NOT_RELAYED
    hosts = [each[0] for each in addresses if each is not None]
    host = hosts[0] if hosts else origin.host
    for index, each in enumerate(description.media):
        address = addresses[index] if index < len(addresses) else None
        if address is None or not each.port:
            media.append(rejected(each))
            continue
        direction = effective_direction(description, index)
        if direction != description.direction(index):
            each = _with_direction(each, direction)
        media.append(_relayed(each, address, host, dropped))
    return SessionDescription(_session_lines(description.lines, origin, host), tuple(media))


def relayable(media: MediaDescription) -> bool:
    """Whether the relay can carry the m-line: on, of a known media type, and RTP over UDP."""
    return bool(media.port) and media.kind in KINDS and media.is_rtp


def _session_lines(lines: Sequence[str], origin: Origin, host: str) -> tuple[str, ...]:
    """`v= o= s=`, the kept lines in their order, one `c=` line; what RFC 8866 §5 demands is added."""
    subject = ""
    before = []
    after = []
    timed = False
    for line in lines[1:]:
        kind = line[0]
        if kind == "s":
            subject = subject or line
        elif kind in "iuep":
            before.append(line)
        elif kind not in "oc" and not (line[:5] in _LOOKED_AT and _bypasses(line)):
            after.append(line)
            timed = timed or kind == "t"
    if not timed:
        after.insert(next((n for n, each in enumerate(after) if each[0] != "b"), len(after)), "t=0 0")
    return (lines[0], f"o={origin}", subject or "s=-", *before, connection_line(host), *after)


def _relayed(
    media: MediaDescription, address: Address, session_host: str, dropped: Collection[str] = _BYPASS
) -> MediaDescription:
    host, port = address
    lines = []
    for line in media.lines[1:]:
        if line[0] == "c":
            continue
        if line[:5] in _LOOKED_AT:
            if attribute_name(line) == "rtcp":
                line = f"a=rtcp:{port + 1}"
            elif _bypasses(line, dropped):
                continue
        lines.append(line)
    if host != session_host:
        place = 1 if lines and lines[0].startswith("i=") else 0
        lines.insert(place, connection_line(host))
    relayed = media.replaced(port, lines)
    relayed.same_direction(media)
    return relayed


def _bypasses(line: str, dropped: Collection[str] = _BYPASS) -> bool:
    name = attribute_name(line)
    return name in dropped or (name == "group" and line[8:].strip().startswith(_BYPASS_GROUPS))


def rejected(media: MediaDescription) -> MediaDescription:
    """The m-line with port 0 and nothing below it (RFC 3264 §6, §8.2)."""
    return media.replaced(0, ())


def reject_media(description: SessionDescription, index: int) -> SessionDescription:
    """Refuse or end one m-line; it keeps its place (RFC 3264 §6, §8.2)."""
    return description.with_media(index, rejected(description.media[index]))


# --- o= line ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class LocalOrigin:
    """Our `o=` line on one leg: the same in every description, its version raised with each change.

    RFC 3264 §8: the version goes up by one when the description differs from the last one sent, and
    stays when it does not.
    """

    origin: Origin
    _sent: SessionDescription | None = None

    @classmethod
    def start(cls, session_id: int, host: str) -> LocalOrigin:
        """For a new leg. `session_id`: from the random source, below 2**62 (RFC 3264 §5)."""
        return cls(Origin("-", str(session_id), session_id, host))

    def stamp(self, description: SessionDescription) -> SessionDescription:
        """The description to send now, with our `o=` line and the version that it deserves."""
        stamped = description.with_origin(self.origin)
        if self._sent is not None and stamped != self._sent:
            self.origin = self.origin._replace(version=self.origin.version + 1)
            stamped = description.with_origin(self.origin)
        self._sent = stamped
        return stamped


# --- answers ------------------------------------------------------------------------------------------


def check_offer(offer: SessionDescription) -> list[str]:
    """What is wrong with an offer, one sentence each; empty when it can be worked with."""
    problems = []
    for index, media in enumerate(offer.media):
        connection = offer.media_connection(index)
        if not media.port:
            continue
        if connection is None:
            problems.append(f"m-line {index + 1} ({media.kind}) has no c= line, nor has the session")
        elif not connection.is_literal and not connection.is_null:
            problems.append(
                f"m-line {index + 1} ({media.kind}): {connection.host!r} is a name or no address; "
                "media needs an IPv4 or IPv6 address"
            )
    return problems


def check_answer(offer: SessionDescription, answer: SessionDescription) -> list[str]:
    """Where an answer does not fit its offer (RFC 3264 §6), one sentence each; empty when it does."""
    if len(offer.media) != len(answer.media):
        return [f"the offer has {len(offer.media)} m-lines, the answer {len(answer.media)}"]
    problems = check_offer(answer)
    for index, (offered, answered) in enumerate(zip(offer.media, answer.media, strict=True)):
        where = f"m-line {index + 1}"
        if offered.kind != answered.kind:
            problems.append(f"{where}: {offered.kind} was offered, {answered.kind} answered")
        if not answered.port:
            continue
        if not offered.port:
            problems.append(f"{where}: refused in the offer (port 0), accepted in the answer")
        if offered.proto.upper() != answered.proto.upper():
            problems.append(f"{where}: transport {offered.proto} was offered, {answered.proto} answered")
        if offered.is_rtp and not _common_format(offered, answered):
            problems.append(f"{where}: no format of the answer is in the offer")
        allowed = reverse(effective_direction(offer, index))
        direction = effective_direction(answer, index)
        if intersect(direction, allowed) != direction:
            problems.append(f"{where}: {direction} does not answer {offer.direction(index)}")
    return problems


def _common_format(offered: MediaDescription, answered: MediaDescription) -> bool:
    """By payload type, or by codec where the answer numbers it otherwise (RFC 3264 §6.1 allows that)."""
    if set(offered.formats) & set(answered.formats):
        return True
    names = {(each.name.lower(), each.clock_rate) for each in offered.codecs() if each.name}
    return any((each.name.lower(), each.clock_rate) in names for each in answered.codecs())


def answer_echo(
    offer: SessionDescription,
    addresses: Sequence[Address | None],
    origin: Origin,
    wanted: Direction = "sendrecv",
) -> SessionDescription:
    """The echo's answer: every codec offered is accepted, with its parameters.

    `addresses`: our RTP address for each m-line, None refuses it.  Also refused: what came with port 0,
    media types other than audio, video and text, and secure RTP.  `wanted`: `sendonly` holds the caller.
    """
    hosts = [each[0] for each in addresses if each is not None]
    host = hosts[0] if hosts else origin.host
    media = []
    for index, each in enumerate(offer.media):
        address = addresses[index] if index < len(addresses) else None
        if address is None or not echoable(each):
            media.append(rejected(each))
            continue
        direction = answer_direction(effective_direction(offer, index), wanted)
        lines = [line for line in each.lines[1:] if line[0] == "b" or attribute_name(line) in _MIRRORED]
        kept = _relayed(each.with_lines(lines), address, host)
        media.append(kept.with_lines([*kept.lines[1:], f"a={direction}"]))
    lines = [each for each in offer.lines if each[0] in "vbtr"]
    return SessionDescription(_session_lines(lines, origin, host), tuple(media))


def echoable(media: MediaDescription) -> bool:
    """Whether the echo can send the m-line's packets back: relayable, and without encryption."""
    return relayable(media) and media.proto.upper() in _ECHO_PROFILES


# --- preconditions ------------------------------------------------------------------------------------


def has_preconditions(description: SessionDescription) -> bool:
    """Whether an m-line carries QoS preconditions (RFC 3312)."""
    if description.lacks(*_PRECONDITION_OCTETS):
        return False
    return any(
        line.startswith(_PRECONDITION_STARTS) and attribute_name(line) in PRECONDITIONS
        for each in description.media
        for line in each.lines
    )


def strip_preconditions(description: SessionDescription) -> SessionDescription:
    """The description without `a=curr`, `a=des`, `a=conf` lines: for a peer that knows no preconditions."""
    if not has_preconditions(description):
        return description
    media = [
        each.with_lines(line for line in each.lines[1:] if attribute_name(line) not in PRECONDITIONS)
        for each in description.media
    ]
    return SessionDescription(description.lines, tuple(media))
