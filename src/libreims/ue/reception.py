"""What a phone knows of one RTP source that it hears; loss and jitter are `proto.rtp.reception`'s.

Pure: packets in, numbers out.  A stream keeps one `Heard` for each SSRC.
"""

from __future__ import annotations

from libreims.proto.rtp.reception import Reception
from libreims.proto.rtp.rtcp import ReportBlock

_REMEMBERED = 512
"""Sequence numbers that are kept to tell a doubled packet from a late one."""


class Heard:
    """Counts of one SSRC."""

    __slots__ = ("_recent", "_reception", "_top", "doubled", "octets", "out_of_order", "own", "packets")

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.packets = 0
        self.octets = 0
        """Of payload."""
        self.doubled = 0
        self.out_of_order = 0
        self.own = 0
        """Packets with a payload that we had sent ourselves: an echo."""
        self._reception = Reception(ssrc, clock_rate)
        self._recent: dict[int, None] = {}
        self._top = -1

    def packet(self, sequence: int, timestamp: int, octets: int, arrival: float) -> None:
        """Count a packet with `octets` of payload that came at `arrival` (seconds)."""
        self.packets += 1
        self.octets += octets
        if sequence in self._recent:
            self.doubled += 1
        elif self._top >= 0 and (sequence - self._top) % 65536 >= 32768:
            self.out_of_order += 1
        else:
            self._top = sequence
        self._recent[sequence] = None
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]
        self._reception.packet(sequence, timestamp, arrival)

    @property
    def ssrc(self) -> int:
        """Who speaks."""
        return self._reception.ssrc

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self._reception.lost + self.doubled)

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds (RFC 3550 §6.4.1)."""
        return self._reception.jitter

    def report(self, last_sr: int, delay_since_last_sr: int) -> ReportBlock:
        """The block for the next report (RFC 3550 §6.4.1)."""
        return self._reception.report(last_sr, delay_since_last_sr)
