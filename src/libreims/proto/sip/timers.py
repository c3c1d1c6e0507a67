"""The timers of RFC 3261 §17 (table 4) and RFC 6026, all in seconds, derived from T1, T2 and T4."""

from __future__ import annotations

from dataclasses import dataclass, field

TRYING_AFTER = 0.2
"""A server INVITE transaction sends 100 by itself after this time (RFC 3261 §17.2.1)."""


@dataclass(frozen=True, slots=True)
class SipTimers:
    """T1 (round-trip estimate), T2 (longest retransmission interval), T4 (life of a message in the network).

    The defaults are those of `timer_t1`, `timer_t2`, `timer_t4`, not the RFC's 0.5, 4 and 5.
    Single letters are the timers of the RFC on UDP; on TCP A, E and G do not run and D, I, J, K are zero.
    """

    t1: float = 2.0
    t2: float = 16.0
    t4: float = 17.0
    a: float = field(init=False)
    """Client INVITE: first retransmission; doubles without limit."""
    b: float = field(init=False)
    """Client INVITE: no response."""
    d: float = field(init=False)
    """Client INVITE: waits for retransmitted final responses; at least 32 s."""
    e: float = field(init=False)
    """Client: first retransmission; doubles up to T2."""
    f: float = field(init=False)
    """Client: no final response."""
    g: float = field(init=False)
    """Server INVITE: first retransmission of a final response; doubles up to T2."""
    h: float = field(init=False)
    """Server INVITE: no ACK."""
    i: float = field(init=False)
    """Server INVITE: absorbs retransmitted ACKs."""
    j: float = field(init=False)
    """Server: absorbs retransmitted requests."""
    k: float = field(init=False)
    """Client: absorbs retransmitted responses."""
    l: float = field(init=False)  # noqa: E741 - the RFC's name
    """Server INVITE, RFC 6026: absorbs retransmitted INVITEs after a 2xx."""
    m: float = field(init=False)
    """Client INVITE, RFC 6026: takes further 2xx responses."""

    def __post_init__(self) -> None:
        if not (self.t1 > 0 and self.t2 > 0 and self.t4 > 0):
            raise ValueError("SIP timers must be greater than 0")
        for name in "aeg":
            object.__setattr__(self, name, self.t1)
        for name in "bfhjlm":
            object.__setattr__(self, name, 64 * self.t1)
        object.__setattr__(self, "d", max(32.0, 64 * self.t1))
        for name in "ik":
            object.__setattr__(self, name, self.t4)
