"""Agreements that are only offered: which challenge each belongs to, and which go when there are too many.

Anybody can ask for an offer in the name of any user, and each has ports and associations until its phone has
come back through it.  So one phone has one (TS 24.229 §5.2.2: a new challenge voids the temporary
associations), and one user and all of them together have so many; then the oldest goes, unless it is so young
that its phone may be about to use it: after an outage all phones come at once, and to end the one for the
other would serve none.  Used by `ipsec.agreements`.
"""

from __future__ import annotations

from itertools import islice

from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.ipsec.agreement import Agreement

MAX_OF_USER = 8
"""Phones with the same SIM (`multi_sim`) have one each."""
MAX_WAITING = 1000
"""Offers of all users; a phone takes its own up within a second."""
YOUNG = 4.0
"""Seconds in which a phone takes an offer up, or does not come at all."""
INTERVAL = 60.0
"""Seconds between two lines about too many of them."""


class Offers:
    """The offers that wait for their phones."""

    def __init__(self, clock: Clock, log: LayerLog) -> None:
        self._clock = clock
        self._log = log
        self._by_nonce: dict[str, Agreement] = {}
        self._by_user: dict[str, list[Agreement]] = {}
        self._told = float("-inf")

    def __len__(self) -> int:
        return len(self._by_nonce)

    def answered_with(self, nonce: str) -> Agreement | None:
        """The one that was offered with this challenge and waits for its answer."""
        return self._by_nonce.get(nonce)

    def add(self, agreement: Agreement) -> None:
        """A challenge with this one is about to leave."""
        self._by_nonce[agreement.nonce] = agreement
        agreement.offered_at = self._clock.time()
        self._by_user.setdefault(agreement.impi, []).append(agreement)

    def forget(self, agreement: Agreement) -> None:
        """It is none any more; harmless for what is none."""
        if self._by_nonce.get(agreement.nonce) is agreement:
            del self._by_nonce[agreement.nonce]
        of_user = self._by_user.get(agreement.impi)
        if of_user is not None and agreement in of_user:
            of_user.remove(agreement)
            if not of_user:
                del self._by_user[agreement.impi]

    def voided(
        self, impi: str, host: str, *, emergency: bool, through: Agreement | None, limit: int
    ) -> list[Agreement]:
        """Which have to go before another one is made for a phone at an address.

        `through`: where the challenge has to go back; `limit`: how many there may be in all.  Raises
        LibreImsError where none may go.
        """
        of_user = [each for each in self._by_user.get(impi, ()) if each is not through]
        gone = [each for each in of_user if each.phone[0] == host and each.emergency == emergency]
        if not gone and len(of_user) >= MAX_OF_USER:
            gone = of_user[:1]
        if not gone and len(self._by_nonce) >= min(limit, MAX_WAITING):
            gone = list(islice((each for each in self._by_nonce.values() if each is not through), 1))
            if gone and self._clock.time() - gone[0].offered_at < YOUNG:
                raise LibreImsError(
                    f"{len(self)} other phones are registering at this moment, it has to come again later"
                )
            self._tell()
        return gone

    def _tell(self) -> None:
        now = self._clock.time()
        if now - self._told >= INTERVAL:
            self._told = now
            self._log.warn(
                f"{len(self)} phones were offered IPsec and have not come back through it: each new offer "
                "ends the oldest one now. Somebody sends REGISTERs in the names of others, or ESP (IP "
                "protocol 50) does not get through."
            )
