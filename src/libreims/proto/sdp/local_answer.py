"""An answer without asking anybody: what the far side last said, fitted to a new offer.

For offers that change nothing the far side would care about: UPDATE and PRACK before the call is answered
(RFC 3311, RFC 3262 §5), refreshes of the session timer.
"""

from __future__ import annotations

from libreims.proto.sdp.description import DIRECTIONS, MediaDescription, SessionDescription
from libreims.proto.sdp.offer_answer import answer_direction, effective_direction, rejected


def local_answer(standing: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """The answer to `offer` that `standing` already implies (RFC 3264 §6).

    M-lines that are new are refused; formats and directions are those of `standing` that the offer leaves.
    """
    media = []
    for index, offered in enumerate(offer.media):
        ours = standing.media[index] if index < len(standing.media) else None
        if ours is None or not ours.port or not offered.port or ours.kind != offered.kind:
            media.append(rejected(offered))
            continue
        wanted = standing.direction(index)
        direction = answer_direction(effective_direction(offer, index), wanted)
        ours = _narrowed(ours, offered)
        if direction != wanted:
            lines = [each for each in ours.lines[1:] if each.rstrip() not in DIRECTIONS]
            ours = ours.with_lines([*lines, f"a={direction}"])
        media.append(ours)
    return SessionDescription(standing.lines, tuple(media))


def same_media(first: SessionDescription, second: SessionDescription) -> bool:
    """Whether two descriptions of the far side look alike to a phone that sees the relay's addresses."""
    return len(first.media) == len(second.media) and all(
        (one.kind, bool(one.port), one.formats, first.direction(index), _codecs(one))
        == (other.kind, bool(other.port), other.formats, second.direction(index), _codecs(other))
        for index, (one, other) in enumerate(zip(first.media, second.media, strict=True))
    )


def _codecs(media: MediaDescription) -> list[str]:
    return sorted(each.rstrip() for each in media.lines if _payload_type(each))


def _narrowed(ours: MediaDescription, offered: MediaDescription) -> MediaDescription:
    """Without the formats that are not offered any more; unchanged where none would be left."""
    kept = tuple([each for each in ours.formats if each in offered.formats])
    if not kept or len(kept) == len(ours.formats):
        return ours
    gone = set(ours.formats) - set(kept)
    lines = [each for each in ours.lines[1:] if _payload_type(each) not in gone]
    head = f"m={ours.kind} {ours.port} {ours.proto} {' '.join(kept)}"
    return MediaDescription(ours.kind, ours.port, 1, ours.proto, kept, (head, *lines))


def _payload_type(line: str) -> str:
    """The payload type that an attribute is about; empty where it is about something else."""
    name, _, value = line.partition(":")
    return value.split(" ", 1)[0] if name in ("a=rtpmap", "a=fmtp", "a=rtcp-fb") else ""
