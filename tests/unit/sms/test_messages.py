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
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


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

    def request(self, request: Request, flow: Flow, listener: Any) -> Transaction:
        transaction = Transaction(request, flow)
        self.sent.append((transaction, listener))
        return transaction


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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 5 ;duration=60", 5),
        ("7 (in a meeting)", 7),
        ("99999999", 900),
        ("-1", 0),
        ("soon", 0),
    ],
)
def test_how_long_it_wants_to_be_left_alone(value: str, seconds: int) -> None:
    transaction, listener, replies = sent(Agent(), Place("sip:b@10.0.0.7", FLOW))
    response = Response.to_request(transaction.request, 503, headers=(("Retry-After", value),))
    listener.response_received(transaction, response)
    assert replies[0].retry_after == seconds
    assert Reply(408, "does not answer").retry_after == 0


@pytest.mark.parametrize("threshold", [10_000, 10])
def test_what_is_withdrawn_is_not_sent_again_and_not_heard_of(threshold: int) -> None:
    agent, replies = Agent(threshold), list[Reply]()
    messages = Messages(agent, Tokens(1), Log.null().layer("ims"))  # type: ignore[arg-type]
    this = messages.send(Place("sip:b@10.0.0.7", FLOW), LETTER, replies.append)
    if threshold == 10:  # TCP is not there: a datagram takes its place
        agent.sent[-1][1].transport_failed(agent.sent[-1][0], ConnectionError("refused"))
    transaction, listener = agent.sent[-1]
    assert this.waits and transaction.flow.transport == "UDP"
    this.withdraw()
    assert transaction.stopped and not this.waits
    listener.response_received(transaction, Response.to_request(transaction.request, 200))
    assert not replies


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
