"""The session description in a SIP message: found, checked, and its faults explained."""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.proto.sdp.description import SdpError, SessionDescription
from libreims.proto.sip.message import Message

SDP_TYPE = "application/sdp"


def offer_of(message: Message, phone: str) -> SessionDescription | None:
    """The SDP of a request, None without one. Raises Reject (400, 415)."""
    if not message.body:
        return None
    if message.content_type != SDP_TYPE:
        raise Reject(
            415,
            f"a body of type {message.content_type or 'unknown'} from {phone} where {SDP_TYPE} is expected",
            headers=(("Accept", SDP_TYPE),),
        )
    try:
        return SessionDescription.parse(message.body)
    except SdpError as error:
        why = f"SDP from {phone} cannot be read: {error}"
        raise Reject(400, why, reason="Bad Session Description") from None


def answer_of(message: Message, phone: str) -> SessionDescription | None:
    """The SDP of a response or ACK; other bodies are not ours to judge. Raises Reject."""
    if not message.body or message.content_type != SDP_TYPE:
        return None
    return offer_of(message, phone)
