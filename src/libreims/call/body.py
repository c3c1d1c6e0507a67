"""The session description in a SIP message: found, checked, and its faults explained."""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.proto.sdp.description import SdpError, SessionDescription
from libreims.proto.sdp.offer_answer import check_answer, check_offer, relayable
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Message
from libreims.proto.sip.multipart import find

SDP_TYPE = "application/sdp"
SESSION = "session"
"""What a session description is there for unless it says otherwise (RFC 3261 §20.11)."""

INCOMPATIBLE_ADDRESS = 301
MEDIA_NOT_AVAILABLE = 304
"""Warning codes of RFC 3261 §20.43."""


def offer_of(message: Message, phone: str) -> SessionDescription | None:
    """The offer of a message, None without one. Raises Reject (400, 415, 488)."""
    if not message.body:
        return None
    body = _description_in(message, phone)
    if body is None:
        raise Reject(
            415,
            f"a body of type {message.content_type or 'unknown'} from {phone} where {SDP_TYPE} is expected",
            headers=(("Accept", SDP_TYPE),),
        )
    offer = _parsed(body, phone)
    problems = check_offer(offer)
    if problems:
        raise _unacceptable(f"SDP offer of {phone} cannot be used", problems, INCOMPATIBLE_ADDRESS)
    on = [media for media in offer.media if media.port]
    if on and not any(map(relayable, on)):
        kinds = ", ".join(f"{media.kind} over {media.proto}" for media in on)
        problem = f"none of its media can be relayed ({kinds}); audio, video or text over RTP is needed"
        raise _unacceptable(f"SDP offer of {phone} cannot be used", [problem], MEDIA_NOT_AVAILABLE)
    return offer


def answer_of(
    message: Message, phone: str, offer: SessionDescription | None, log: LayerLog
) -> SessionDescription | None:
    """The answer of a response or ACK to `offer`, None without SDP; other bodies are not ours to judge.

    What only its author suffers from (a direction or codec that was not offered) is logged and passes.
    Raises Reject (400, 488) for what leaves the two sides with different ideas of the call.
    """
    body = _description_in(message, phone) if message.body else None
    if body is None:
        return None
    answer = _parsed(body, phone)
    problems = check_answer(offer, answer) if offer is not None else check_offer(answer)
    if not problems:
        return answer
    if offer is None or not _fits(offer, answer):
        raise _unacceptable(f"SDP answer of {phone} cannot be used", problems, INCOMPATIBLE_ADDRESS)
    log.warn(f"SDP answer of {phone} does not fit the offer, the call goes on: {'; '.join(problems)}")
    return answer


def _fits(offer: SessionDescription, answer: SessionDescription) -> bool:
    """RFC 3264 §6: the same m-lines, none accepted that was off, and addresses that can be sent to."""
    return (
        len(offer.media) == len(answer.media)
        and not check_offer(answer)
        and all(
            offered.kind == answered.kind and (offered.port or not answered.port)
            for offered, answered in zip(offer.media, answer.media, strict=True)
        )
    )


def _description_in(message: Message, phone: str) -> bytes | None:
    """The body, or the part of it, that is a session description; other parts are not looked at."""
    content_type = message.content_type
    if content_type == SDP_TYPE:
        return message.body
    if not content_type.startswith("multipart/"):
        return None
    try:
        return find(message.get("Content-Type") or "", message.body, SDP_TYPE, SESSION)
    except SipParseError as error:
        raise Reject(400, f"the multipart body of {phone} cannot be read: {error.reason}") from None


def _parsed(body: bytes, phone: str) -> SessionDescription:
    try:
        return SessionDescription.parse(body)
    except SdpError as error:
        why = f"SDP from {phone} cannot be read: {error}"
        raise Reject(400, why, reason="Bad Session Description") from None


def _unacceptable(what: str, problems: list[str], code: int) -> Reject:
    text = "; ".join(problems)
    quotable = text.replace("\\", "'").replace('"', "'")
    return Reject(488, f"{what}: {text}", headers=(("Warning", f'{code} ims "{quotable}"'),))
