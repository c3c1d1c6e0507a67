"""Microseconds of CPU per SIP transaction, from octets to octets, on one core without sockets.

    python bench/transactions.py [rounds]

server: a REGISTER of about 700 octets in, 200 out, expiry of timer J included.
client: a MESSAGE out, 200 in, timers E, F cancelled, timer K included.
invite: an INVITE in, 180, 200, ACK, BYE and its 200 (one call as callee), timers included.
"""

from __future__ import annotations

import gc
import heapq
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ClientTransaction, ServerTransaction, SipStack, SipTimers

BATCH = 2000
FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.99", 5062))
REGISTER = (
    "REGISTER sip:ims.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.99:5062;branch=z9hG4bK{n:016x};rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:001010123456789@ims.example.com>;tag={n:08x}\r\n"
    "To: <sip:001010123456789@ims.example.com>\r\n"
    "Call-ID: {n:024x}\r\n"
    "CSeq: 2 REGISTER\r\n"
    'Contact: <sip:001010123456789@192.0.2.99:5062>;+sip.instance="<urn:gsma:imei:35824005-944763-0>";'
    '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip\r\n'
    "Expires: 3600\r\n"
    "Supported: path, gruu\r\n"
    'Authorization: Digest username="001010123456789@ims.example.com",realm="ims.example.com",'
    'nonce="{n:032x}",uri="sip:ims.example.com",response="6629fae49393a05397450978507c4ef1",algorithm=AKAv1-MD5,qop=auth,'
    'nc=00000001,cnonce="0a4f113b"\r\n'
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01\r\n"
    "User-Agent: phone\r\n"
    "Content-Length: 0\r\n\r\n"
)


class ManualClock:
    """Time that the benchmark turns, so that expiries cost what they cost and nothing waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, _Timer]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> _Timer:
        self._count += 1
        timer = _Timer(callback, args)
        heapq.heappush(self._heap, (self.now + delay, self._count, timer))
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, timer = heapq.heappop(self._heap)
            if timer.callback is not None:
                timer.callback(*timer.args)
        self.now = end


class _Timer:
    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None


class Node:
    """Transport, user and listener of the stack under test."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.out: list[bytes] = []
        self.finals = 0
        self.stack = SipStack(TimerWheel(self.clock), Tokens(1), SipTimers(), self, self)

    def send(self, data: bytes, flow: Flow) -> None:
        self.out.append(data)

    def request_received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        tag = transaction.local_tag
        if request.method == "INVITE":
            transaction.respond(Response.to_request(request, 180, tag=tag))
        transaction.respond(Response.to_request(request, 200, tag=tag, headers=CONTACT))

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        raise AssertionError

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        assert transaction is not None
        transaction.acknowledged()

    def bad_message(self, data: bytes, flow: Flow, error: SipParseError) -> None:
        raise AssertionError(error)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self.finals += 1

    def timed_out(self, transaction: ClientTransaction) -> None:
        raise AssertionError

    def transport_failed(self, transaction: object, error: Exception | None = None) -> None:
        raise AssertionError


CONTACT = (("Contact", "<sip:us@192.0.2.1:5060>"),)


def server(node: Node, first: int) -> float:
    """CPU seconds for a batch of REGISTERs."""
    packets = [REGISTER.format(n=first + i).encode() for i in range(BATCH)]
    began = time.process_time()
    for packet in packets:
        node.stack.receive(packet, FLOW)
    node.clock.advance(200)
    spent = time.process_time() - began
    assert len(node.out) == BATCH
    return spent


def client(node: Node, first: int) -> float:
    """CPU seconds for a batch of MESSAGEs; building the request is the user's and not counted."""
    requests = [message(first + i) for i in range(BATCH)]
    began = time.process_time()
    for request in requests:
        node.stack.request(request, FLOW, node)
    spent = time.process_time() - began
    answers = [Response.to_request(request, 200, tag="b").encode() for request in requests]
    began = time.process_time()
    for answer in answers:
        node.stack.receive(answer, FLOW)
    node.clock.advance(200)
    spent += time.process_time() - began
    assert node.finals == BATCH
    return spent


def message(number: int) -> Request:
    """A request of ours."""
    return Request.build(
        "MESSAGE",
        "sip:b@192.0.2.99:5062",
        [
            ("Max-Forwards", "70"),
            ("From", f"<sip:a@ims.example.com>;tag={number:x}"),
            ("To", "<sip:b@ims.example.com>"),
            ("Call-ID", f"{number:024x}"),
            ("CSeq", "1 MESSAGE"),
            ("Content-Type", "text/plain"),
        ],
        b"hello",
    )


def invite(node: Node, first: int) -> float:
    """CPU seconds for a batch of calls as callee."""
    packets = []
    for number in range(first, first + BATCH):
        text = REGISTER.format(n=number)
        packets.append(text.replace("REGISTER", "INVITE").encode())
        tagged = text.replace("To: <sip:001010123456789@ims.example.com>", "To: <sip:x@y>;tag={tag}")
        for method, digit in (("ACK", "a"), ("BYE", "b")):
            packets.append(tagged.replace("REGISTER", method).replace("z9hG4bK0", f"z9hG4bK{digit}").encode())
    spent = 0.0
    for index in range(0, len(packets), 3):
        began = time.process_time()
        node.stack.receive(packets[index], FLOW)
        spent += time.process_time() - began
        tag = node.out[-1].partition(b"\r\nTo:")[2].partition(b";tag=")[2].partition(b"\r")[0]
        ack, bye = (each.replace(b"{tag}", tag) for each in packets[index + 1 : index + 3])
        began = time.process_time()
        node.stack.receive(ack, FLOW)
        node.stack.receive(bye, FLOW)
        spent += time.process_time() - began
    began = time.process_time()
    node.clock.advance(200)
    return spent + time.process_time() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    gc.freeze()
    for name, batch in (("server", server), ("client", client), ("invite", invite)):
        best = float("inf")
        for number in range(rounds):
            node = Node()
            best = min(best, batch(node, number * BATCH))
            assert node.stack.transactions == 0
        print(f"{name:8s} {best / BATCH * 1e6:7.1f} us")


if __name__ == "__main__":
    main()
