"""What no phone would send, sent to the real server: it answers what it can and lives on."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.process import Server, loopback, serving

TORTURE = Path(__file__).parents[1] / "spec" / "data" / "rfc4475"
MESSAGES = {path.stem: path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))}
CONFIG = """
domain: "ims.test", timer_t1: 0.02, timer_t2: 0.16, timer_t4: 0.2,
log_options: "all.level=info", com_log_count: 4096,
echo: ["tel:666"],
ue_db: [
  { imsi: "001010000000001", impi: "alice", authent_type: "none", impu: ["sip:alice", "tel:1001"] },
],
"""
FORGOTTEN = 64 * 0.02 + 0.7
"""Seconds after which no transaction is kept any more."""
GROWTH = 10 << 20
"""Octets that the server may grow by while the same abuse goes on: nothing may be kept for each message."""
ALICE = b"""REGISTER sip:ims.test SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKregister%d;rport\r
Max-Forwards: 70\r
From: <sip:alice@ims.test>;tag=1\r
To: <sip:alice@ims.test>\r
Call-ID: life\r
CSeq: %d REGISTER\r
Contact: <sip:alice@127.0.0.1:9;transport=udp>;expires=600;+sip.instance="<urn:uuid:1>"\r
Content-Length: 0\r
\r
"""
CALL = b"""INVITE tel:666;phone-context=ims.test SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKcall%d;rport\r
Max-Forwards: 70\r
From: "A. \\"quoted\\" name" <sip:alice@ims.test>;tag=2\r
To: <tel:666;phone-context=ims.test>\r
Call-ID: call%d\r
CSeq: 1 INVITE\r
Contact: <sip:alice@127.0.0.1:9>\r
Content-Type: application/sdp\r
Content-Length: 124\r
\r
v=0\r
o=- 7 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 40000 RTP/AVP 8 0\r
a=rtpmap:8 PCMA/8000\r
a=sendrecv\r
"""

ELSEWHERE = {"quotbal"}
"""Requests whose Via says that answers go to another port."""
LINE = re.compile(r"#[ -~]*|\d\d:\d\d:\d\d\.\d{3} \[(IMS|SIP|MEDIA|IPSEC)\] [^\x00-\x1f\x7f]+")

_serial = itertools.count()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, CONFIG) as running:
        yield running
    strange = [line for line in running.log_text.splitlines() if not LINE.fullmatch(line)]
    assert strange == [], "what a peer sends must not look like lines of the log"


def options(transport: str = "UDP") -> tuple[bytes, bytes]:
    """An OPTIONS request and how the answer to it begins."""
    branch = f"z9hG4bKping{next(_serial)}"
    fields = (
        f"Via: SIP/2.0/{transport} 127.0.0.1:5060;branch={branch};rport",
        "Max-Forwards: 70",
        "From: <sip:monitor@ims.test>;tag=1",
        "To: <sip:ims.test>",
        f"Call-ID: {branch}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    text = "\r\n".join(("OPTIONS sip:ims.test SIP/2.0", *fields, "", ""))
    return text.encode(), branch.encode()


class Attacker:
    """A UDP socket at an address of its own."""

    def __init__(self, server: Server) -> None:
        self.target = (server.host, server.port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((loopback(), 5060))
        self.socket.settimeout(5)

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendto(data[:65000], self.target)

    def ping(self) -> list[bytes]:
        """The server has to answer OPTIONS; returns what else came before that."""
        request, branch = options()
        self.send(request)
        others = []
        while True:
            answer = self.socket.recv(65536)
            if branch in answer:
                assert answer.startswith(b"SIP/2.0 200 "), answer
                return others
            others.append(answer)


def test_torture_messages_over_udp(server: Server) -> None:
    """RFC 4475: what is a request gets an answer, but for the few that must or can not be answered."""
    answers = {}
    for name, data in MESSAGES.items():
        # Some of them have one branch in common: the second one would be a retransmission of the first.
        own = data.replace(b"branch=z9hG4bKk", b"branch=z9hG4bK" + name.encode())
        with Attacker(server) as attacker:
            attacker.send(own)
            answers[name] = {answer[8:11].decode() for answer in attacker.ping()}
    assert len(answers) == 49
    silent = {name for name, statuses in answers.items() if not statuses}
    responses = {name for name, data in MESSAGES.items() if data.startswith(b"SIP/")}
    assert responses <= silent
    assert silent - responses == ELSEWHERE
    assert "500" not in {status for statuses in answers.values() for status in statuses}
    assert answers["badinv01"] == answers["clerr"] == answers["ncl"] == {"400"}


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """A message with a few things wrong."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(text))
        match chance.randrange(6):
            case 0:
                text[place] = chance.randrange(256)
            case 1:
                del text[place : place + chance.randint(1, 40)]
            case 2:
                text[place:place] = chance.randbytes(chance.randint(1, 10))
            case 3:
                text[place:place] = text[place : place + 60] * chance.randint(1, 5)
            case 4:
                text[place:place] = chance.choice(
                    [b"\r\n", b"\0", b'"', b"<", b";", b",", b"%", b"\xff", b": "]
                )
            case 5:
                end = place + chance.randint(1, 5)
                text[place:end] = str(chance.choice([-1, 0, 2**31, 2**32, 2**64, 10**40])).encode()
        if not text:
            return b"\r\n"
    return bytes(text)


