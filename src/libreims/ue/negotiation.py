"""Offers and answers of a phone (RFC 3264, RFC 8866): pure, SDP in and SDP out.

`media` keeps the state of a call and uses these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libreims.net.port import Address
from libreims.proto.sdp.description import (
    Codec as SdpCodec,
)
from libreims.proto.sdp.description import (
    Direction,
    MediaDescription,
    SessionDescription,
    connection_line,
)
from libreims.proto.sdp.offer_answer import answer_direction, effective_direction, rejected
from libreims.ue.audio import CODECS, Codec
from libreims.ue.stream import Agreement

TELEPHONE_EVENT = 101
"""Payload type that we offer for DTMF digits (RFC 4733)."""

PROFILES = ("RTP/AVP", "RTP/AVPF")

_BANDWIDTH = {"audio": 64, "video": 512, "text": 4}
"""b=AS, kbit/s."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The codec of an m-line as both sides know it."""

    codec: Codec
    payload_type: int
    aligned: bool
    """AMR in its octet-aligned form."""


def offered_line(kind: str, port: int, codecs: Sequence[Codec], direction: Direction) -> MediaDescription:
    """An m-line with these codecs, the preferred one first."""
    types = [str(codec.payload_type) for codec in codecs]
    lines = [f"b=AS:{_BANDWIDTH[kind]}"]
    for codec in codecs:
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.rtpmap}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    if kind == "audio":
        types.append(str(TELEPHONE_EVENT))
        lines += [
            f"a=rtpmap:{TELEPHONE_EVENT} telephone-event/8000",
            f"a=fmtp:{TELEPHONE_EVENT} 0-15",
            "a=ptime:20",
            "a=maxptime:240",
        ]
    return _line(kind, port, "RTP/AVP", types, [*lines, f"a={direction}"])


def _line(kind: str, port: int, proto: str, formats: Sequence[str], lines: Sequence[str]) -> MediaDescription:
    head = f"m={kind} {port} {proto} {' '.join(formats)}"
    return MediaDescription(kind, port, 1, proto, tuple(formats), (head, *lines))


def description(host: str, media: Sequence[MediaDescription]) -> SessionDescription:
    """A session with these m-lines; the origin is put in by `LocalOrigin.stamp`."""
    return SessionDescription(("v=0", "s=-", connection_line(host), "t=0 0"), tuple(media))


def choose(media: MediaDescription, known: Sequence[Codec]) -> Choice | None:
    """The first codec of an m-line that this phone knows; None where the line is off or has none."""
    if not media.port or media.proto.upper() not in PROFILES:
        return None
    for offered in media.codecs():
        codec = CODECS.get(offered.name.lower())
        if codec is None or codec not in known or codec.clock_rate != offered.clock_rate:
            continue
        if not offered.payload_type.isdigit() or int(offered.payload_type) > 127:
            continue
        return Choice(codec, int(offered.payload_type), _is_aligned(offered))
    return None


def _is_aligned(codec: SdpCodec) -> bool:
    parameters = [each.strip().partition("=") for each in codec.fmtp.split(";")]
    return any(name.lower() == "octet-align" and value == "1" for name, _, value in parameters)


def answered_line(
    offer: SessionDescription, index: int, choice: Choice | None, port: int, wanted: Direction
) -> MediaDescription:
    """The answer to one m-line: the chosen codec, or a refusal (port 0)."""
    media = offer.media[index]
    if choice is None:
        return rejected(media)
    types = [str(choice.payload_type)]
    for offered in media.codecs():
        rate = choice.codec.clock_rate
        if offered.name.lower() == "telephone-event" and offered.clock_rate == rate and media.kind == "audio":
            types.append(offered.payload_type)
            break
    lines = [f"b=AS:{_BANDWIDTH[media.kind]}"]
    lines += [line for line in media.lines[1:] if _describes(line, types)]
    if media.kind == "audio":
        lines.append("a=ptime:20")
    lines.append(f"a={answer_direction(effective_direction(offer, index), wanted)}")
    return _line(media.kind, port, media.proto, types, lines)


def _describes(line: str, types: Sequence[str]) -> bool:
    return any(line.startswith((f"a=rtpmap:{each} ", f"a=fmtp:{each} ")) for each in types)


def with_direction(media: MediaDescription, direction: Direction) -> MediaDescription:
    """Our m-line with another direction."""
    if not media.port:
        return media
    kept = [line for line in media.lines if line not in _DIRECTIONS]
    return media.with_lines((*kept[1:], f"a={direction}"))


_DIRECTIONS = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")


def agreement(
    local: SessionDescription,
    remote: SessionDescription,
    index: int,
    choice: Choice,
    *,
    talking: bool,
    reporting: bool,
) -> Agreement:
    """What a stream has to do once both descriptions of an m-line are known.

    `talking`: the call is up and we are not the ones who hold it; `reporting`: see `Agreement`.
    """
    rtp: Address | None = remote.rtp_address(index)
    ours = local.direction(index)
    theirs = effective_direction(remote, index)
    sending = ours in ("sendrecv", "sendonly") and theirs in ("sendrecv", "recvonly")
    accepted = {int(each) for each in local.media[index].formats if each.isdigit()}
    return Agreement(
        codec=choice.codec,
        payload_type=choice.payload_type,
        accepted=frozenset(accepted),
        rtp=rtp,
        rtcp=remote.rtcp_address(index),
        sending=talking and sending,
        reporting=reporting,
    )


def summary(body: bytes) -> str:
    """An SDP in a few words for a ladder: `audio sendrecv AMR-WB, video off`; empty when it is none."""
    try:
        sdp = SessionDescription.parse(body)
    except ValueError:
        return ""
    words = []
    for index, media in enumerate(sdp.media):
        if not media.port:
            words.append(f"{media.kind} off")
            continue
        names = list(dict.fromkeys(each.name for each in media.codecs() if each.name != "telephone-event"))
        words.append(f"{media.kind} {effective_direction(sdp, index)} {'/'.join(names)}")
    return ", ".join(words)
