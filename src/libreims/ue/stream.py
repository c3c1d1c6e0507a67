"""One RTP stream of a phone: a pair of ports, what it says, what it hears, and the RTCP about both.

RFC 3550.  The ports exist from the offer on; `agree` starts and changes what is sent once both sides know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from libreims.base.clock import Cancellable, Clock
from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.port import Address, DatagramSocket, Network
from libreims.proto.rtp import rtcp
from libreims.proto.rtp.rtp import RtpError, RtpPacket, is_rtp
from libreims.ue.audio import Codec, PayloadSource
from libreims.ue.reception import Heard

_OWN_REMEMBERED = 1024
"""Payloads of ours that are recognised when they come back."""

_ATTEMPTS = 50


class NoPorts(LibreImsError):
    """No pair of ports could be bound."""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """A stream so far."""

    packets_sent: int = 0
    octets_sent: int = 0
    packets: int = 0
    """RTP packets heard, from all sources together."""
    octets: int = 0
    """Of payload."""
    lost: int = 0
    out_of_order: int = 0
    doubled: int = 0
    own: int = 0
    """Heard packets whose payload this phone had said itself."""
    strange: int = 0
    """Packets that are not RTP, of a payload type that was not agreed, or not from where they should."""
    jitter: float = 0.0
    """Seconds, of the last source heard."""
    sources: int = 0
    rtcp_sent: int = 0
    rtcp: int = 0
    """RTCP packets heard."""
    round_trip: float | None = None
    """Seconds, from the peer's last report about us (RFC 3550 §6.4.1)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What offer and answer say about a stream."""

    codec: Codec
    payload_type: int
    """The number that we send."""
    accepted: frozenset[int]
    """The numbers that the peer may send."""
    rtp: Address | None
    """None: the peer does not want packets (null address)."""
    rtcp: Address | None
    sending: bool
    reporting: bool = True
    """Send RTCP: not before the other side has our half of the agreement."""


