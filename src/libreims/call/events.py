"""What the two parties of a call tell each other: neutral events, never SIP messages.

A party (a phone's leg, the echo service, several phones that ring together) turns its own protocol
into these events and these events into its own protocol.  SDP travels as the far phone wrote it;
each leg puts its own addresses in when it shows it to its phone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from libreims.proto.sdp.description import SessionDescription

Headers = tuple[tuple[str, str], ...]


def sip_reason(status: int, text: str) -> Headers:
    """A Reason header for BYE, CANCEL or a refusal (RFC 3326 §2); `text` may hold anything."""
    quotable = "".join(char if " " <= char != "\x7f" else " " for char in text)
    quotable = quotable.replace("\\", "'").replace('"', "'")
    return (("Reason", f'SIP;cause={status};text="{quotable}"'),)


class Offered(NamedTuple):
    """The caller wants a call."""

    description: SessionDescription | None
    """The offer; None when the callee is to make it (RFC 3261 §13.2.1)."""
    headers: Headers
    """What passes from the caller's INVITE to the callee's (`call.passing`)."""
    reliable: bool = False
    """Whether the caller can be sent a 183 that it acknowledges (RFC 3262)."""
    ready: bool = True
    """Whether the caller's resources are there (RFC 3312); else `Reserved` says when."""


class Progress(NamedTuple):
    """The callee is being reached: 180 Ringing, 183 Session Progress, 181, 182, 199."""

    status: int
    description: SessionDescription | None = None
    headers: Headers = ()
    """What passes from the callee's response (`call.passing`)."""
    silent: bool = False
    """No media before the answer, whatever the description says (`early_media: false`)."""


class Answered(NamedTuple):
    """The callee has answered."""

    description: SessionDescription | None
    """The answer, or the offer when the caller made none."""
    headers: Headers = ()


class Refused(NamedTuple):
    """The callee does not take the call; the call is over."""

    status: int
    reason: str | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Reserved:
    """The resources of this side are there (RFC 3312)."""


class Acknowledged(NamedTuple):
    """The ACK carried the answer to an offer made in a 2xx (RFC 3261 §13.2.1)."""

    description: SessionDescription


class Changing(NamedTuple):
    """One side offers changed media in the running call, or asks for an offer (None)."""

    method: str
    """`"INVITE"` or `"UPDATE"`: how it asked."""
    description: SessionDescription | None


class Changed(NamedTuple):
    """The answer to `Changing` (or the offer that it asked for)."""

    description: SessionDescription | None


class ChangeRefused(NamedTuple):
    """`Changing` was refused; the media stay as they were (RFC 3261 §14.1)."""

    status: int
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class ChangeCancelled:
    """The side that asked for the change took it back (CANCEL of a re-INVITE)."""


class Informed(NamedTuple):
    """A mid-call INFO (RFC 6086)."""

    number: int
    """Which one, for the answer."""
    headers: Headers
    body: bytes


class InfoAnswered(NamedTuple):
    """The answer to `Informed`."""

    number: int
    status: int
    headers: Headers = ()


class Cause(NamedTuple):
    """Why a call ends: for the Reason header (RFC 3326), the log and the statistics."""

    text: str
    """For people: who ended it and how."""
    headers: Headers = ()
    """Reason headers to show to the other side."""
    status: int = 480
    """What a caller who is still waiting gets as final response."""


class Ended(NamedTuple):
    """This side is out of the call."""

    cause: Cause


Event = (
    Offered
    | Progress
    | Answered
    | Refused
    | Reserved
    | Acknowledged
    | Changing
    | Changed
    | ChangeRefused
    | ChangeCancelled
    | Informed
    | InfoAnswered
    | Ended
)

Notify = Callable[[Event], None]
"""How a party tells its session."""
