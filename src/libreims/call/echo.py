"""The echo service as a party: it rings, answers, and sends every packet back to who sent it."""

from __future__ import annotations

from libreims.base.tokens import Tokens
from libreims.call.events import (
    Answered,
    Changed,
    Changing,
    Event,
    InfoAnswered,
    Informed,
    Notify,
    Offered,
    Progress,
)
from libreims.call.leg import unconnected
from libreims.call.leg_media import LegMedia
from libreims.media.echo import echo
from libreims.proto.sdp.description import Origin, SessionDescription
from libreims.proto.sdp.offer_answer import answer_echo

NOWHERE = ("127.0.0.1", 9)
"""The echo's own address: never seen by a phone, whose leg shows the relay's instead."""
ORIGIN = Origin("-", "1", 1, NOWHERE[0])
DEFAULT_OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 104 102 8 0 110\r\n"
    b"a=rtpmap:104 AMR-WB/16000\r\na=fmtp:104 octet-align=0; mode-change-capability=2\r\n"
    b"a=rtpmap:102 AMR/8000\r\na=fmtp:102 octet-align=0; mode-change-capability=2\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:110 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)
"""What it offers to a caller that sent no offer: any codec will do, as the packets come back unread."""


class EchoParty:
    """Answers every call with the caller's own media."""

    def __init__(self, number: str, tokens: Tokens) -> None:
        self.phone = f"echo {number}"
        self.notify: Notify = unconnected
        self._tokens = tokens

    def handle(self, event: Event) -> None:
        """An event of the caller."""
        match event:
            case Offered():
                self.notify(Progress(180))
                self.notify(Answered(_answer(event.description)))
            case Changing():
                self.notify(Changed(_answer(event.description)))
            case Informed():
                self.notify(InfoAnswered(event.number, 200))
            case _:
                pass  # it holds nothing that an end or an acknowledgement would change

    def join(self, near: LegMedia) -> None:
        """Send back what comes in on the caller's ports."""
        for port in near.ports:
            if port is not None:
                echo(port, self._tokens)

    def last_activity(self) -> float:
        """It never does anything of its own accord."""
        return float("-inf")

    def release(self) -> None:
        """It holds nothing."""


def _answer(offer: SessionDescription | None) -> SessionDescription:
    if offer is None:
        return SessionDescription.parse(DEFAULT_OFFER)
    return answer_echo(offer, [NOWHERE] * len(offer.media), ORIGIN)