class RtpStream:
    """Sends, hears, counts."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        tokens: Tokens,
        host: str,
        ports: tuple[int, int] = (0, 0),
        rtcp_interval: float = 5.0,
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._rtcp_interval = rtcp_interval
        self.ssrc = tokens.integer(1, 0xFFFFFFFF)
        self._sequence = tokens.integer(0, 0x7FFF)
        self._timestamp_base = tokens.integer(0, 0xFFFFFFFF)
        self._rtp, self._rtcp = _bind_pair(network, host, ports, self._rtp_received, self._rtcp_received)
        self._agreed: Agreement | None = None
        self._source: PayloadSource | None = None
        self._started: float | None = None
        self._ticks = 0
        self._marker = True
        self._timer: Cancellable | None = None
        self._report_timer: Cancellable | None = None
        self._said: dict[bytes, None] = {}
        self._heard: dict[int, Heard] = {}
        self._last_heard: Heard | None = None
        self._packets_sent = 0
        self._octets_sent = 0
        self._sent_since_report = False
        self._strange = 0
        self._rtcp_sent = 0
        self._rtcp_heard = 0
        self._round_trip: float | None = None
        self._last_sr: tuple[int, float] | None = None  # middle 32 bits of its NTP time, when it came

    @property
    def local(self) -> Address:
        """Where RTP is expected; RTCP one port higher."""
        return self._rtp.local

    @property
    def agreed(self) -> Agreement | None:
        """What offer and answer say, None before."""
        return self._agreed

    def agree(self, agreement: Agreement, source: Callable[[], PayloadSource]) -> None:
        """Follow an offer and answer; `source` is asked for payloads when the codec is new."""
        before = self._agreed
        if before is None or before.codec != agreement.codec:
            self._source = source()
        self._agreed = agreement
        if agreement.sending and agreement.rtp is not None:
            self._start(agreement.codec.interval)
        else:
            self._pause()
        if agreement.reporting and self._report_timer is None and self._rtcp_interval:
            self._schedule_report(0.5)

    def _start(self, interval: float) -> None:
        if self._timer is None:
            self._marker = True
            if self._started is None:
                self._started = self._clock.time()
            else:
                # The media clock runs on in silence (RFC 3550 §5.1).
                self._ticks = int((self._clock.time() - self._started) / interval) + 1
            self._timer = self._clock.call_later(0, self._say)

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self) -> None:
        agreed, source = self._agreed, self._source
        if agreed is None or source is None or agreed.rtp is None or self._started is None:
            return
        payload = next(source)
        packet = RtpPacket(
            agreed.payload_type,
            self._sequence,
            (self._timestamp_base + self._ticks * agreed.codec.ticks) & 0xFFFFFFFF,
            self.ssrc,
            payload,
            self._marker,
        )
        self._rtp.send(packet.encode(), agreed.rtp)
        self._marker = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._ticks += 1
        self._packets_sent += 1
        self._octets_sent += len(payload)
        self._sent_since_report = True
        self._remember(payload)
        due = self._started + self._ticks * agreed.codec.interval
        self._timer = self._clock.call_later(max(0.0, due - self._clock.time()), self._say)

    def _remember(self, payload: bytes) -> None:
        self._said[payload] = None
        if len(self._said) > _OWN_REMEMBERED:
            del self._said[next(iter(self._said))]

    # -- hearing -----------------------------------------------------------------------------------

    def _rtp_received(self, data: bytes, remote: Address) -> None:
        agreed = self._agreed
        try:
            packet = RtpPacket.parse(data) if is_rtp(data) else None
        except RtpError:
            packet = None
        if packet is None or (agreed is not None and packet.payload_type not in agreed.accepted):
            self._strange += 1
            return
        if agreed is not None and agreed.rtp is not None and remote != agreed.rtp:
            self._strange += 1
            return
        heard = self._heard.get(packet.ssrc)
        if heard is None:
            rate = agreed.codec.clock_rate if agreed else 8000
            heard = self._heard[packet.ssrc] = Heard(packet.ssrc, rate)
        self._last_heard = heard
        heard.packet(packet.sequence, packet.timestamp, len(packet.payload), self._clock.time())
        if packet.payload in self._said:
            heard.own += 1

    def _rtcp_received(self, data: bytes, remote: Address) -> None:
        agreed = self._agreed
        try:
            packets = rtcp.parse(data)
        except rtcp.RtcpError:
            packets = []
        if not packets or (agreed is not None and agreed.rtcp is not None and remote != agreed.rtcp):
            self._strange += 1
            return
        self._rtcp_heard += 1
        now = self._clock.time()
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                self._last_sr = (packet.ntp >> 16 & 0xFFFFFFFF, now)
            if isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in packet.reports:
                    if block.ssrc == self.ssrc and block.last_sr:
                        elapsed = (
                            _middle(_ntp(now)) - block.last_sr - block.delay_since_last_sr
                        ) & 0xFFFFFFFF
                        if elapsed < 1 << 31:
                            self._round_trip = elapsed / 65536

    # -- reports -----------------------------------------------------------------------------------

    def _schedule_report(self, factor: float = 1.0) -> None:
        # RFC 3550 §6.3.1: between half and one and a half of the interval; the first one early.
        delay = factor * self._rtcp_interval * self._tokens.uniform(0.5, 1.5)
        self._report_timer = self._clock.call_later(delay, self._report)

    def _report(self) -> None:
        self._send_rtcp()
        self._schedule_report()

    def _send_rtcp(self, *, goodbye: bool = False) -> None:
        agreed = self._agreed
        if agreed is None or agreed.rtcp is None:
            return
        now = self._clock.time()
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if self._last_heard is not None:
            last, delay = 0, 0
            if self._last_sr is not None:
                last, delay = self._last_sr[0], int((now - self._last_sr[1]) * 65536)
            blocks = (self._last_heard.report(last, delay),)
        first: rtcp.Packet = rtcp.ReceiverReport(self.ssrc, blocks)
        if self._sent_since_report and self._started is not None:
            elapsed = int((now - self._started) * agreed.codec.clock_rate)
            timestamp = (self._timestamp_base + elapsed) & 0xFFFFFFFF
            first = rtcp.SenderReport(
                self.ssrc, _ntp(now), timestamp, self._packets_sent, self._octets_sent & 0xFFFFFFFF, blocks
            )
        self._sent_since_report = False
        name = f"{self.ssrc:08x}@phone".encode()
        compound: list[rtcp.Packet] = [
            first,
            rtcp.SourceDescription(((self.ssrc, ((rtcp.CNAME, name),)),)),
        ]
        if goodbye:
            compound.append(rtcp.Goodbye((self.ssrc,)))
        self._rtcp.send(rtcp.build(compound), agreed.rtcp)
        self._rtcp_sent += 1

    @property
    def counts(self) -> StreamCounts:
        """What was sent and heard so far."""
        heard = self._heard.values()
        return StreamCounts(
            packets_sent=self._packets_sent,
            octets_sent=self._octets_sent,
            packets=sum(each.packets for each in heard),
            octets=sum(each.octets for each in heard),
            lost=sum(each.lost for each in heard),
            out_of_order=sum(each.out_of_order for each in heard),
            doubled=sum(each.doubled for each in heard),
            own=sum(each.own for each in heard),
            strange=self._strange,
            jitter=self._last_heard.jitter if self._last_heard else 0.0,
            sources=len(self._heard),
            rtcp_sent=self._rtcp_sent,
            rtcp=self._rtcp_heard,
            round_trip=self._round_trip,
        )

    def close(self) -> None:
        """Say goodbye (RTCP BYE) and release the ports; harmless the second time.

        Who has said nothing says no goodbye (RFC 3550 §6.3.7).
        """
        if self._agreed is not None and self._rtcp_interval and (self._packets_sent or self._rtcp_sent):
            self._send_rtcp(goodbye=True)
        self._agreed = None
        self._pause()
        if self._report_timer is not None:
            self._report_timer.cancel()
            self._report_timer = None
        self._rtp.close()
        self._rtcp.close()


def _ntp(now: float) -> int:
    """NTP format of a clock; its zero does not matter (RFC 3550 §4)."""
    return int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def _middle(ntp: int) -> int:
    return ntp >> 16 & 0xFFFFFFFF


_Receive = Callable[[bytes, Address], None]


def _bind_pair(
    network: Network, host: str, ports: tuple[int, int], rtp: _Receive, rtcp_: _Receive
) -> tuple[DatagramSocket, DatagramSocket]:
    """An even port for RTP and the next one for RTCP (RFC 3550 §11). Raises NoPorts."""
    low, high = ports
    candidates = range(low + low % 2, high, 2) if low else [0] * _ATTEMPTS
    for candidate in candidates:
        try:
            first = network.udp((host, candidate), rtp)
        except OSError:
            continue
        port = first.local[1]
        if port % 2 and not low:
            first.close()
            try:
                first = network.udp((host, port - 1), rtp)
            except OSError:
                continue
            port -= 1
        try:
            return first, network.udp((host, port + 1), rtcp_)
        except OSError:
            first.close()
    where = f"from {low} to {high}" if low else "that are free"
    raise NoPorts(f"no pair of RTP ports {where} on {host}")
