"""A dialog as `dialog_get` and the `dialog` event show it: names and values of the manual (§6.6).

Directions and counters are the server's: `sendonly` means that we send to the phone and it does not send to
us, `rtp_addr` is where the phone gets its packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from libreims.net.address import text
from libreims.net.port import Address
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.offer_answer import effective_direction, intersect, reverse
from libreims.proto.sip.reasons import reason_phrase

if TYPE_CHECKING:
    from libreims.call.history import Record
    from libreims.call.leg_media import LegMedia

Media = tuple[int, str, str, Address | None, int, int, bool, Address | None, int, int, bool]
"""One stream, raw: m-line, type, direction; for RTP and for RTCP remote address, received, sent, blocked."""
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class DialogEvent:
    """An element of `event_list`."""

    type: str
    """`state`, `send` or `recv`."""
    timestamp: float
    """Seconds since the dialog was created."""
    state: str
    """The state of the dialog after the event."""
    message: str = ""
    """What was sent or received: `INVITE`, `180 Ringing`."""


@dataclass(frozen=True, slots=True)
class MediaView:
    """An element of `medias`."""

    type: str
    """`audio`, `video` or `text`."""
    qos: str
    """`disabled`, `required`, `pending` or `erab_set`."""
    dir: str
    rtp_addr: str
    """Where RTP is sent to; empty while that is unknown."""
    rtp_recv_count: int
    rtp_send_count: int
    rtp_block: bool
    rtcp_addr: str
    rtcp_recv_count: int
    rtcp_send_count: int
    rtcp_block: bool


@dataclass(frozen=True, slots=True)
class DialogView:
    """An element of `dialogs`."""

    session_id: str
    state: str
    """`init`, `ringing`, `start`, `hold` or `stop`."""
    type: str
    """`server`, `echo` or `mt call`."""
    to: str
    """IMPU of the callee."""
    from_: str
    """IMPU of the caller; the field is called `from` in the remote API."""
    mt_dialog: str | None
    """Session id of the callee's dialog, for the dialog of a phone that calls another."""
    mo_dialog: str | None
    """Session id of the caller's dialog, for the dialog of a phone that another phone calls."""
    date: int
    """Creation time, seconds since 1970."""
    duration: float
    """Seconds since (or between) answer and end; 0 before the answer."""
    event_list: tuple[DialogEvent, ...]
    medias: tuple[MediaView, ...]


def freeze(media: LegMedia) -> tuple[Media, ...]:
    """The streams that are on, as they are now."""
    theirs, ours = media.agreed, media.last_shown
    streams = []
    for index, port in enumerate(media.ports):
        if port is not None:
            rtp, rtcp = port.rtp, port.rtcp
            streams.append(
                (
                    index,
                    port.kind,
                    direction(ours, theirs, index),
                    rtp.remote,
                    rtp.received,
                    rtp.sent,
                    not rtp.enabled,
                    rtcp.remote,
                    rtcp.received,
                    rtcp.sent,
                    not rtcp.enabled,
                )
            )
    return tuple(streams)


def direction(ours: SessionDescription | None, theirs: SessionDescription | None, index: int) -> str:
    """What both descriptions allow, seen from us; one that is not there yet allows everything."""
    # Ours never has a null address: a hold by one is shown as a direction.
    result = ours.direction(index) if ours is not None and index < len(ours.media) else "sendrecv"
    if theirs is not None and index < len(theirs.media):
        result = intersect(result, reverse(effective_direction(theirs, index)))
    return result


def held(media: LegMedia) -> bool:
    """Whether nothing flows both ways though something is on."""
    theirs, ours = media.agreed, media.last_shown
    found = False
    for index, port in enumerate(media.ports):
        if port is not None:
            if direction(ours, theirs, index) == "sendrecv":
                return False
            found = True
    return found


def view(record: Record, now: float) -> DialogView:
    """The dialog at the clock time `now`."""
    medias = record.medias
    if medias is None:
        medias = freeze(record.leg.media) if record.leg is not None else ()
    duration = (record.ended or now) - record.started if record.started else 0.0
    peer = _peer(record)
    return DialogView(
        session_id=record.session_id,
        state=record.state,
        type=record.kind,
        to=record.callee,
        from_=record.caller,
        mt_dialog=peer if record.kind == "server" else None,
        mo_dialog=peer if record.kind == "mt call" else None,
        date=int(record.date),
        duration=round(duration, 3),
        event_list=_events(record),
        medias=tuple([_media(each, record.qos.get(each[0], DISABLED)) for each in medias]),
    )


def _peer(record: Record) -> str | None:
    """Of phones that ring together the one that has answered, or else the first that is not out."""
    peers = record.peers
    if not peers:
        return None
    chosen = next((each for each in peers if each.started), None) or next(
        (each for each in peers if each.state != "stop"), peers[0]
    )
    return chosen.session_id


def _events(record: Record) -> tuple[DialogEvent, ...]:
    state = ""
    events = []
    every = iter(record.events)
    for time, kind, name in zip(every, every, every, strict=True):
        assert isinstance(time, float) and isinstance(kind, str) and isinstance(name, str)
        if kind == "state":
            state = name
            message = ""
        else:
            message = _message(name)
        events.append(DialogEvent(kind, round(time - record.created, 3), state, message))
    return tuple(events)


def _message(name: str) -> str:
    """`sip_invite` -> `INVITE`, `sip_180` -> `180 Ringing`."""
    name = name.removeprefix("sip_")
    return f"{name} {reason_phrase(int(name))}" if name.isdigit() else name.upper()


def _media(raw: Media, qos: str) -> MediaView:
    _, kind, dir, rtp, rtp_received, rtp_sent, rtp_block, rtcp, rtcp_received, rtcp_sent, rtcp_block = raw
    return MediaView(
        kind,
        qos,
        dir,
        text(rtp) if rtp is not None else "",
        rtp_received,
        rtp_sent,
        rtp_block,
        text(rtcp) if rtcp is not None else "",
        rtcp_received,
        rtcp_sent,
        rtcp_block,
    )
