"""When requests of ours take the new one of two agreements (TS 24.229 §5.2.2, TS 33.203 §7.4).

After a re-registration the P-CSCF goes on with the old set of associations until the phone has said something
through the new one: it may not have got the 200, and falls back to the old set then.  A phone that has it may
say nothing for an hour, though, and drop the old set.  Whoever lacks the 200 repeats the REGISTER after T1,
2*T1 and so on (RFC 3261 §17.1.2.2), so silence for longer means the same as a message.  Used by
`ipsec.agreements`.
"""

from __future__ import annotations

from collections.abc import Callable

from libreims.base.clock import Cancellable, Clock
from libreims.ipsec.agreement import Agreement


class Handover:
    """The agreements that wait to be used."""

    def __init__(
        self, clock: Clock, patience: Callable[[], float], used: Callable[[Agreement], None]
    ) -> None:
        """`patience`: seconds in which a lost 200 shows, 2*T1; `used`: told when a phone has spoken."""
        self._clock = clock
        self._patience = patience
        self._used = used
        self._waiting: dict[Agreement, tuple[float, Cancellable]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, agreement: Agreement) -> None:
        """The 200 is about to leave, and there is an agreement before this one."""
        self.end(agreement)
        agreement.way.heard = lambda data: self._heard(agreement, data)
        self._wait(agreement, self._patience())

    def take(self, agreement: Agreement) -> None:
        """Requests take this agreement from now on."""
        self._stop(agreement)
        agreement.ports.use(agreement.way)

    def end(self, agreement: Agreement) -> None:
        """It is of no interest any more what comes through this one."""
        self._stop(agreement)
        agreement.way.heard = None

    def _heard(self, agreement: Agreement, data: bytes) -> None:
        """A datagram; who repeats the REGISTER has not got the 200."""
        if not data.startswith(b"REGISTER "):
            self._used(agreement)
        elif agreement in self._waiting:
            self._wait(agreement, 2 * self._stop(agreement))

    def _wait(self, agreement: Agreement, seconds: float) -> None:
        self._waiting[agreement] = seconds, self._clock.call_later(seconds, self.take, agreement)

    def _stop(self, agreement: Agreement) -> float:
        seconds, timer = self._waiting.pop(agreement, (0.0, None))
        if timer is not None:
            timer.cancel()
        return seconds
