"""The echo: a phone hears itself.

Every RTP packet goes back as it came but with an SSRC of our own; RTCP goes back with the phone's SSRC
and ours exchanged wherever one of them stands, so that the phone finds a peer that reports on it.
What is not RTP or RTCP (STUN, keep-alives, garbage) is counted and dropped.
"""

from __future__ import annotations

from libreims.base.tokens import Tokens
from libreims.media.channel import Channel
from libreims.media.relay import MediaPort
from libreims.proto.rtp import rtcp, rtp


class Echo:
    """What one echoed media port is connected to."""

    __slots__ = ("_own", "_rtcp", "_rtp", "_sources")

    def __init__(self, rtp_channel: Channel, rtcp_channel: Channel, ssrc: int, sources: set[bytes]) -> None:
        self._rtp = rtp_channel
        self._rtcp = rtcp_channel
        self._own = ssrc.to_bytes(4, "big")
        self._sources = sources
        sources.add(self._own)

    def rtp_received(self, data: bytes) -> None:
        """Send an RTP packet back."""
        # A source that is an echo's: ours came back to us, or two echoes were set on each other and
        # would play with one packet for ever (RFC 3550 §8.2).
        if not rtp.is_rtp(data) or data[8:12] in self._sources:
            self._rtp.drop(data)
            return
        self._rtp.forward(rtp.with_ssrc(data, self._own))

    def rtcp_received(self, data: bytes) -> None:
        """Send an RTCP compound back."""
        try:
            sender = rtcp.sender_ssrc(data)
            if sender is None or sender.to_bytes(4, "big") in self._sources:
                self._rtcp.drop(data)
                return
            self._rtcp.forward(rtcp.swap_ssrc(data, sender, int.from_bytes(self._own, "big")))
        except rtcp.RtcpError:
            self._rtcp.drop(data)

    def ended(self) -> None:
        """The port is connected to something else, or closed."""
        self._sources.discard(self._own)


def echo(port: MediaPort, tokens: Tokens) -> None:
    """Send back to the phone what comes from it, until the port is closed or connected elsewhere."""
    if port.closed:
        return
    each = Echo(port.rtp, port.rtcp, tokens.integer(1, 0xFFFFFFFF), port.echo_sources)
    port.attach(each.rtp_received, each.rtcp_received, each.ended)
