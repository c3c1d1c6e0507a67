"""A change of the call that the server itself asks for, and what it does when the phone's own crosses it.

RFC 3261 §14.1: after a 491 the request is made again once a random time has gone by, from 2.1 to 4 s where we
chose the Call-ID of the dialog, up to 2 s where the phone did, so that the two do not meet again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libreims.base.clock import Cancellable, Clock
from libreims.base.tokens import Tokens
from libreims.call.events import ChangeRefused
from libreims.proto.sip.grammar import decimal

GLARE: Final = 491
ATTEMPTS: Final = 10
"""After so many 491 in a row the change is given up."""
LONGEST_WAIT: Final = 60
"""Most seconds of a Retry-After that are waited for."""


class OwnOffer:
    """At most one change under way; one that is asked for meanwhile follows it."""

    __slots__ = ("_again", "_attempts", "_clock", "_owner", "_send", "_timer", "_tokens", "pending")

    def __init__(self, clock: Clock, tokens: Tokens, owner: bool, send: Callable[[], None]) -> None:
        """`owner`: we chose the Call-ID. `send` makes the offer that is right at that moment."""
        self._clock = clock
        self._tokens = tokens
        self._owner = owner
        self._send = send
        self._timer: Cancellable | None = None
        self._again = False
        self._attempts = 0
        self.pending = False
        """Sent, and not answered yet."""

    def ask(self) -> None:
        """Make the change, at once or as soon as the one under way is done."""
        if self.pending:
            self._again = True
        elif self._timer is None:
            self._attempt()

    def accepted(self) -> None:
        """The phone has agreed."""
        self.pending = False
        self._attempts = 0
        if self._again:
            self._again = False
            self._attempt()

    def refused(self, event: ChangeRefused) -> bool:
        """The phone has refused; True when it will be asked again."""
        self.pending = False
        wait = self._wait(event)
        if wait is None or self._attempts >= ATTEMPTS:
            self._attempts = 0
            self._again = False
            return False
        self._again = False  # what is sent then holds every change that was asked for
        self._timer = self._clock.call_later(wait, self._attempt)
        return True

    def close(self) -> None:
        """The call is over."""
        self.pending = self._again = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _attempt(self) -> None:
        self._timer = None
        self._attempts += 1
        self.pending = True
        self._send()

    def _wait(self, event: ChangeRefused) -> float | None:
        """Seconds to wait before it is tried again; None: not at all."""
        if event.status == GLARE:
            low, high = (210, 400) if self._owner else (0, 200)
            return self._tokens.integer(low, high) / 100
        if event.status == 500:  # RFC 3261 §14.2: the phone is busy with an offer of before
            for name, value in event.headers:
                seconds = decimal(value.partition(";")[0].strip()) if name == "Retry-After" else None
                if seconds is not None:
                    return float(min(seconds, LONGEST_WAIT))
        return None