def abuse(count: int, chance: random.Random) -> Iterator[bytes]:
    """Datagrams: torture messages, registrations and calls, each spoiled in its own way; random octets."""
    known = list(MESSAGES.values())
    for _ in range(count):
        number = chance.randrange(1 << 30)
        match chance.randrange(8):
            case 0:
                yield chance.randbytes(chance.randrange(1500))
            case 1 | 2:
                yield spoiled(ALICE % (number, number), chance)
            case 3 | 4:
                yield spoiled(CALL % (number, number), chance)
            case _:
                yield spoiled(chance.choice(known), chance)


def test_spoiled_datagrams_leave_nothing_behind(server: Server) -> None:
    chance = random.Random(int(os.environ.get("ABUSE_SEED", "1")))
    sizes = []
    with Attacker(server) as attacker:
        for _ in range(3):
            for number, data in enumerate(abuse(3000, chance)):
                attacker.send(data)
                if number % 100 == 99:
                    attacker.ping()
            time.sleep(FORGOTTEN)
            attacker.ping()
            sizes.append(server.resident())
    assert sizes[-1] - sizes[0] < GROWTH, [size >> 10 for size in sizes]
    log = server.log_text
    assert "no SIP message" in log
    # Some of the calls were whole enough to be served; each one has given its ports back.
    begun, ended = (len(re.findall(pattern, log)) for pattern in (r"\] - .* call from ", "call ends after"))
    assert begun == ended


WITHIN = b"""%b sip:127.0.0.1:5060 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKwithin%d;rport\r
Max-Forwards: 70\r
From: <sip:alice@ims.test>;tag=2\r
To: <tel:666;phone-context=ims.test>;tag=%b\r
Call-ID: call%d\r
CSeq: %d %b\r
Contact: <sip:alice@127.0.0.1:9>\r
"""
METHODS = (b"ACK", b"BYE", b"CANCEL", b"INFO", b"INVITE", b"MESSAGE", b"NOTIFY", b"PRACK", b"UPDATE")


