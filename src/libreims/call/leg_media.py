"""The media of one leg: our ports that face one phone, and what has been agreed with it.

A description that comes from the phone (`offered`, `answered`) says where our packets go; one that the
far side wrote is shown to the phone with our own addresses in it (`shown`).  An offer takes effect when it is
answered (`settle`) and leaves no trace when it is refused (`withdraw`): RFC 3264 §8, RFC 3261 §14.1.
"""

from __future__ import annotations

from collections.abc import Callable

from libreims.call.media_policy import MediaPolicy, clamped
from libreims.call.unnamed import unnamed
from libreims.media.relay import MediaPort, bridge
from libreims.net.port import Address
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.local_answer import local_answer
from libreims.proto.sdp.offer_answer import LocalOrigin, effective_direction, rejected, relayable, rewrite
from libreims.proto.sdp.precondition import Preconditions

OpenPort = Callable[[str], MediaPort]
"""Opens an RTP/RTCP pair for a media type (`audio`, `video`, `text`); raises OutOfPorts."""


class LegMedia:
    """Ports and agreed descriptions of one dialog."""

    __slots__ = (
        "_agreed",
        "_delay",
        "_far",
        "_host",
        "_offered",
        "_open",
        "_origin",
        "_shown",
        "_standing",
        "_standing_far",
        "hidden",
        "policy",
        "ports",
        "preconditions",
        "really_offered",
    )

    def __init__(self, open_port: OpenPort, host: str, session_id: int) -> None:
        """`host`: the address that the phone is told, which need not be the one that is bound."""
        self._open = open_port
        self._host = host
        self._origin = LocalOrigin.start(session_id, host)
        self._agreed: SessionDescription | None = None  # the phone's, in force
        self._offered: SessionDescription | None = None  # the phone's, not answered yet
        self._shown: SessionDescription | None = None  # ours, the last one sent to the phone
        self._standing: SessionDescription | None = None  # ours, in force
        self._far: SessionDescription | None = None  # the far side's behind `_shown`
        self._standing_far: SessionDescription | None = None  # the same behind `_standing`
        self._delay: float | None = None  # of a callflow modifier
        self.preconditions: Preconditions | None = None
        """Those with this phone (RFC 3312), where they are used."""
        self.hidden = False
        """The far side must not know whose phone this is."""
        self.policy: MediaPolicy | None = None
        """What the IMPU says about media, where that is not the usual."""
        self.really_offered: SessionDescription | None = None
        """The caller's first offer, where the callee was shown one without its hold (`allow_hold_invite`)."""
        self.ports: list[MediaPort | None] = []
        """One for each m-line; None where it is off."""

    def offered(self, description: SessionDescription) -> None:
        """The phone offers this; nothing changes until `settle`. Raises OutOfPorts."""
        self._provide(description)
        self._offered = description
        if self.preconditions is not None:
            self.preconditions.received_offer(description)

    def admitted(self, offer: SessionDescription) -> SessionDescription:
        """What is taken of an offer of the phone. Raises Reject."""
        if self.hidden:
            offer = unnamed(offer)
        return offer if self.policy is None else self.policy.admitted(offer)

    @property
    def agreed(self) -> SessionDescription | None:
        """The phone's description that is in force."""
        return self._agreed

    @property
    def last_shown(self) -> SessionDescription | None:
        """Ours that the phone saw last: what its answer has to fit."""
        return self._shown

    def answered(self, description: SessionDescription) -> None:
        """The phone answers (or previews its answer) with this; packets go there from now on."""
        self._provide(description)
        self._apply(description)
        if self.preconditions is not None:
            self.preconditions.received_answer(description)

    def shown(self, description: SessionDescription) -> bytes:
        """The far side's description as this phone gets to see it. Raises OutOfPorts."""
        self._far = description
        if self.really_offered is not None:
            description = clamped(description, self.really_offered)
        description = self._fitting(description)
        self._provide(description)
        host = self._host
        addresses = [(host, port.local[1]) if port is not None else None for port in self.ports]
        ours = rewrite(description, addresses, self._origin.origin, preconditions=False)
        preconditions = self.preconditions
        if preconditions is not None:
            ours = preconditions.offer(ours) if self._offered is None else preconditions.answer(ours)
        self._shown = self._origin.stamp(ours)
        return self._shown.encode()

    def answered_here(self) -> bytes:
        """Answer what the phone offers with what the far side has said before, and put it in force."""
        far, offered = self._far, self._offered
        assert far is not None and offered is not None
        body = self.shown(local_answer(far, offered))
        self._far = far
        self.settle()
        return body

    @property
    def far(self) -> SessionDescription | None:
        """The far side's description that this phone has been shown last."""
        return self._far

    def nothing_shown(self) -> bool:
        """Whether every m-line of what the phone would see is off."""
        return self._shown is not None and not any(each.port for each in self._shown.media)

    def _fitting(self, description: SessionDescription) -> SessionDescription:
        """With the m-lines that this dialog has: an answer those of its offer, an offer no fewer than before.

        RFC 3264 §6 and §8. The two sides differ where a change reached one of them only.
        """
        media = description.media
        if self._offered is not None:
            count = len(self._offered.media)
            if len(media) <= count:
                return description
            return SessionDescription(description.lines, media[:count])
        standing = self._standing.media if self._standing is not None else ()
        if len(media) >= len(standing):
            return description
        return SessionDescription(description.lines, media + tuple(map(rejected, standing[len(media) :])))

    def preview(self) -> None:
        """Early media: packets go to where the phone's offer wants them; the answer may differ yet."""
        if self._offered is not None:
            self._apply(self._offered)

    def settle(self) -> None:
        """Offer and answer are both known: put the phone's offer in force, give up what is off."""
        offered, self._offered = self._offered, None
        if offered is not None:
            self._apply(offered)
        self._standing = self._shown
        self._standing_far = self._far
        self.really_offered = None
        for index, port in enumerate(self.ports):
            if port is not None and not (_is_on(self._agreed, index) and _is_on(self._shown, index)):
                port.close()
                self.ports[index] = None

    def withdraw(self) -> None:
        """The change was refused: ports opened for it are given back, the rest is as it was."""
        self._offered = None
        self._shown = self._standing
        self._far = self._standing_far
        for index, port in enumerate(self.ports):
            if port is not None and not _is_on(self._agreed, index):
                port.close()
                self.ports[index] = None

    def delay(self, seconds: float) -> None:
        """Hold packets to the phone up, on the ports that there are and on those to come."""
        self._delay = seconds
        for port in self.ports:
            if port is not None:
                port.delay = seconds

    def bridge(self, near: LegMedia) -> None:
        """Relay between the m-lines of both sides."""
        for ours, theirs in zip(self.ports, near.ports, strict=False):
            if ours is not None and theirs is not None:
                bridge(ours, theirs)

    def last_activity(self) -> float:
        """Clock time of the latest packet from the phone; minus infinity without media."""
        return max((port.last_activity for port in self.ports if port is not None), default=float("-inf"))

    def expects_packets(self) -> bool:
        """Whether an m-line is to flow both ways.

        One way only is how phones hold, and most of them send nothing meanwhile, whatever they announced.
        """
        agreed, shown = self._agreed, self._shown
        if agreed is None or shown is None:
            return False
        return any(
            port is not None
            and _is_on(agreed, index)  # a port may be there for an offer that is not answered yet
            and _is_on(shown, index)
            and effective_direction(agreed, index) == "sendrecv"
            and effective_direction(shown, index) == "sendrecv"
            for index, port in enumerate(self.ports)
        )

    def close(self) -> None:
        """Give back every port."""
        for port in self.ports:
            if port is not None:
                port.close()
        self.ports = []

    def _provide(self, description: SessionDescription) -> None:
        """A port for each m-line that is on."""
        ports = self.ports
        for index, media in enumerate(description.media):
            if index == len(ports):
                ports.append(None)
            if ports[index] is None and relayable(media):
                ports[index] = self._opened(media.kind)

    def _opened(self, kind: str) -> MediaPort | None:
        policy = self.policy
        if policy is not None and kind in policy.refused:
            return None
        port = self._open(kind)
        if policy is not None:
            policy.apply(port)
        if self._delay is not None:
            port.delay = self._delay
        return port

    def _apply(self, description: SessionDescription) -> None:
        self._agreed = description
        for index, port in enumerate(self.ports):
            if port is None:
                continue
            rtp: Address | None = None
            rtcp: Address | None = None
            if _is_on(description, index):
                rtp, rtcp = description.rtp_address(index), description.rtcp_address(index)
            port.set_remote(rtp, rtcp)


def _is_on(description: SessionDescription | None, index: int) -> bool:
    return description is not None and index < len(description.media) and description.media[index].port != 0
