"""What client and server transactions share: states, the border to the stack, the listeners of the user.

The state machines are in `client_transaction` and `server_transaction`; `stack` finds the transaction that a
message belongs to.  RFC 3261 §17 with the Accepted states of RFC 6026.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from libreims.base.clock import Clock
from libreims.base.tokens import Tokens
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.timers import SipTimers

if TYPE_CHECKING:
    from libreims.proto.sip.client_transaction import ClientTransaction
    from libreims.proto.sip.server_transaction import ServerTransaction

ClientKey = tuple[str, str]
"""Branch and method (RFC 3261 §17.1.3)."""
ServerKey = tuple[str | int | None, ...]
"""What identifies the transaction of a request (RFC 3261 §17.2.3)."""
MergeKey = tuple[str, str | None, int, str]
"""Call-ID, From tag, CSeq: the same request by another path has the same (RFC 3261 §8.2.2.2)."""
AckKey = tuple[str, str | None, str | None, int]
"""Call-ID, From tag, To tag, CSeq number: what an ACK to a 2xx has in common with its INVITE."""


class State(Enum):
    """States of RFC 3261 figures 5 to 8 and of RFC 6026."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class ClientListener(Protocol):
    """Who sent a request."""

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Every 1xx, every 2xx to an INVITE (retransmissions and forks too), other finals once."""

    def timed_out(self, transaction: ClientTransaction) -> None:
        """No final response came in time (timers B and F, or no end after CANCEL): RFC 3261 §8.1.3.1."""

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """The request could not be sent."""


class ServerListener(Protocol):
    """Who answered a request and wants to know what became of the answer."""

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        """No ACK came for the final response to an INVITE (timer H, or 64*T1 after a 2xx)."""

    def transport_failed(self, transaction: ServerTransaction) -> None:
        """The response could not be sent."""


class SendPort(Protocol):
    """Where octets go."""

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message; failures are reported later to `SipStack.transport_error`, never raised."""


class Layer(Protocol):
    """What a transaction needs of the stack."""

    clock: Clock
    tokens: Tokens
    timers: SipTimers

    def transmit(self, data: bytes, flow: Flow) -> None:
        """Send octets."""

    def retransmit(self, data: bytes, flow: Flow) -> None:
        """Send octets again."""

    def encoded(self, message: Message) -> bytes:
        """The octets of a message that is about to be sent."""

    def transmit_own(self, message: Message, flow: Flow) -> bytes:
        """Send what the stack itself made (ACK, 100); returns the octets for retransmission."""

    def start_cancel(self, cancel: Request, branch: str, flow: Flow) -> ClientTransaction:
        """Start the transaction of a CANCEL, which has the branch of its INVITE."""

    def client_accepted(self, transaction: ClientTransaction, linger: float) -> None:
        """Further 2xx are taken for `linger` seconds, then the transaction is terminated (timer M)."""

    def client_completed(self, key: ClientKey, linger: float) -> None:
        """Late responses to this transaction are absorbed for `linger` seconds, then it is forgotten."""

    def client_ended(self, key: ClientKey) -> None:
        """Forget a client transaction."""

    def server_completed(
        self, key: ServerKey, merge: MergeKey | None, data: bytes, flow: Flow, linger: float
    ) -> None:
        """Answer retransmissions with `data` (b"": with nothing) for `linger` seconds, then forget."""

    def forget_merge(self, merge: MergeKey) -> None:
        """The request was refused: the same again by another path is a new one."""

    def awaits_ack(self, key: AckKey, transaction: ServerTransaction) -> None:
        """ACKs with this key belong to the transaction."""

    def ack_settled(self, key: AckKey) -> None:
        """No ACK is awaited any more."""
