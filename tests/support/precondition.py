"""Descriptions with precondition lines, for tests."""

from __future__ import annotations

from libreims.proto.sdp.description import MediaDescription, SessionDescription
from support.sdp import session

AUDIO = "m=audio 5000 RTP/AVP 104"
VIDEO = "m=video 6000 RTP/AVP 99"

PHONE_OFFER = (
    "a=curr:qos local none",
    "a=curr:qos remote none",
    "a=des:qos mandatory local sendrecv",
    "a=des:qos none remote sendrecv",
)
"""The first offer of a phone (TS 24.229 §6.1.2)."""
PHONE_ANSWER = (
    "a=curr:qos local none",
    "a=curr:qos remote none",
    "a=des:qos mandatory local sendrecv",
    "a=des:qos mandatory remote sendrecv",
    "a=conf:qos remote sendrecv",
)
"""The first answer of a phone (TS 24.229 §6.1.3)."""


def audio(*lines: str) -> SessionDescription:
    """One audio m-line with these lines below it."""
    return session(AUDIO, *lines)


def preconditions_of(media: MediaDescription) -> list[str]:
    """The precondition lines of an m-line, in order."""
    return [each for each in media.lines if each.startswith(("a=curr", "a=des", "a=conf"))]


def ready(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The same lines once the phone has its resources."""
    return tuple(each.replace("curr:qos local none", "curr:qos local sendrecv") for each in lines)
