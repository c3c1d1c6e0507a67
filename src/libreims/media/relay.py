"""The RTP/RTCP relay: media ports, and two of them bridged.

Transparent: no octet of a packet is changed, whatever it is (RTP, STUN, DTLS).  One side may be IPv4
and the other IPv6.  Used by `call/`; the echo (`media.echo`) is another thing to connect a port to.
"""

from __future__ import annotations

from collections.abc import Callable

from libreims.base.clock import Clock
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.media.channel import Channel, Label, Sink
from libreims.media.pairs import Pair, Pairs
from libreims.net.address import text
from libreims.net.port import Address, Network


class MediaPort:
    """An RTP port and the RTCP port after it, facing one phone for one m-line."""

    __slots__ = ("_closed", "_detached", "_label", "_pair", "_pairs", "_relay", "echo_sources", "rtcp", "rtp")

    def __init__(self, relay: MediaRelay, clock: Clock, label: Label, pair: Pair, pairs: Pairs) -> None:
        self.rtp = Channel(pair.rtp, clock, "RTP", label, pair.late_rtp)
        self.rtcp = Channel(pair.rtcp, clock, "RTCP", label, pair.late_rtcp)
        self.echo_sources = relay.echo_sources
        self._relay = relay
        self._label = label
        self._pair = pair
        self._pairs = pairs
        self._detached: Callable[[], None] | None = None
        self._closed = False

    @property
    def local(self) -> Address:
        """Our RTP address; RTCP is at the next port."""
        return self.rtp.local

    @property
    def kind(self) -> str:
        """`audio`, `video` or `text`."""
        return self._label.kind

    @property
    def id(self) -> int | str | None:
        """Identifier of the SIP dialog in log lines."""
        return self._label.id

    @id.setter
    def id(self, value: int | str | None) -> None:
        self._label.id = value

    def set_remote(self, rtp: Address | None, rtcp: Address | None) -> None:
        """Where the phone's description says that it wants RTP and RTCP; None: send nothing."""
        if not self._label.log.info_on:
            self.rtp.set_remote(rtp)
            self.rtcp.set_remote(rtcp)
            return
        before = self.rtp.remote, self.rtcp.remote
        self.rtp.set_remote(rtp)
        self.rtcp.set_remote(rtcp)
        now = self.rtp.remote, self.rtcp.remote
        if now != before:
            names = [text(each) if each is not None else "nobody" for each in now]
            self._say(f"to {names[0]}, RTCP to {names[1]}", "TO")

    @property
    def rtp_received(self) -> int:
        """RTP packets from the phone."""
        return self.rtp.received

    @property
    def rtp_sent(self) -> int:
        """RTP packets to the phone."""
        return self.rtp.sent

    @property
    def rtcp_received(self) -> int:
        """RTCP packets from the phone."""
        return self.rtcp.received

    @property
    def rtcp_sent(self) -> int:
        """RTCP packets to the phone."""
        return self.rtcp.sent

    @property
    def octets_received(self) -> int:
        """RTP octets from the phone, headers of IP and UDP not counted."""
        return self.rtp.octets_received

    @property
    def octets_sent(self) -> int:
        """RTP octets to the phone."""
        return self.rtp.octets_sent

    @property
    def lost(self) -> int | None:
        """Estimate of the RTP packets lost on the way from the phone; None when it cannot be told."""
        return self.rtp.lost

    @property
    def ssrc(self) -> int | None:
        """SSRC of the latest RTP packet from the phone; None without."""
        return self.rtp.ssrc

    @property
    def last_activity(self) -> float:
        """Clock time of the latest RTP or RTCP packet from the phone; at first, of opening."""
        return max(self.rtp.last_activity, self.rtcp.last_activity)

    @property
    def rtp_enabled(self) -> bool:
        """False blocks RTP to the phone."""
        return self.rtp.enabled

    @rtp_enabled.setter
    def rtp_enabled(self, value: bool) -> None:
        self.rtp.enabled = value

    @property
    def rtcp_enabled(self) -> bool:
        """False blocks RTCP to the phone."""
        return self.rtcp.enabled

    @rtcp_enabled.setter
    def rtcp_enabled(self, value: bool) -> None:
        self.rtcp.enabled = value

    @property
    def delay(self) -> float:
        """Seconds that packets to the phone are held up (`media_delay`); those that wait keep their time."""
        return self.rtp.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self.rtp.delay = seconds
        self.rtcp.delay = seconds

    def attach(
        self, rtp: Sink, rtcp: Sink, detached: Callable[[], None], facing: MediaPort | None = None
    ) -> None:
        """Give what comes from the phone to these; `detached` is called once when that ends.

        `facing`: the port that sends it on.
        """
        self.detach()
        if self._closed:
            return
        self._detached = detached
        self.rtp.connect(rtp, facing.rtp.local if facing is not None else None)
        self.rtcp.connect(rtcp, facing.rtcp.local if facing is not None else None)

    def detach(self) -> None:
        """Drop what comes from the phone from now on. Twice is harmless."""
        detached, self._detached = self._detached, None
        if detached is not None:
            self.rtp.connect(None)
            self.rtcp.connect(None)
            detached()

    @property
    def closed(self) -> bool:
        """Whether the ports have been returned."""
        return self._closed

    def close(self) -> None:
        """Return both ports; the counters stay readable. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self.detach()
        pair = self._pair
        pair.late_rtp, pair.late_rtcp = self.rtp.remote, self.rtcp.remote
        self.rtp.close()
        self.rtcp.close()
        self._pairs.give_back(pair)
        self._relay.returned(self)
        if self._label.log.info_on:
            lost = "" if self.lost is None else f", {self.lost} lost"
            self._say(
                f"closed {text(self.local)}: received {self.rtp.received} packets {self.rtp.octets_received} "
                f"octets{lost}, sent {self.rtp.sent} packets {self.rtp.octets_sent} octets; "
                f"RTCP received {self.rtcp.received}, sent {self.rtcp.sent}"
            )

    def _say(self, message: str, dir: str = "-") -> None:
        self._label.log.media(dir, self._label.id, "RTP", self._label.kind, message)


class MediaRelay:
    """Opens media ports and knows which are open."""

    def __init__(self, network: Network, clock: Clock, log: LayerLog, tokens: Tokens) -> None:
        self._network = network
        self._clock = clock
        self._log = log
        self._tokens = tokens
        self._pairs: dict[tuple[str, int, int], Pairs] = {}
        self._open: dict[Address, MediaPort] = {}
        self._past = (0, 0, 0, 0)
        self.echo_sources: set[bytes] = set()
        """SSRCs that echoes of this relay send with, to recognise echoes that echo each other."""

    def __len__(self) -> int:
        """Number of open media ports."""
        return len(self._open)

    def open(
        self,
        local_host: str,
        port_min: int,
        port_max: int,
        *,
        kind: str = "audio",
        id: int | str | None = None,
    ) -> MediaPort:
        """Open an even RTP port from `port_min` to `port_max` and the RTCP port after it.

        `local_host`: an address of this machine; `kind` and `id` go into log lines.
        Raises OutOfPorts.
        """
        key = (local_host, port_min, port_max)
        pairs = self._pairs.get(key)
        if pairs is None:
            pairs = self._pairs[key] = Pairs.of(self._network, *key, self._tokens)
        port = MediaPort(self, self._clock, Label(self._log, kind, id), pairs.take(), pairs)
        self._open[port.local] = port
        return port

    def returned(self, port: MediaPort) -> None:
        """A port is closed."""
        del self._open[port.local]
        self._past = _plus(self._past, port)

    def packets(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """RTP packets received and sent since the beginning, and RTCP packets."""
        counts = self._past
        for port in self._open.values():
            counts = _plus(counts, port)
        return counts[:2], counts[2:]

    def close(self) -> None:
        """Close every port that is open."""
        for port in list(self._open.values()):
            port.close()
        for pairs in self._pairs.values():
            pairs.close()


def _plus(counts: tuple[int, int, int, int], port: MediaPort) -> tuple[int, int, int, int]:
    rtp, rtcp = port.rtp, port.rtcp
    return (
        counts[0] + rtp.received,
        counts[1] + rtp.sent,
        counts[2] + rtcp.received,
        counts[3] + rtcp.sent,
    )


def bridge(a: MediaPort, b: MediaPort) -> None:
    """Relay both ways between two phones; closing or re-connecting one side ends it for both."""
    if a.closed or b.closed:
        return
    a.attach(b.rtp.forward, b.rtcp.forward, b.detach, b)
    b.attach(a.rtp.forward, a.rtcp.forward, a.detach, a)
