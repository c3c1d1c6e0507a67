"""The SIP trunk with a real Kamailio as its far end and SIPp behind that, over loopback."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kamailio import Kamailio
from support.process import Server, loopback, needs, serving
from support.sipp import SippPhone, succeeded
from support.ue_process import ue

pytestmark = needs("kamailio", "sipp")

USERS = """
domain: "ims.test", timer_t1: 0.1, timer_t2: 4, timer_t4: 5,
log_options: "all.level=debug,all.max_size=1",
ue_db: [{ imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] }],
"""


class Trunk:
    """The server with a registered phone, Kamailio, and an endpoint behind it."""

    def __init__(self, folder: Path, server: Server, kamailio: Kamailio, far: str, tcp: bool) -> None:
        self.server = server
        self.kamailio = kamailio
        self.phone = SippPhone(folder, server.address, "alice", credentials="password=wonderland", tcp=tcp)
        self.phone.register()
        self.far = SippPhone(folder, kamailio.address, "far", host=far, tcp=tcp)

    def call_out(self, caller: str, callee: str, *, calls: int = 1, number: str = "0123456789") -> str:
        """The phone calls a number that only the far end has; returns the server's log."""
        with contextlib.ExitStack() as stack:
            answering = stack.enter_context(self.far.answering(callee, calls=calls))
            calling = stack.enter_context(self.phone.start(caller, to=number, calls=calls))
            succeeded([calling, answering])
        return self.server.log_text

    def call_in(self, caller: str, callee: str, *, calls: int = 1) -> str:
        """The far end calls the phone; returns the server's log."""
        with contextlib.ExitStack() as stack:
            answering = stack.enter_context(self.phone.answering(callee, calls=calls))
            calling = stack.enter_context(self.far.start(caller, to="1001", calls=calls))
            succeeded([calling, answering])
        return self.server.log_text


@pytest.fixture(params=["udp", "tcp"])
def trunk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trunk]:
    """With "tcp" every hop is TCP: ours to Kamailio too, by the trunk's `tcp_threshold`."""
    tcp = request.param == "tcp"
    host, far = loopback(), loopback()
    with contextlib.ExitStack() as stack:
        own = loopback()
        kamailio = stack.enter_context(
            Kamailio(tmp_path, own, far, host=host, transport=request.param, far_transport=request.param)
        )
        threshold = ", tcp_threshold: 1" if tcp else ""
        config = f'{USERS}trunk: {{ addr: "{host}", name: "account", domain: "carrier.test"{threshold} }},'
        server = stack.enter_context(serving(tmp_path, config, host=own))
        yield Trunk(tmp_path, server, kamailio, far, tcp)


def ended(log: str) -> list[str]:
    return re.findall(r"call ends after \S+ s: (.*)", log)


def test_a_call_to_the_trunk(trunk: Trunk) -> None:
    log = trunk.call_out("call", "answer")
    assert "call from alice to trunk" in log
    assert re.search(rf"TO .*{trunk.kamailio.host}:5060 INVITE sip:0123456789@carrier.test", log)
    assert len(ended(log)) == 1
    # It recorded its route: ACK and BYE went through it.
    assert [each.split()[0] for each in trunk.kamailio.seen()] == ["INVITE", "ACK", "BYE"]
    how = "tcp" if trunk.phone.tcp else "udp"
    assert trunk.kamailio.seen()[0] == f"INVITE {how}"


def test_a_call_from_the_trunk(trunk: Trunk) -> None:
    log = trunk.call_in("call", "answer")
    assert re.search(r"call from trunk \S+ to alice", log)
    assert [each.split()[0] for each in trunk.kamailio.seen()] == ["INVITE", "ACK", "BYE"]
    assert len(ended(log)) == 1


def test_the_callee_hangs_up(trunk: Trunk) -> None:
    trunk.call_out("call_hung_up", "answer_hang_up")
    log = trunk.call_in("call_hung_up", "answer_hang_up")
    assert [re.sub(r"trunk \S+", "trunk", each) for each in ended(log)] == ["trunk hung up", "alice hung up"]


def test_calls_that_nobody_answers(trunk: Trunk) -> None:
    trunk.call_out("call_refused", "busy")
    trunk.call_in("call_refused", "busy")
    trunk.call_out("call_cancel", "ring")
    log = trunk.call_in("call_cancel", "ring")
    reasons = [re.sub(r"trunk \S+", "trunk", each) for each in ended(log)]
    assert len(reasons) == 4
    assert reasons[0].startswith("refused by trunk") and reasons[1].startswith("refused by alice")


def test_text_to_and_from_the_trunk(trunk: Trunk) -> None:
    log = trunk.call_out("message", "take_message")
    assert re.search(rf"TO .*{trunk.kamailio.host}:5060 MESSAGE sip:0123456789@carrier.test", log)
    trunk.call_in("message", "take_message")
    assert [each.split()[0] for each in trunk.kamailio.seen()] == ["MESSAGE", "MESSAGE"]


def test_a_short_message_to_the_trunk(trunk: Trunk, tmp_path: Path) -> None:
    """SMS-SUBMIT of a phone leaves as text, and the answer of the far end is its RP-ACK."""
    steps = ("register", "sms", "0123456789", "Hello from alice", "deregister")
    with (
        trunk.far.answering("take_message") as answering,
        ue(tmp_path, trunk.server.address, "alice", *steps, password="wonderland") as phone,
    ):
        assert phone.wait() == 0, phone.text
        succeeded([answering])


def test_a_number_that_nobody_has_is_refused_to_the_trunk(trunk: Trunk) -> None:
    with trunk.far.start("call_refused", to="999") as calling:
        assert calling.wait() == 1, "the scenario wants 486"
    assert "404" in calling.errors
    assert "call to sip:999@ims.test refused: nobody has this number" in trunk.server.log_text


def test_many_calls_both_ways(trunk: Trunk) -> None:
    trunk.call_out("call", "answer", calls=40)
    log = trunk.call_in("call", "answer", calls=40)
    assert len(ended(log)) == 80
    refused = re.findall(r"\[SIP\] TO .* [4-6]\d\d [A-Z].*", log)
    assert [line for line in refused if " 401 " not in line] == []


def test_the_server_says_when_the_far_end_is_gone(trunk: Trunk) -> None:
    assert trunk.kamailio.stop() == 0
    with trunk.phone.start("call_refused", to="0123456789") as calling:
        assert calling.wait(60) == 1
    assert "received 'SIP/2.0 503 " in calling.errors
    assert re.search(r"trunk \S+ does not answer an INVITE.*: is trunk.addr \S+ right", trunk.server.log_text)
