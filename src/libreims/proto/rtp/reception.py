"""Reception statistics of one RTP source: loss and jitter (RFC 3550 §6.4, appendices A.1, A.3, A.8)."""

from __future__ import annotations

from typing import Final

from libreims.proto.rtp.rtcp import ReportBlock

_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
_WRAP: Final = 1 << 16


class Reception:
    """What arrives from one source; fed with each packet, asked for a report block now and then."""

    __slots__ = (
        "_base",
        "_expected_before",
        "_jitter",
        "_received_before",
        "_restart",
        "_transit",
        "_wraps",
        "clock_rate",
        "highest",
        "received",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.received = 0
        self.highest = 0
        """Highest sequence number of the current cycle."""
        self._base = 0
        self._wraps = 0
        self._restart = -1
        self._jitter = 0.0
        self._transit: int | None = None
        self._expected_before = 0
        self._received_before = 0

    def packet(self, sequence: int, timestamp: int, arrival: float) -> None:
        """Count a packet that came at `arrival` (seconds, any clock)."""
        if not self.received:
            self._start(sequence)
        elif not self._advance(sequence):
            return
        self.received += 1
        self._measure(timestamp, arrival)

    def _start(self, sequence: int) -> None:
        self._base = self.highest = sequence
        self._wraps = self.received = self._expected_before = self._received_before = 0
        self._restart = -1
        self._transit = None

    def _advance(self, sequence: int) -> bool:
        """Follow the sequence (A.1); False for a packet too far off to be believed yet."""
        step = (sequence - self.highest) % _WRAP
        if step < _MAX_DROPOUT:
            if sequence < self.highest:
                self._wraps += _WRAP
            self.highest = sequence
        elif step <= _WRAP - _MAX_MISORDER:
            if sequence != self._restart:
                self._restart = (sequence + 1) % _WRAP
                return False
            self._start(sequence)  # two in a row: the sender has begun anew
        return True

    def _measure(self, timestamp: int, arrival: float) -> None:
        transit = int(arrival * self.clock_rate) - timestamp
        if self._transit is not None:
            # Difference in 32 bits with sign, so that a timestamp may wrap.
            difference = (transit - self._transit + (1 << 31)) % (1 << 32) - (1 << 31)
            self._jitter += (abs(difference) - self._jitter) / 16
        self._transit = transit

    @property
    def extended_highest(self) -> int:
        """Highest sequence number, extended with the number of its wraps."""
        return self._wraps + self.highest

    @property
    def expected(self) -> int:
        """Packets that the sender has sent, as far as the sequence numbers tell."""
        return self.extended_highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets missing so far; negative when duplicates came."""
        return self.expected - self.received

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds."""
        return self._jitter / self.clock_rate

    def report(self, last_sr: int = 0, delay_since_last_sr: int = 0) -> ReportBlock:
        """Report block about this source; the next one's fraction counts from here (A.3)."""
        expected = self.expected - self._expected_before
        lost = expected - (self.received - self._received_before)
        self._expected_before, self._received_before = self.expected, self.received
        fraction = min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0
        total = max(-(1 << 23), min((1 << 23) - 1, self.lost))
        highest = self.extended_highest % (1 << 32)
        return ReportBlock(
            self.ssrc, fraction, total, highest, int(self._jitter), last_sr, delay_since_last_sr
        )
