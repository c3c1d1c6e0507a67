"""MESSAGE requests of ours (RFC 3428): made, sent, and their answers told in one form.

A request that is too big for a datagram goes over TCP (RFC 3428 §8, RFC 3261 §18.1.1), and as a datagram
after all where nobody takes the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.cscf.user_agent import UserAgent
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.grammar import decimal
from libreims.proto.sip.message import Request, Response

Headers = tuple[tuple[str, str], ...]
LONGEST_REST: Final = 900
"""Seconds for which a Retry-After is heeded."""


class Place(NamedTuple):
    """Where a request goes."""

    uri: str
    """Request-URI."""
    flow: Flow
    route: tuple[str, ...] = ()
    direct: bool = False
    """Along the flow, whatever the Request-URI says: behind a NAT, and to the trunk."""
    tcp_threshold: int = 0
    """Octets above which it goes over TCP; 0: the server's `tcp_threshold`."""


class Letter(NamedTuple):
    """What is sent."""

    from_: str
    """From, without tag."""
    to: str
    content_type: str
    body: bytes
    headers: Headers = ()


class Reply(NamedTuple):
    """The final answer, or what stands for it."""

    status: int
    why: str
    """Part of a sentence for the log."""
    response: Response | None = None
    """None: nobody answered."""

    @property
    def good(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float:
        """Seconds for which the other side wants to be left alone (RFC 3261 §20.33)."""
        value = self.response.get("Retry-After") if self.response is not None else None
        seconds = decimal(value.partition(";")[0].partition("(")[0].strip()) if value else None
        return float(min(seconds or 0, LONGEST_REST))


Answered = Callable[[Reply], None]


class Messages:
    """Sends MESSAGE requests."""

    def __init__(self, agent: UserAgent, tokens: Tokens, log: LayerLog) -> None:
        self.agent = agent
        self._tokens = tokens
        self._log = log

    def send(self, place: Place, letter: Letter, answered: Answered, call_id: str = "") -> Sent:
        """Send a request; `answered` is called once, perhaps before this returns."""
        headers: Iterable[tuple[str, str]] = (
            *(("Route", each) for each in place.route),
            ("From", f"{letter.from_};tag={self._tokens.tag()}"),
            ("To", letter.to),
            ("Call-ID", call_id or self._tokens.call_id()),
            ("CSeq", "1 MESSAGE"),
            *letter.headers,
            ("Content-Type", letter.content_type),
        )
        request = Request.build("MESSAGE", place.uri, headers, letter.body)
        way = place.flow if place.direct else self.agent.flow_to(request, place.flow)
        sized = self.agent.sized(way, request, place.tcp_threshold)
        sent = Sent(self.agent, self._log, answered, way)
        sent.start(request, sized)
        return sent


class Sent:
    """Hears the answer to one request."""

    __slots__ = ("_agent", "_answered", "_log", "_transaction", "_way")

    def __init__(self, agent: UserAgent, log: LayerLog, answered: Answered, way: Flow) -> None:
        self._agent = agent
        self._log = log
        self._answered: Answered | None = answered
        self._way = way
        self._transaction: ClientTransaction | None = None

    def start(self, request: Request, flow: Flow) -> None:
        """Send it."""
        transaction = self._agent.request(request, flow, self)
        if self._transaction is None:  # else a datagram has taken the place of this one already
            self._transaction = transaction

    @property
    def waits(self) -> bool:
        """Whether the answer is still to come."""
        return self._answered is not None

    def withdraw(self) -> None:
        """It is not sent again, and nobody hears of an answer."""
        self._answered = None
        if self._transaction is not None:
            self._transaction.stop()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """See `ClientListener`."""
        if response.status >= 200:
            self._end(Reply(response.status, f"answers {response.status} {response.reason}", response))

    def timed_out(self, transaction: ClientTransaction) -> None:
        """See `ClientListener`."""
        self._end(Reply(408, "does not answer"))

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        """See `ClientListener`."""
        if transaction.flow.transport == "TCP" and self._way.transport == "UDP" and self._answered:
            self._log.info(f"{self._way.remote[0]} takes no TCP connection: a large MESSAGE goes over UDP")
            request = transaction.request
            headers = [
                (name, value)
                for name, lines in request.fields.items()
                if name not in ("Via", "Content-Length")
                for value in lines
            ]
            again = Request.build("MESSAGE", request.uri, headers, request.body)
            self._transaction = self._agent.request(again, self._way, self)
            return
        self._end(Reply(503, f"cannot be reached: {error}"))

    def _end(self, reply: Reply) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(reply)
