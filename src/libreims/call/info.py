"""Mid-call INFO (RFC 6086): relayed to the other side, answered with the other side's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libreims.call.events import InfoAnswered, Informed
from libreims.cscf.answer import Answer
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.message import Response
from libreims.proto.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from libreims.call.leg import Leg

PASSED = ("Content-Type", "Content-Disposition", "Info-Package", "Recv-Info")
"""Headers of an INFO that say what its body is; everything else belongs to its own dialog."""


class Info:
    """The INFO transactions of one leg, in both directions."""

    __slots__ = ("_leg", "_next", "_sent", "_waiting")

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._next = 0
        self._waiting: dict[int, ServerTransaction] = {}
        self._sent: dict[ClientTransaction, int] = {}

    def received(self, transaction: ServerTransaction) -> None:
        """The phone informs; the answer waits for the other side's."""
        request = transaction.request
        self._next += 1
        self._waiting[self._next] = transaction
        headers = tuple((name, value) for name in PASSED for value in request.get_all(name))
        self._leg.notify(Informed(self._next, headers, request.body))

    def answer(self, event: InfoAnswered) -> None:
        """The other side has answered."""
        transaction = self._waiting.pop(event.number, None)
        if transaction is not None:
            self._leg.services.agent.respond(transaction, Answer(event.status))

    def send(self, event: Informed) -> None:
        """Relay to this phone."""
        leg = self._leg
        if leg.state != "confirmed":
            leg.notify(InfoAnswered(event.number, 480))
            return
        transaction = leg.send(leg.request("INFO", event.headers, event.body), self)
        self._sent[transaction] = event.number

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The phone has answered a relayed INFO."""
        if response.status >= 200:
            self._finish(transaction, response.status)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer: the far side is told; whether the call is dead the next request shows."""
        self._finish(transaction, 408)

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The phone cannot be reached."""
        self._finish(transaction, 503)

    def _finish(self, transaction: ClientTransaction, status: int) -> None:
        number = self._sent.pop(transaction, None)
        if number is None:
            return
        self._leg.notify(InfoAnswered(number, status))
        if status == 481:
            self._leg.lost(f"{self._leg.phone} does not know the call any more (481)")

    def abandon(self) -> None:
        """The dialog ends: pending requests are answered (RFC 3261 §15.1.2)."""
        for transaction in self._waiting.values():
            self._leg.services.agent.respond(transaction, Answer(487))
        self._waiting.clear()
        self._sent.clear()
