"""Mid-call INFO (RFC 6086): relayed to the other side, answered with the other side's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libreims.call.events import Headers, InfoAnswered, Informed
from libreims.call.guard import guarded
from libreims.call.passing import PASSED_IN_INFO, passed_refusal
from libreims.cscf.answer import Answer
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.message import Response
from libreims.proto.sip.server_transaction import ServerTransaction

if TYPE_CHECKING:
    from libreims.call.leg import Leg


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
        headers = tuple((name, value) for name in PASSED_IN_INFO for value in request.get_all(name))
        self._leg.notify(Informed(self._next, headers, request.body))

    def answer(self, event: InfoAnswered) -> None:
        """The other side has answered."""
        transaction = self._waiting.pop(event.number, None)
        if transaction is not None:
            self._leg.services.agent.respond(transaction, Answer(event.status, headers=event.headers))

    def send(self, event: Informed) -> None:
        """Relay to this phone."""
        leg = self._leg
        if leg.state != "confirmed":
            leg.notify(InfoAnswered(event.number, 480))
            return
        transaction = leg.send(leg.request("INFO", event.headers, event.body), self)
        self._sent[transaction] = event.number

    @property
    def leg(self) -> Leg:
        """Whose INFOs these are."""
        return self._leg

    @guarded
    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """The phone has answered a relayed INFO."""
        status = response.status
        if status >= 300:
            seen, _, headers = passed_refusal(response, in_dialog=True)
            self._finish(transaction, seen, headers)
        elif status >= 200:
            self._finish(transaction, status)
        if status == 481:
            self._leg.lost(f"{self._leg.phone} does not know the call any more (481)", 481)

    @guarded
    def timed_out(self, transaction: ClientTransaction) -> None:
        """No answer: the far side is told; whether the call is dead the next request shows."""
        self._finish(transaction, 504)

    @guarded
    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The phone cannot be reached."""
        self._finish(transaction, 500)

    def _finish(self, transaction: ClientTransaction, status: int, headers: Headers = ()) -> None:
        number = self._sent.pop(transaction, None)
        if number is not None:
            self._leg.notify(InfoAnswered(number, status, headers))

    def abandon(self) -> None:
        """The dialog ends: pending requests are answered (RFC 3261 §15.1.2)."""
        for transaction in self._waiting.values():
            self._leg.services.agent.respond(transaction, Answer(487))
        self._waiting.clear()
        self._sent.clear()
