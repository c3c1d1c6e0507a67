"""What the IPsec tunnel drops: counted by reason, and told without letting a flood fill the log.

With `ipsec.verbose=1` there is a line for every packet.  Without it the first packet of each reason and peer
in a minute has one, and only so many lines in all.  Used by `net.esp_engine` and `net.esp_tunnel`.
"""

from __future__ import annotations

from libreims.base.clock import Clock
from libreims.base.log import LayerLog

REASONS = {
    "no_sa": "no security association has this SPI",
    "wrong_address": "the security association is with another address",
    "wrong_port": "the security association is for other ports",
    "wrong_protocol": "only UDP and TCP go through a security association",
    "bad_icv": "the integrity check value is wrong",
    "replay": "it was received before, or comes much too late",
    "malformed": "it is malformed",
    "no_outbound_sa": "no security association leads there",
    "exhausted": "the sequence numbers of the security association are used up",
    "not_sent": "the network did not take it",
    "not_delivered": "the TUN interface did not take it",
}
"""Why packets are dropped; those of the last four were to be sent or had been accepted."""

INTERVAL = 60.0
"""Seconds in which a reason and peer get one line."""
LINES = 20
"""Lines in this time, whatever the number of peers: anybody can send from any address."""


class Drops:
    """Counters of one tunnel, and its voice."""

    def __init__(self, log: LayerLog, clock: Clock) -> None:
        self.counts = dict.fromkeys(REASONS, 0)
        self._log = log
        self._clock = clock
        self._since = float("-inf")
        self._told: set[tuple[str, str]] = set()
        self._untold = 0

    def drop(
        self,
        reason: str,
        direction: str,
        peer: str,
        detail: str = "",
        owner: int = 0,
        *,
        told: bool = True,
    ) -> None:
        """Count a packet and tell of it, if it is time to.

        reason: of REASONS; direction: `FROM` or `TO`; peer: the address on the other side; told: whether it
        is worth a line without `verbose`.
        """
        self.counts[reason] += 1
        if not self._log.options.verbose and not (told and self._may_tell(reason, peer)):
            return
        words = f": {detail}" if detail else ""
        side = "from" if direction == "FROM" else "to"
        self._log.warn(
            f"Packet {side} {peer} dropped, {REASONS[reason]}{words}", dir=direction, id=owner or None
        )

    def _may_tell(self, reason: str, peer: str) -> bool:
        now = self._clock.time()
        if now - self._since >= INTERVAL:
            if self._untold:
                self._log.warn(
                    f"{self._untold} more packets were dropped in the meantime without a line each"
                )
            self._since, self._untold = now, 0
            self._told.clear()
        if (reason, peer) in self._told or len(self._told) >= LINES:
            self._untold += 1
            return False
        self._told.add((reason, peer))
        return True
