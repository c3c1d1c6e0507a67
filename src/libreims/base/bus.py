"""Notifications outward: someone tells that a thing has happened and does not care who listens.

Used for what happens after a procedure is done (a binding was removed, a call has ended).  No procedure
may depend on an answer: what must happen for it to succeed is a plain call.  Delivery is synchronous and
in the order of subscription, so that it is the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from libreims.base.log import LayerLog

E = TypeVar("E")


class Bus:
    """Listeners by the class of the event they want."""

    __slots__ = ("_listeners", "_log")

    def __init__(self, log: LayerLog) -> None:
        self._log = log
        self._listeners: dict[type, tuple[Callable[..., object], ...]] = {}

    def subscribe(self, event: type[E], listener: Callable[[E], object]) -> Callable[[], None]:
        """Call `listener(event)` for every event of exactly this class; the result ends the subscription."""
        self._listeners[event] = (*self._listeners.get(event, ()), listener)

        def unsubscribe() -> None:
            left = list(self._listeners.get(event, ()))
            if listener in left:
                left.remove(listener)
                self._listeners[event] = tuple(left)

        return unsubscribe

    def wanted(self, event: type) -> bool:
        """Whether anyone listens: asked before an event is made that is dear to make."""
        return bool(self._listeners.get(event))

    def publish(self, event: object) -> None:
        """Tell every listener; one that raises is logged and the others are told all the same."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 a listener is not part of the procedure that publishes
                self._log.exception(f"listener of {type(event).__name__} failed", error)
