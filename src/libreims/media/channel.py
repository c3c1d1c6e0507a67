"""One UDP socket of a media port, RTP or RTCP: the path that every media packet takes.

A packet costs `receive` of the channel that it comes in at and `forward` of the one that it leaves
from; everything that does not happen with every packet is kept out of these two.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from libreims.base.clock import Clock
from libreims.base.log import LayerLog
from libreims.media.delay import DelayLine
from libreims.net.address import text
from libreims.net.port import Address, DatagramSocket
from libreims.proto.rtp import rtcp, rtp

Sink = Callable[[bytes], None]
"""Where packets that come in go to."""

_REMINDER: Final = 10.0
"""Seconds between two log lines about packets that have nowhere to go."""
_LONG_AGO: Final = float("-inf")


class Label:
    """What log lines say about a media port; shared by its two channels."""

    __slots__ = ("id", "kind", "log")

    def __init__(self, log: LayerLog, kind: str, id: int | str | None) -> None:
        self.log = log
        self.kind = kind
        self.id = id


class Channel:
    """RTP or RTCP of one media port."""

    __slots__ = (
        "_attend",
        "_circle",
        "_clock",
        "_delay",
        "_destination",
        "_enabled",
        "_first",
        "_first_number",
        "_label",
        "_late",
        "_latest",
        "_log",
        "_reminded",
        "_remote",
        "_send",
        "_sink",
        "_socket",
        "_target",
        "_time",
        "dropped",
        "last_activity",
        "local",
        "octets_received",
        "octets_sent",
        "protocol",
        "received",
        "sent",
    )

    def __init__(
        self,
        sock: DatagramSocket,
        clock: Clock,
        protocol: str,
        label: Label,
        late: Address | None = None,
    ) -> None:
        """`protocol`: `RTP` or `RTCP`.

        `late`: the phone that `sock` served before; its packets are not of this call.
        """
        self.protocol = protocol
        self.received = 0
        """Packets from the phone."""
        self.octets_received = 0
        self.sent = 0
        """Packets to the phone."""
        self.octets_sent = 0
        self.dropped = 0
        """Packets for the phone that were not sent, and packets from it that had nowhere to go."""
        self.last_activity = clock.time()
        """Clock time of the latest packet from the phone; at first, when the port was opened."""
        self._label = label
        self._log = label.log
        self._clock = clock
        self._time = clock.time
        self._remote: Address | None = None
        self._enabled = True
        self._delay: DelayLine | None = None
        self._circle: Address | None = None  # an address from which packets would come back to us
        self._destination: Address | None = None  # the remote, unless that is blocked
        self._target: Address | None = None  # the destination, while packets may leave at once
        self._sink: Sink = self.drop
        self._attend = True  # the next packet deserves a closer look
        self._latest = b""
        self._first = b""
        self._first_number = 0
        self._reminded = _LONG_AGO
        self._late = late
        self._socket: DatagramSocket | None = sock
        self._send = sock.send
        self.local = sock.local
        sock.receive = self.receive

    def receive(self, data: bytes, source: Address) -> None:
        """A packet from the phone."""
        if self._attend or self._log.debug_on:
            if source == self._late and source != self._remote:
                self.dropped += 1
                return
            self._look(data, source)
        self.received += 1
        self.octets_received += len(data)
        self._latest = data
        self.last_activity = self._time()
        self._sink(data)

    def forward(self, data: bytes) -> None:
        """A packet for the phone."""
        target = self._target
        if target is None:
            self._hold_up(data)
            return
        self.sent += 1
        self.octets_sent += len(data)
        self._send(data, target)

    def drop(self, data: bytes) -> None:
        """The sink of a channel that is connected to nothing, and the end of what cannot be used."""
        del data
        self.dropped += 1

    # --- settings -------------------------------------------------------------------------------------

    @property
    def remote(self) -> Address | None:
        """Where packets to the phone are sent; None while that is unknown or the stream is off."""
        return self._remote

    @property
    def enabled(self) -> bool:
        """Whether packets to the phone are sent."""
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        self._enabled = value
        self._aim()

    @property
    def delay(self) -> float:
        """Seconds that packets to the phone are held up."""
        return self._delay.delay if self._delay is not None else 0.0

    @delay.setter
    def delay(self, seconds: float) -> None:
        if self._delay is None:
            if not seconds:
                return
            self._delay = DelayLine(self._clock, self._deliver)
        self._delay.delay = seconds
        self._aim()

    def connect(self, sink: Sink | None, circle: Address | None = None) -> None:
        """Give packets from the phone to `sink`; None: drop them.

        `circle`: an address of ours that leads back here; nothing is sent there.
        """
        if self._socket is not None:
            self._sink = sink if sink is not None else self.drop
            if circle != self._circle:
                self._circle = circle
                if self._remote is not None:
                    self._aim()

    def set_remote(self, remote: Address | None) -> None:
        """Where the phone said that it wants its packets."""
        if self._socket is None:
            return
        if remote is not None and (problem := self._unusable(remote)):
            self._say(self._log.warn, f"nothing can be sent to {text(remote)}: {problem}")
            remote = None
        if remote == self._remote:
            return
        self._remote = remote
        self._attend = True
        self._aim()

    def close(self) -> None:
        """Let go of the socket, which stays open; the counters stay. Twice is harmless."""
        if self._socket is None:
            return
        self._socket.receive = ignored
        self._socket = None
        # Nothing may hold on to a neighbour, a timer or itself, and a late packet must not be sent.
        self._sink = _ignore
        self._remote = self._destination = self._target = None
        self._send = _nowhere
        if self._delay is not None:
            self._delay.clear()
            self._delay = None

    def _unusable(self, remote: Address) -> str:
        host, port = remote
        version = _ip_version(host)
        if not version:
            return "media needs an IPv4 or IPv6 address, names are not looked up"
        ours = 6 if ":" in self.local[0] else 4
        if version != ours:
            return f"this side of the call uses IPv{ours} ({text(self.local)})"
        if not 0 < port < 65536:
            return "there is no such port"
        return ""

    def _aim(self) -> None:
        remote = self._remote
        if remote is not None and remote in (self.local, self._circle):
            self._say(
                self._log.warn,
                f"nothing is sent to {text(remote)}: it is the server's own port in this call, the packets "
                "would turn in a circle. The phone's SDP has to name the phone's address",
            )
            remote = None
        self._destination = remote if self._enabled else None
        direct = self._delay is None or (not self._delay.delay and not len(self._delay))
        self._target = self._destination if direct else None

    # --- what does not happen with every packet -------------------------------------------------------

    def _hold_up(self, data: bytes) -> None:
        if self._delay is not None and self._destination is not None:
            if not self._delay.push(data):
                self.dropped += 1
            return
        self.dropped += 1
        if self._remote is None and self._socket is not None and self._time() - self._reminded >= _REMINDER:
            self._reminded = self._time()
            self._say(self._log.info, "packet dropped: the phone's address is not known (yet)", "TO")

    def _deliver(self, data: bytes) -> None:
        if self._destination is not None:
            self.sent += 1
            self.octets_sent += len(data)
            self._send(data, self._destination)
        else:
            self.dropped += 1
        if self._delay is not None and not self._delay.delay and not len(self._delay):
            self._aim()

    def _look(self, data: bytes, source: Address) -> None:
        describe = rtp.describe if self.protocol == "RTP" else rtcp.describe
        if not self._attend:
            self._say(self._log.debug, f"{text(source)} {describe(data)}", "FROM")
            return
        self._attend = False
        self._first = data
        self._first_number = self.received + 1
        self._late = None
        self._say(self._log.info, f"first packet from {text(source)}: {describe(data)}", "FROM")
        remote = self._remote
        if remote is not None and source != remote:
            # The address is not followed: who can send one packet here could draw the media of a call
            # to himself, and RFC 3264 §5.1 lets a phone send from another port than it receives at.
            self._say(
                self._log.warn if source[0] != remote[0] else self._log.info,
                f"packets come from {text(source)} but the phone's SDP says {text(remote)}: they are used, "
                f"and packets to the phone go to {text(remote)}. If they do not arrive there, a NAT lies "
                "between phone and server; let the phone write its outside address (STUN) or remove the NAT",
                "FROM",
            )

    def _say(self, log: Callable[..., None], message: str, dir: str = "-") -> None:
        label = self._label
        log(f"{self.protocol}/{label.kind} {message}", dir=dir, id=label.id)

    # --- statistics -----------------------------------------------------------------------------------

    @property
    def ssrc(self) -> int | None:
        """SSRC of the latest packet from the phone; None without RTP."""
        return rtp.ssrc_of(self._latest) if self.protocol == "RTP" and rtp.is_rtp(self._latest) else None

    @property
    def lost(self) -> int | None:
        """Estimate of the packets lost on the way from the phone since its address was set.

        From the first and the latest sequence number and the count between them, which costs nothing per
        packet; None where the phone changed its SSRC meanwhile, or sends no RTP.
        """
        first, latest = self._first, self._latest
        if self.protocol != "RTP" or not rtp.is_rtp(first) or not rtp.is_rtp(latest):
            return None
        if rtp.ssrc_of(first) != rtp.ssrc_of(latest):
            return None
        steps = rtp.sequence_of(latest) - rtp.sequence_of(first)
        missing = (steps - (self.received - self._first_number)) % 65536
        return missing if missing < 32768 else 0  # more duplicates than losses


@lru_cache(1024)
def _ip_version(host: str) -> int:
    """4, 6, or 0 for what is no address. Remembered: a phone's address comes again with every stream."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def ignored(data: bytes, source: Address) -> None:
    """Who gets the datagrams of a socket that serves no call."""
    del data, source


def _ignore(data: bytes) -> None:
    del data


def _nowhere(data: bytes, remote: Address) -> None:
    del data, remote
