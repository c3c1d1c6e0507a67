"""Putting fragments together again: ESP in transport mode takes whole datagrams only (RFC 4303 §3.3.4).

RFC 791 §3.2 and RFC 8200 §4.5; fragments that overlap cost the whole datagram (RFC 5722, and RFC 1858 for
what it protects from).  Memory and time are bounded: the oldest datagram goes first.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace

from libreims.proto.ip.errors import IpError
from libreims.proto.ip.packet import Packet

_LONGEST = 0xFFFF
_PIECE_COST = 128
"""Octets of memory that a fragment takes beside its payload, about."""

_Key = tuple[bytes, bytes, int, int]


class Reassembler:
    """Fragments of datagrams that are not complete yet.

    patience: seconds that a datagram may take to become whole (RFC 8200 asks for 60; here the kernel of the
    same machine sends all fragments at once).
    """

    def __init__(self, patience: float = 10.0, datagrams: int = 256, octets: int = 4 << 20) -> None:
        self._patience = patience
        self._datagrams = datagrams
        self._octets = octets
        self._held = 0
        self._partial: dict[_Key, _Partial] = {}  # the oldest first
        self.given_up = 0
        """Datagrams that never became whole: too late, too many, or overlapping."""

    def __len__(self) -> int:
        return len(self._partial)

    @property
    def held(self) -> int:
        """Octets of memory that fragments take now."""
        return self._held

    def add(self, packet: Packet, now: float) -> Packet | None:
        """The whole datagram if this fragment completes it, else None; raises IpError and forgets it all."""
        fragment = packet.fragment
        if fragment is None:
            return packet
        self._expire(now)
        # IPv6 has no protocol in the key: only the first fragment's counts (RFC 8200 §4.5).
        protocol = packet.protocol if packet.version == 4 else -1
        key = packet.source, packet.destination, fragment.identification, protocol
        partial = self._partial.get(key)
        if partial is None:
            partial = self._partial[key] = _Partial(now)
        try:
            cost = partial.add(packet, fragment.offset, fragment.more)
        except IpError:
            self._give_up(key)
            raise
        self._held += cost
        partial.cost += cost
        if partial.complete:
            del self._partial[key]
            self._held -= partial.cost
            return partial.whole()
        while self._held > self._octets or len(self._partial) > self._datagrams:
            self._give_up(next(iter(self._partial)))
        return None

    def _expire(self, now: float) -> None:
        while self._partial:
            key = next(iter(self._partial))
            if now - self._partial[key].since <= self._patience:
                return
            self._give_up(key)

    def _give_up(self, key: _Key) -> None:
        self._held -= self._partial.pop(key).cost
        self.given_up += 1


class _Partial:
    """One datagram: its fragments in order."""

    __slots__ = ("_end", "_first", "_have", "_pieces", "_starts", "cost", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.cost = 0
        self._starts: list[int] = []
        self._pieces: list[bytes] = []
        self._have = 0
        self._end: int | None = None
        self._first: Packet | None = None

    @property
    def complete(self) -> bool:
        """Nothing overlaps, so that it is enough to count."""
        return self._have == self._end

    def add(self, packet: Packet, start: int, more: bool) -> int:
        """Take a fragment; returns what it costs in octets. Raises IpError."""
        payload = packet.payload
        end = start + len(payload)
        if not payload or end > _LONGEST or (more and len(payload) % 8):
            raise IpError("a fragment of impossible length")
        place = bisect(self._starts, start)
        if place and self._starts[place - 1] == start and self._pieces[place - 1] == payload:
            return 0  # the same fragment twice
        before = self._starts[place - 1] + len(self._pieces[place - 1]) if place else 0
        after = self._starts[place] if place < len(self._starts) else _LONGEST
        last = self._starts[-1] + len(self._pieces[-1]) if self._starts else 0
        known = self._end
        beyond = end > known if known is not None else False
        if before > start or end > after or beyond or (not more and (known is not None or last > end)):
            raise IpError("fragments that overlap")
        if not more:
            self._end = end
        if not start:
            self._first = packet
        self._starts.insert(place, start)
        self._pieces.insert(place, payload)
        self._have += len(payload)
        return len(payload) + _PIECE_COST

    def whole(self) -> Packet:
        """The datagram, with the header of its first fragment."""
        assert self._first is not None  # what is complete has a fragment at 0
        return replace(self._first, payload=b"".join(self._pieces), fragment=None)
