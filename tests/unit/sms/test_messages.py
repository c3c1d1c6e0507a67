"""MESSAGE requests of ours: what is in them, which way they go, how their end is told."""

from __future__ import annotations

from typing import Any

import pytest

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.sms.messages import Letter, Messages, Place, Reply

FLOW = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.7", 5060))
LETTER = Letter("<sip:a@b>", "<tel:2>", "text/plain", b"hello", (("Subject", "x"),))


class Transaction:
    def __init__(self, request: Request, flow: Flow) -> None:
        self.request = request
        self.flow = flow


class Agent:
    """`UserAgent` as far as it is needed; what is longer than `threshold` goes over TCP."""

    def __init__(self, threshold: int = 10_000) -> None:
        self.threshold = threshold
        self.sent: list[tuple[Transaction, Any]] = []

    def flow_to(self, request: Request, known: Flow) -> Flow:
        return known._replace(remote=request.target.host_port())

    def sized(self, flow: Flow, request: Request, threshold: int = 0) -> Flow:
        big = len(request.encode()) > (threshold or self.threshold)
        return flow._replace(transport="TCP") if big else flow

    def request(self, request: Request, flow: Flow, listener: Any) -> None:
        self.sent.append((Transaction(request, flow), listener))


def sent(agent: Agent, place: Place, **more: str) -> tuple[Transaction, Any, list[Reply]]:
    replies: list[Reply] = []
    messages = Messages(agent, Tokens(1), Log.null().layer("ims"))  # type: ignore[arg-type]
    messages.send(place, LETTER, replies.append, **more)
    return *agent.sent[-1], replies


def test_what_a_request_has() -> None:
    place = Place("sip:b@10.0.0.9:5070", FLOW, ("<sip:p@10.0.0.8;lr>",))
    transaction, _, _ = sent(Agent(), place, call_id="call")
    request = transaction.request
    assert (request.method, request.uri, request.body) == ("MESSAGE", place.uri, b"hello")
    assert request.get("Route") == "<sip:p@10.0.0.8;lr>"
    assert request.from_.tag and request.to.tag is None
    assert (request.call_id, str(request.cseq)) == ("call", "1 MESSAGE")
    assert (request.get("Subject"), request.get("Content-Type")) == ("x", "text/plain")
    assert request.get("Contact") is None, "RFC 3428 §4: no Contact in MESSAGE"
    assert transaction.flow.remote == ("10.0.0.9", 5070)


def test_a_direct_way_is_not_looked_for() -> None:
    transaction, _, _ = sent(Agent(), Place("sip:b@10.0.0.9", FLOW, direct=True))
    assert transaction.flow == FLOW


@pytest.mark.parametrize("status", [200, 202, 404, 600])
def test_the_final_answer_is_told_once(status: int) -> None:
    transaction, listener, replies = sent(Agent(), Place("sip:b@10.0.0.7", FLOW))
    listener.response_received(transaction, Response.to_request(transaction.request, 100))
    assert not replies
    response = Response.to_request(transaction.request, status)
    listener.response_received(transaction, response)
    listener.timed_out(transaction)
    [reply] = replies
    assert (reply.status, reply.response, reply.good) == (status, response, status < 300)
    assert reply.why == f"answers {status} {response.reason}"


def test_no_answer_and_no_way() -> None:
    transaction, listener, replies = sent(Agent(), Place("sip:b@10.0.0.7", FLOW))
    listener.timed_out(transaction)
    assert replies == [Reply(408, "does not answer")]
    transaction, listener, replies = sent(Agent(), Place("sip:b@10.0.0.7", FLOW))
    listener.transport_failed(transaction, OSError("no route"))
    assert (replies[0].status, replies[0].why) == (503, "cannot be reached: no route")


def test_what_nobody_takes_over_tcp_goes_as_a_datagram_with_the_same_identity() -> None:
    agent = Agent(threshold=100)
    transaction, listener, replies = sent(agent, Place("sip:b@10.0.0.7", FLOW))
    assert transaction.flow.transport == "TCP"
    listener.transport_failed(transaction, ConnectionRefusedError())
    assert not replies and len(agent.sent) == 2
    again, listener = agent.sent[-1]
    assert again.flow.transport == "UDP"
    assert again.request.call_id == transaction.request.call_id
    assert again.request.body == b"hello"
    listener.transport_failed(again, OSError("gone"))
    assert replies[0].status == 503


def test_a_peer_that_is_reached_over_tcp_only_is_not_sent_datagrams() -> None:
    agent = Agent()
    flow = FLOW._replace(transport="TCP")
    transaction, listener, replies = sent(agent, Place("sip:b@10.0.0.7", flow))
    listener.transport_failed(transaction, OSError("gone"))
    assert len(agent.sent) == 1 and replies[0].status == 503
