"""The server itself as one side of a call: it sends back what it hears, and can be made to change the call.

What the echo numbers (`call.echo`) and calls made by `mt_call` (`call.originate`) have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from libreims.base.errors import LibreImsError
from libreims.call.events import (
    Changed,
    ChangeRefused,
    Changing,
    Event,
    InfoAnswered,
    Informed,
    Notify,
)
from libreims.call.leg import unconnected
from libreims.call.leg_media import LegMedia
from libreims.call.own_offer import OwnOffer
from libreims.call.party import Near
from libreims.call.sdp_file import NOWHERE
from libreims.call.services import CallServices
from libreims.media.echo import echo
from libreims.media.relay import MediaPort
from libreims.proto.sdp.description import Origin, SessionDescription
from libreims.proto.sdp.offer_answer import KINDS, answer_echo, hold, reject_media, set_direction

Wish = Callable[[SessionDescription], SessionDescription]
"""A change: from what is in force to what is wanted."""
ORIGIN: Final = Origin("-", "1", 1, NOWHERE[0])
DEFAULT_OFFER: Final = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 104 102 8 0 110\r\n"
    b"a=rtpmap:104 AMR-WB/16000\r\na=fmtp:104 octet-align=0; mode-change-capability=2\r\n"
    b"a=rtpmap:102 AMR/8000\r\na=fmtp:102 octet-align=0; mode-change-capability=2\r\n"
    b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:110 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)
"""What it offers when nobody says what: any codec will do, as the packets go back unread."""


class ServerParty:
    """Takes part in a running call. Subclasses know how it begins."""

    def __init__(self, services: CallServices, phone: str, *, caller: bool) -> None:
        """`caller`: the server calls, and its is the Call-ID towards the phone."""
        self.phone = phone
        self.notify: Notify = unconnected
        self._services = services
        self._own = OwnOffer(services.clock, services.tokens, caller, self._send_offer)
        self._base: SessionDescription | None = None  # ours that is in force, as if nothing were on hold
        self._held: frozenset[str] = frozenset()  # media types that the phone has agreed to be held
        self._wishes: list[Wish] = []  # changes that the phone has not agreed to yet
        self._wanted = self._held  # media types to be held with them
        self._sent: tuple[SessionDescription, frozenset[str], int] | None = None  # base, held, wishes
        self._far: LegMedia | None = None
        self._echoed: list[MediaPort] = []

    # -- the phone's side, as a party of the session ------------------------------------------------------

    def handle(self, event: Event) -> None:
        """An event of a running call."""
        match event:
            case Changing():
                self.notify(Changed(self.answer(event.description)))
            case Changed():
                self._changed()
            case ChangeRefused():
                self._refused(event)
            case Informed():
                self.notify(InfoAnswered(event.number, 200))
            case _:
                pass  # it holds nothing that an end or an acknowledgement would change

    early_media = True
    """As a caller it listens from the first packet."""

    @property
    def media(self) -> ServerParty:
        """What the phone's leg is connected to."""
        return self

    def bridge(self, far: LegMedia) -> None:
        """Send back what comes in on the phone's ports."""
        self._far = far
        for port in far.ports:
            # A port that is echoed already keeps the SSRC that its phone knows.
            if port is not None and not any(port is each for each in self._echoed):
                echo(port, self._services.tokens)
        self._echoed = [port for port in far.ports if port is not None]

    def join(self, near: Near) -> None:
        """As the callee: connect the caller, who is a phone."""
        assert isinstance(near, LegMedia)
        self.bridge(near)

    def expects_packets(self) -> bool:
        """Whether the phone is to send something."""
        return self._far is not None and self._far.expects_packets()

    def renewed(self) -> None:
        """It knows what it has agreed to."""

    def last_activity(self) -> float:
        """It never does anything of its own accord."""
        return float("-inf")

    def release(self) -> None:
        """The session is over."""
        self.notify = unconnected
        self._own.close()
        self._far = None
        self._echoed = []

    # -- descriptions -----------------------------------------------------------------------------------

    def answer(self, offer: SessionDescription | None) -> SessionDescription:
        """What it says to an offer of the phone; an offer of its own when the phone asks for one."""
        if offer is None:
            return self.offer()
        answered = self.reply(offer)
        self._base = set_direction(answered, "sendrecv")
        return with_holds(answered, self._held)

    def reply(self, offer: SessionDescription) -> SessionDescription:
        """The answer as if nothing were on hold: every codec that the phone has."""
        return answer_echo(offer, [NOWHERE] * len(offer.media), ORIGIN)

    def first_offer(self) -> SessionDescription:
        """What it offers when it has not spoken yet. Raises LibreImsError."""
        return SessionDescription.parse(DEFAULT_OFFER)

    def offer(self) -> SessionDescription:
        """What it wants now."""
        return with_holds(self._standing(), self._held)

    def _standing(self) -> SessionDescription:
        """What it wants, as if nothing were on hold."""
        if self._base is None:
            self._base = self.first_offer()
        return self._base

    # -- changes of its own --------------------------------------------------------------------------------

    def hold(self, media: str | None) -> bool:
        """Hold, or take up again, one media type or all; True when it is held now. Raises LibreImsError."""
        kinds = self._kinds(media, "hold")
        held = not kinds <= self._wanted
        self._wanted = self._wanted | kinds if held else self._wanted - kinds
        self._own.ask()
        return held

    def downgrade(self, media: str | None) -> str:
        """Take one media type out of the call and return which. Raises LibreImsError."""
        kind = chosen_downgrade(self._wished(), media)
        self._wish(lambda base: without(base, kind))
        return kind

    def reinvite(self, description: SessionDescription | None = None) -> None:
        """Offer the call's media again, or those of `description`."""
        self._wish(lambda base: base if description is None else fitted(description, base))

    def _kinds(self, media: str | None, action: str) -> frozenset[str]:
        on = active_kinds(self._wished())
        if media is None:
            return frozenset(on)
        if media not in on:
            raise LibreImsError(f"{action}: the call has no {media}, only {' and '.join(on) or 'no media'}")
        return frozenset((media,))

    def _wish(self, wish: Wish) -> None:
        self._wishes.append(wish)
        self._own.ask()

    def _wished(self) -> SessionDescription:
        """What is in force, with the changes that are still wanted."""
        base = self._standing()
        for wish in self._wishes:
            base = wish(base)
        return base

    def _send_offer(self) -> None:
        base = self._wished()
        self._sent = (base, self._wanted, len(self._wishes))
        self.notify(Changing("INVITE", with_holds(base, self._wanted)))

    def _changed(self) -> None:
        if self._sent is not None:
            self._base, self._held, done = self._sent
            self._sent = None
            del self._wishes[:done]
        self._own.accepted()

    def _refused(self, event: ChangeRefused) -> None:
        self._sent = None
        if self._own.refused(event):
            return
        self._wishes.clear()
        self._wanted = self._held
        self._services.log.warn(
            f"{self.phone}: the phone refuses the change of the call ({event.status}), which stays as it was"
        )