def test_spoiled_requests_inside_calls(server: Server) -> None:
    """The server knows the dialog: everything in the request is looked at."""
    chance = random.Random(int(os.environ.get("ABUSE_SEED", "1")))
    description = CALL.partition(b"\r\n\r\n")[2]
    with Attacker(server) as attacker:
        attacker.send(ALICE % (1, 1))
        for number in range(60):
            attacker.send(CALL % (number, number))
            call_id = b"Call-ID: call%d\r" % number
            [*_, accepted] = [each for each in attacker.ping() if call_id in each]
            assert accepted.startswith(b"SIP/2.0 200 "), accepted
            found = re.search(rb"\r\nTo: .*;tag=(\w+)\r\n", accepted)
            assert found is not None
            attacker.send(WITHIN % (b"ACK", 0, found[1], number, 1, b"ACK") + b"\r\n")
            for count in range(2, 32):
                method = chance.choice(METHODS)
                branch = number * 100 + count
                head = WITHIN % (method, branch, found[1], number, count, method)
                sized = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(description)
                attacker.send(spoiled(head + sized + description, chance))
            attacker.ping()
            attacker.send(WITHIN % (b"BYE", number * 100 + 99, found[1], number, 99, b"BYE") + b"\r\n")
        attacker.ping()
        server.until(lambda: server.log_text.count("call ends after") == 60, "to end all calls")


def connect(server: Server, timeout: float = 5) -> socket.socket:
    connection = socket.create_connection((server.host, server.port))
    connection.settimeout(timeout)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    """What the server says before it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            said += chunk
    return said


def still_serves(server: Server) -> None:
    request, branch = options("TCP")
    with connect(server) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
        assert answer.startswith(b"SIP/2.0 200 ")
        assert branch in answer


def open_files(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


GARBAGE = {
    "binary": bytes(range(256)) * 4,
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(400),
    "HTTP": b"GET / HTTP/1.1\r\nHost: ims.test\r\n\r\n",
    "no length": b"OPTIONS sip:ims.test SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n\r\n",
    "negative length": b"OPTIONS sip:ims.test SIP/2.0\r\nContent-Length: -5\r\n\r\n",
    "length of a word": b"OPTIONS sip:ims.test SIP/2.0\r\nContent-Length: five\r\n\r\n",
    "enormous length": b"OPTIONS sip:ims.test SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
    "endless header": b"OPTIONS sip:ims.test SIP/2.0\r\nSubject: " + b"x" * 200_000,
    "endless headers": b"OPTIONS sip:ims.test SIP/2.0\r\n" + b"X: y\r\n" * 40_000,
    "endless line": b"x" * 200_000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_closes_the_connection(server: Server, name: str) -> None:
    with connect(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(GARBAGE[name])
        said = until_closed(connection)
    assert not said or re.match(rb"SIP/2\.0 (400|413|513|505) ", said), said
    still_serves(server)


def test_torture_messages_over_tcp(server: Server) -> None:
    before = open_files(server)
    for data in MESSAGES.values():
        with connect(server) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            assert b"SIP/2.0 500 " not in until_closed(connection)
        still_serves(server)
    server.until(lambda: open_files(server) <= before, "to close its connections")


def test_connections_that_break_off(server: Server) -> None:
    """Hundreds of connections at once, in all states, reset by the peer."""
    still_serves(server)
    chance = random.Random(1)
    before, size = open_files(server), server.resident()
    for _ in range(4):
        connections = [connect(server) for _ in range(100)]
        for number, connection in enumerate(connections):
            request = options("TCP")[0]
            connection.sendall(request[: chance.randrange(len(request))] if number % 3 else request)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", number % 2, 0))
        for connection in connections:
            connection.close()
        still_serves(server)
    server.until(lambda: open_files(server) <= before, "to close its connections")
    assert server.resident() - size < GROWTH


def test_octet_by_octet_and_all_at_once(server: Server) -> None:
    """A stream has no borders (RFC 3261 §18.3)."""
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request, branch = options("TCP")
        for octet in request:
            connection.sendall(bytes([octet]))
        answer = connection.recv(65536)
        assert answer.startswith(b"SIP/2.0 200 ")
        assert branch in answer
        requests = [options("TCP") for _ in range(50)]
        connection.sendall(b"".join(request for request, _ in requests))
        said = b""
        while not all(branch in said for _, branch in requests):
            said += connection.recv(65536)
        assert said.count(b"SIP/2.0 200 ") == 50
