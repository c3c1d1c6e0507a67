"""baresip, a soft phone, registers and calls: its own SIP stack, SDP, RTP and codecs."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.baresip import Baresip
from support.namespace import Namespace, namespaces_missing
from support.process import Server, needs, serving
from support.ue_process import ue

pytestmark = [
    needs("baresip"),
    pytest.mark.skipif(bool(namespaces_missing()), reason=f"baresip needs a network: {namespaces_missing()}"),
]
CONFIG = """
domain: "ims.test", timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
log_options: "all.level=info",
echo: ["tel:666", "sip:echo"],
ue_db: [
  { imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] },
  { imsi: "001010000000002", impi: "bob", pwd: "builder", authent_qop: "auth",
    impu: ["sip:bob", "tel:1002"] },
],
"""
TALK = 2.0
"""Seconds of a call: 50 packets each."""
LOUD = 3000
"""A tone was heard, not silence."""


class Network:
    """The server and the phones' interfaces, in a network of their own."""

    def __init__(self, folder: Path, namespace: Namespace, server: Server) -> None:
        self.folder = folder
        self.namespace = namespace
        self.server = server

    def phone(
        self, user: str, interface: str, *, transport: str = "udp", account: str = "", contact: str = ""
    ) -> Baresip:
        return Baresip(
            self.folder,
            f"{self.server.address};transport={transport}",
            user,
            {"alice": "wonderland", "bob": "builder"}[user],
            interface=interface,
            prefix=self.namespace.prefix,
            account=account,
            contact=contact,
        )


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    addresses = {"ims0": "10.45.0.1/24", "ue1": "10.45.0.11/24", "ue2": "10.45.0.12/24"}
    with (
        Namespace(addresses) as namespace,
        serving(tmp_path, CONFIG, host="10.45.0.1", prefix=namespace.prefix) as server,
    ):
        yield Network(tmp_path, namespace, server)


def closed_ports(log: str) -> list[tuple[int, int, int]]:
    """(RTP received, RTP sent, RTCP received) of each media port that has been closed."""
    pattern = r"closed \S+: received (\d+) packets .*?, sent (\d+) packets .*?RTCP received (\d+)"
    return [(int(a), int(b), int(c)) for a, b, c in re.findall(pattern, log)]


@pytest.mark.parametrize(("user", "transport"), [("alice", "udp"), ("bob", "tcp")])
def test_echo(network: Network, user: str, transport: str) -> None:
    with network.phone(user, "ue1", transport=transport) as phone:
        phone.type("/dial sip:666@ims.test")
        phone.wait_for("Call established")
        time.sleep(TALK)
        phone.type("/hangup")
        sent, received = phone.packets()
        phone.quit()
        assert phone.heard() > LOUD
    assert received >= 40 * TALK
    log = network.server.log_text
    [(from_phone, to_phone, rtcp)] = closed_ports(log)
    assert sent - 2 <= from_phone <= sent
    assert to_phone == from_phone
    assert rtcp >= 1
    assert re.findall(rf"\] - .* {user} (registered|unregistered):", log) == ["registered", "unregistered"]
    assert f" {transport.upper()}\n" in re.findall(rf".* {user} registered:.*\n", log)[0]


def test_two_phones_call_hold_and_resume(network: Network) -> None:
    with (
        network.phone("alice", "ue1") as alice,
        network.phone("bob", "ue2", account=";answermode=auto") as bob,
    ):
        alice.type("/dial sip:1002@ims.test")
        for phone in (alice, bob):
            phone.wait_for("Call established")
        time.sleep(TALK)
        alice.type("/hold")
        network.server.wait_for_log(r"(?s)( INVITE .*){4}200 OK \(INVITE\).* ACK .* ACK ")
        time.sleep(0.5)
        alice.type("/resume")
        network.server.wait_for_log(r"(?s)( INVITE .*){6}200 OK \(INVITE\).* ACK .* ACK ")
        time.sleep(0.5)
        assert re.search("a=(sendonly|inactive)", bob.text)
        bob.type("/hangup")
        alice_sent, alice_received = alice.packets()
        bob_sent, bob_received = bob.packets()
        for phone in (alice, bob):
            phone.quit()
            assert phone.heard() > LOUD / 2
    assert min(alice_received, bob_received) >= 40 * TALK
    assert abs(alice_received - bob_sent) <= 5
    assert abs(bob_received - alice_sent) <= 5
    log = network.server.log_text
    assert "bob hung up" in log
    near, far = closed_ports(log)
    assert near[:2] == far[1::-1]


def test_text_from_and_to_baresip(network: Network) -> None:
    """It writes to a phone that is off and to one that is there, and gets the SMS of another phone."""
    folder, server = network.folder, network.server
    with network.phone("alice", "ue1", contact="sip:1002@ims.test") as alice:
        alice.type("/message Are you there, Bob?")
        server.wait_for_log(r"SMS \w+ from 1001 for bob is accepted")
        with network.phone("bob", "ue2", contact="sip:1001@ims.test") as bob:
            bob.wait_for("Are you there, Bob\\?")
            bob.type("/message Now I am.")
            alice.wait_for("Now I am\\.")
            bob.quit()
        sms = ("register", "sms", "1001", "Grüße aus dem Netz " * 12, "deregister")
        prefix = network.namespace.prefix
        bob = ue(folder, server.address, "bob", *sms, password="builder", local="10.45.0.12", prefix=prefix)
        with bob:
            assert bob.wait() == 0, bob.text
        alice.wait_for("Grüße aus dem Netz")
        alice.quit()


def test_registered_phones_call_each_other_after_kill_9(tmp_path: Path) -> None:
    """With `ue_db_filename`: neither phone has noticed anything when the server is there again."""
    addresses = {"ims0": "10.45.0.1/24", "ue1": "10.45.0.11/24", "ue2": "10.45.0.12/24"}
    config = f'{CONFIG} ue_db_filename: "ims.db",'
    with Namespace(addresses) as namespace:

        def start() -> Server:
            return Server(tmp_path, config, host="10.45.0.1", prefix=namespace.prefix)

        with start() as server:
            network = Network(tmp_path, namespace, server)
            alice = network.phone("alice", "ue1")
            bob = network.phone("bob", "ue2", account=";answermode=auto")
        with alice, bob:
            assert server.process.returncode == -signal.SIGKILL
            time.sleep(1)
            with start() as server:
                assert "2 registrations of before the restart go on" in server.log_text
                alice.type("/dial sip:1002@ims.test")
                for phone in (alice, bob):
                    phone.wait_for("Call established")
                time.sleep(TALK)
                assert "REGISTER" not in server.log_text
                alice.type("/hangup")
                _, received = alice.packets()
                assert received >= 40 * TALK
                for phone in (alice, bob):
                    phone.quit()
                server.finish()
