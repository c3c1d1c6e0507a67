"""The anti-replay window of a receiver (RFC 4303 §3.4.3): `check` before the ICV, `accept` after it."""

from __future__ import annotations

from libreims.proto.esp.errors import Replayed


class ReplayWindow:
    """Which of the last `size` sequence numbers have been accepted; a size of 0 lets everything pass."""

    __slots__ = ("_mask", "_seen", "highest", "size")

    def __init__(self, size: int = 64) -> None:
        self.size = size
        self.highest = 0
        """Right edge: the highest number accepted so far."""
        # Bit n stands for the number `highest - n`.
        self._seen = 0
        self._mask = (1 << size) - 1

    def check(self, sequence: int) -> None:
        """Raises Replayed for a number that must not be accepted; changes nothing."""
        behind = self.highest - sequence
        if behind < 0 or not self.size:
            return
        if sequence == 0:
            raise Replayed("sequence number 0 is never sent")
        if behind >= self.size:
            raise Replayed(f"sequence number {sequence} is {behind} behind the highest, {self.highest}")
        if self._seen >> behind & 1:
            raise Replayed(f"sequence number {sequence} was received before")

    def accept(self, sequence: int) -> None:
        """Note a number that passed `check` and whose packet is authentic."""
        if not self.size:
            return
        ahead = sequence - self.highest
        if not self.size:
            return  # no bits to keep: numbers come in any order, up to 2^32 behind
        if ahead > 0:
            # A jump beyond the window forgets everything: do not shift by up to 2^32.
            self._seen = (self._seen << ahead | 1) & self._mask if ahead < self.size else 1
            self.highest = sequence
        else:
            self._seen |= 1 << -ahead
