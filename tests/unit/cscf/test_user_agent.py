"""Ways to peers, and what every message of ours has."""

from __future__ import annotations

import asyncio

import pytest

from libreims.cscf.answer import Answer
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request
from support.lab import CONFIG, DOMAIN, SERVER, SERVER6, Lab, play

HERE = (SERVER, 5060)
PHONE = ("10.0.1.7", 5060)
UDP = Flow("UDP", HERE, PHONE)
TCP = Flow("TCP", HERE, PHONE, 4)


def in_lab(check) -> None:  # type: ignore[no-untyped-def]
    async def scenario(lab: Lab) -> None:
        check(lab)

    play(scenario, settle=0)


@pytest.mark.parametrize(
    ("uri", "known", "flow"),
    [
        ("sip:x@10.0.1.7", UDP, UDP),
        ("sip:x@10.0.1.7:5060;transport=udp", UDP, UDP),
        ("sip:x@10.0.1.7:5070", UDP, Flow("UDP", HERE, ("10.0.1.7", 5070))),
        ("sip:x@10.0.1.7;transport=tcp", UDP, Flow("TCP", HERE, PHONE)),
        ("sip:x@10.0.1.7;transport=tcp", TCP, TCP),
        ("sip:x@10.0.1.7", TCP, TCP),
        ("sip:x@10.0.1.8", TCP, Flow("UDP", HERE, ("10.0.1.8", 5060))),
        ("sip:x@10.0.1.8;transport=TCP", TCP, Flow("TCP", HERE, ("10.0.1.8", 5060))),
        ("sip:x@[2001:db8::7]", UDP, Flow("UDP", (SERVER6, 5060), ("2001:db8::7", 5060))),
        ("sip:x@phone.example", UDP, UDP),
        ("tel:123", UDP, UDP),
    ],
)
def test_the_way_to_a_next_hop(uri: str, known: Flow, flow: Flow) -> None:
    """RFC 3261 §8.1.2; names are not looked up, the known way is taken."""
    in_lab(lambda lab: _same(lab.server.agent.flow_toward(uri, known), flow))


def _same(found: Flow, wanted: Flow) -> None:
    assert found == wanted


def request(*headers: tuple[str, str], body: bytes = b"") -> Request:
    base = [("Call-ID", "x"), ("CSeq", "1 INVITE"), ("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>")]
    return Request.build("INVITE", "sip:x@10.0.1.9", [*base, *headers], body)


def test_the_way_of_a_request_is_its_top_route_before_its_uri() -> None:
    def check(lab: Lab) -> None:
        agent = lab.server.agent
        assert agent.flow_to(request(), UDP).remote == ("10.0.1.9", 5060)
        routed = request(("Route", "<sip:10.0.1.10:5070;lr>, <sip:10.0.1.11;lr>"))
        assert agent.flow_to(routed, UDP).remote == ("10.0.1.10", 5070)

    in_lab(check)


def test_only_what_is_too_big_for_udp_moves_to_tcp() -> None:
    """`tcp_threshold`."""

    def check(lab: Lab) -> None:
        agent = lab.server.agent
        threshold = lab.config.current.tcp_threshold
        assert threshold
        assert agent.sized(UDP, request()) == UDP
        big = request(body=b"x" * threshold)
        assert agent.sized(UDP, big) == Flow("TCP", HERE, PHONE)
        assert agent.sized(TCP, big) == TCP
        lab.config.update({"tcp_threshold": 0})
        assert agent.sized(UDP, big) == UDP

    in_lab(check)


def test_our_contact_says_how_we_are_reached() -> None:
    def check(lab: Lab) -> None:
        agent = lab.server.agent
        assert "<sip:10.0.0.1:5060>" in agent.contact(UDP)
        assert "<sip:10.0.0.1:5060;transport=tcp>" in agent.contact(TCP)
        assert "<sip:[2001:db8::1]:5060>" in agent.contact(Flow("UDP", (SERVER6, 5060), PHONE))

    in_lab(check)


def test_a_second_final_answer_is_not_sent_and_not_logged() -> None:
    """RFC 3261 §17.2: one final response."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        (session,) = lab.server.calls.sessions
        transaction = session.mo._transaction
        bob.respond(invite, 486)
        assert (await call.final()).status == 486
        lab.server.agent.respond(transaction, Answer(599))
        await asyncio.sleep(1)
        assert 599 not in call.statuses and "599" not in lab.log_text()

    play(scenario)


def test_messages_name_the_program_and_count_hops() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.max_forwards == 69
        assert "libre-test" in (invite.request.get("User-Agent") or "")
        bob.respond(invite, 486)
        assert (await call.final()).get("Server") == "libre-test"

    play(scenario, CONFIG + '\nuser_agent: "libre-test",')