def with_holds(description: SessionDescription, kinds: frozenset[str]) -> SessionDescription:
    """The description with these media types on hold."""
    for kind in sorted(kinds):
        description = hold(description, kind)
    return description


def without(description: SessionDescription, kind: str) -> SessionDescription:
    """The description with every m-line of this media type off."""
    for index, each in enumerate(description.media):
        if each.kind == kind and each.port:
            description = reject_media(description, index)
    return description


def active_kinds(description: SessionDescription) -> list[str]:
    """The media types that are on, each once."""
    return list(dict.fromkeys(each.kind for each in description.media if each.port))


def chosen_downgrade(description: SessionDescription, media: str | None) -> str:
    """The media type to remove: the one that is named, else text before video. Raises LibreImsError."""
    on = active_kinds(description)
    if media is not None and media not in on:
        raise LibreImsError(f"downgrade: the call has no {media}, only {' and '.join(on) or 'no media'}")
    if len(on) < 2:
        raise LibreImsError(f"downgrade: the call has only {on[0] if on else 'no media'}, use stop to end it")
    return media or max(on, key=_order)


def _order(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def fitted(description: SessionDescription, before: SessionDescription) -> SessionDescription:
    """The description with at least as many m-lines as the call has had (RFC 3264 §8)."""
    missing: Iterable[int] = range(len(description.media), len(before.media))
    media = [*description.media]
    media += [before.media[index].replaced(0, ()) for index in missing]
    return SessionDescription(description.lines, tuple(media))
