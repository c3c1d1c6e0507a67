"""What an IMPU says about the media of its calls: `audio`, `video`, `text`, `rtp`, `rtcp`, `media_delay`.

The first three decide what is agreed with the phone, the others what becomes of the packets to it.
"""

from __future__ import annotations

from libreims.base.errors import Reject
from libreims.config.schema import ImpuSettings
from libreims.media.relay import MediaPort
from libreims.proto.sdp.description import Direction, MediaDescription, SessionDescription
from libreims.proto.sdp.offer_answer import (
    KINDS,
    effective_direction,
    intersect,
    reject_media,
    reverse,
)


class MediaPolicy:
    """The rules for one leg; `block` changes them while the call is on."""

    __slots__ = ("delay", "no_rtcp", "no_rtp", "refused")

    def __init__(self) -> None:
        self.refused: frozenset[str] = frozenset()
        """Media types that are not agreed to."""
        self.no_rtp: frozenset[str] = frozenset()
        """Media types of which no RTP is sent to the phone."""
        self.no_rtcp: frozenset[str] = frozenset()
        self.delay = 0.0
        """Seconds that packets to the phone are held up."""

    def block(self, kinds: frozenset[str], rtp: bool | None, rtcp: bool | None) -> None:
        """Send (True) or hold back (False) packets of these media types from now on; None: as before."""
        if rtp is not None:
            self.no_rtp = self.no_rtp - kinds if rtp else self.no_rtp | kinds
        if rtcp is not None:
            self.no_rtcp = self.no_rtcp - kinds if rtcp else self.no_rtcp | kinds

    def apply(self, port: MediaPort) -> None:
        """Set up a port that faces the phone."""
        self.switch(port)
        if self.delay:
            port.delay = self.delay

    def switch(self, port: MediaPort) -> None:
        """Send or hold back, as the rules say now."""
        port.rtp_enabled = port.kind not in self.no_rtp
        port.rtcp_enabled = port.kind not in self.no_rtcp

    def admitted(self, offer: SessionDescription) -> SessionDescription:
        """The phone's offer without what is not agreed to. Raises Reject (488) when nothing is left."""
        refused = self.refused
        unwanted = [index for index, each in enumerate(offer.media) if each.port and each.kind in refused]
        for index in unwanted:
            offer = reject_media(offer, index)
        if unwanted and not any(each.port for each in offer.media):
            raise nothing_left(refused)
        return offer


def nothing_left(refused: frozenset[str]) -> Reject:
    """The refusal of a call whose media are all unwanted."""
    kinds = ", ".join(f"{kind}: false" for kind in KINDS if kind in refused)
    return Reject(488, f"nothing is left of the call's media: the IMPU has {kinds}")


def policy_of(*impus: ImpuSettings) -> MediaPolicy | None:
    """The rules of one IMPU, or of caller and echo number together; None where nothing is special."""
    if all(map(_ordinary, impus)):
        return None
    policy = MediaPolicy()
    every = frozenset(KINDS)
    for impu in impus:
        policy.refused |= {kind for kind in KINDS if not getattr(impu, kind)}
        policy.block(every, None if impu.rtp else False, None if impu.rtcp else False)
        policy.delay += impu.media_delay or 0.0
    return policy


def _ordinary(impu: ImpuSettings) -> bool:
    return impu.audio and impu.video and impu.text and impu.rtp and impu.rtcp and not impu.media_delay


# -- calls that begin on hold --------------------------------------------------------------------------


def unheld(offer: SessionDescription) -> SessionDescription:
    """The offer as if nothing were on hold (`allow_hold_invite: false`); itself when nothing is."""
    if all(
        effective_direction(offer, index) == "sendrecv" for index, each in enumerate(offer.media) if each.port
    ):
        return offer
    lines = ["c=IN IP4 127.0.0.1" if line.startswith("c=") else line for line in offer.lines]
    return SessionDescription(
        tuple(lines), tuple([_directed(each, "sendrecv") if each.port else each for each in offer.media])
    )


def clamped(answer: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """An answer to the unheld offer as the answer to what was really offered (RFC 3264 §6.1)."""
    media = []
    for index, each in enumerate(answer.media):
        if each.port and index < len(offer.media):
            allowed = reverse(effective_direction(offer, index))
            each = _directed(each, intersect(effective_direction(answer, index), allowed), keep=True)
        media.append(each)
    return SessionDescription(answer.lines, tuple(media))


def _directed(media: MediaDescription, direction: Direction, *, keep: bool = False) -> MediaDescription:
    """With this direction, and, unless `keep`, without an address of its own (which may be a null one)."""
    directions = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")
    lines = [
        line
        for line in media.lines[1:]
        if line.rstrip() not in directions and (keep or not line.startswith("c="))
    ]
    return media.with_lines([*lines, f"a={direction}"])
