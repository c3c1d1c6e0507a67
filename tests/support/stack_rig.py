"""A `SipStack` alone on virtual time: what it sends is recorded, what it tells its user too."""

from __future__ import annotations

from dataclasses import dataclass, field

from libreims.base.tokens import Tokens
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction, SipStack, SipTimers
from support.virtual import VirtualLoop

RFC_TIMERS = SipTimers(t1=0.5, t2=4.0, t4=5.0)
"""The values of RFC 3261 §17, with which its text calculates."""

US = ("192.0.2.1", 5060)
PEER = ("192.0.2.99", 5062)
UDP = Flow("UDP", US, PEER)
TCP = Flow("TCP", US, PEER, 7)


@dataclass(slots=True)
class Sent:
    """One message that left the stack."""

    time: float
    message: Message
    flow: Flow
    data: bytes

    @property
    def what(self) -> str:
        """Method or status with the time: `INVITE@0.5`."""
        head = self.message.method if isinstance(self.message, Request) else str(self.message.status)
        return f"{head}@{round(self.time, 3):g}"


class Listener:
    """A client's and a server's listener in one: writes down what it is told."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.events: list[str] = []
        self.responses: list[Response] = []

    def _note(self, event: str) -> None:
        self.events.append(f"{event}@{round(self._loop.time(), 3):g}")

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.responses.append(response)
        self._note(str(response.status))

    def timed_out(self, transaction: ClientTransaction) -> None:
        self._note("timeout")

    def transport_failed(self, transaction: object, error: Exception | None = None) -> None:
        self._note("transport_failed")

    def ack_timeout(self, transaction: ServerTransaction) -> None:
        self._note("ack_timeout")


@dataclass
class User:
    """Transaction user that only records."""

    requests: list[ServerTransaction] = field(default_factory=list)
    cancels: list[tuple[ServerTransaction, Request]] = field(default_factory=list)
    acks: list[tuple[Request, ServerTransaction | None]] = field(default_factory=list)
    bad: list[SipParseError] = field(default_factory=list)

    def request_received(self, transaction: ServerTransaction) -> None:
        self.requests.append(transaction)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self.cancels.append((transaction, cancel))

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        self.acks.append((request, transaction))

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        self.bad.append(error)


class StackRig:
    """The stack, its clock, and everything that came out."""

    def __init__(self, loop: VirtualLoop, timers: SipTimers = RFC_TIMERS) -> None:
        self.loop = loop
        self.user = User()
        self.sent: list[Sent] = []
        self.strays: list[Response] = []
        self.stack = SipStack(loop, Tokens(1), timers, self, self.user)
        self.stack.stray = lambda response, _flow: self.strays.append(response)

    def send(self, data: bytes, flow: Flow) -> None:
        """`SendPort`."""
        self.sent.append(Sent(self.loop.time(), parse(data), flow, data))

    def at(self, moment: float) -> None:
        """Turn the clock to this moment."""
        self.loop.advance(moment - self.loop.time())

    @property
    def log(self) -> list[str]:
        """What was sent and when: `["INVITE@0", "INVITE@0.5"]`."""
        return [each.what for each in self.sent]

    # -- as client

    def request(self, method: str = "OPTIONS", flow: Flow = UDP) -> tuple[ClientTransaction, Listener]:
        """Send a request of ours."""
        listener = Listener(self.loop)
        transaction = self.stack.request(own_request(method), flow, listener)
        return transaction, listener

    def reply(
        self, transaction: ClientTransaction, status: int, tag: str = "peer", **headers: str
    ) -> Response:
        """Let the peer answer."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = Response.to_request(
            transaction.request, status, tag=tag if status > 100 else "", headers=named
        )
        self.stack.receive(response.encode(), transaction.flow)
        return response

    # -- as server

    def receive(self, text: str, flow: Flow = UDP) -> None:
        """Let a message in; lines may end in LF."""
        self.stack.receive(wire(text), flow)

    def serve(self, method: str = "OPTIONS", flow: Flow = UDP, **how: str) -> ServerTransaction:
        """Let a request in and return its transaction."""
        count = len(self.user.requests)
        self.receive(peer_request(method, flow, **how), flow)
        assert len(self.user.requests) == count + 1
        return self.user.requests[-1]

    @staticmethod
    def answer(transaction: ServerTransaction, status: int, **headers: str) -> Response:
        """Answer it."""
        tag = transaction.local_tag if status > 100 else ""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = Response.to_request(transaction.request, status, tag=tag, headers=named)
        transaction.respond(response)
        return response


def own_request(method: str) -> Request:
    """A request that our user sends."""
    return Request.build(
        method,
        "sip:peer@192.0.2.99",
        [
            ("Max-Forwards", "70"),
            ("Route", "<sip:192.0.2.99:5062;lr>"),
            ("From", "<sip:us@example.com>;tag=us"),
            ("To", "<sip:peer@example.com>"),
            ("Call-ID", "call-1"),
            ("CSeq", f"7 {method}"),
            ("Contact", "<sip:us@192.0.2.1:5060>"),
        ],
    )


def peer_request(
    method: str,
    flow: Flow = UDP,
    *,
    branch: str = "z9hG4bKpeer1",
    sent_by: str = "192.0.2.99:5062",
    via_params: str = "",
    to_tag: str = "",
    from_tag: str = "peer",
    call_id: str = "call-9",
    cseq: str = "3",
    uri: str = "sip:us@example.com",
    extra: str = "",
) -> str:
    """A request as a peer sends it."""
    tag = f";tag={to_tag}" if to_tag else ""
    branched = f";branch={branch}" if branch else ""
    return (
        f"{method} {uri} SIP/2.0\n"
        f"Via: SIP/2.0/{flow.transport} {sent_by}{branched}{via_params}\n"
        "Max-Forwards: 70\n"
        f"From: <sip:peer@example.com>;tag={from_tag}\n"
        f"To: <sip:us@example.com>{tag}\n"
        f"Call-ID: {call_id}\n"
        f"CSeq: {cseq} {method}\n"
        "Contact: <sip:peer@192.0.2.99:5062>\n"
        f"{extra}Content-Length: 0\n\n"
    )


def wire(text: str) -> bytes:
    """LF to CRLF."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
