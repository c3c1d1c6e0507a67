"""A hundred soft phones register, move and leave while the server is killed (SIGKILL) at any moment.

After each restart a phone is where the last answer said, or where its request on the way would have put it.
"""

from __future__ import annotations

import random
import re
import signal
import socket
import sys
import time
from pathlib import Path

from support.process import Program, Server, loopback

PHONES = 100
ROUNDS = 6
DOMAIN = "ims.test"
CONFIG = (
    f'domain: "{DOMAIN}", ue_db_filename: "ims.db", log_options: "all.level=info",\nue_db: [\n'
    + "".join(
        f'{{ impi: "u{number}@{DOMAIN}", authent_type: "none", impu: ["sip:u{number}"] }},\n'
        for number in range(PHONES)
    )
)
CONFIG += "],\n"
GONE = ""


class Phone:
    """What the last answer said of one phone, and what it has asked for since."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.user = f"u{number}"
        self.chance = chance
        self.cseq = 0
        self.known = GONE
        self.asked: str | None = None
        self.accepted = 0

    def next(self, host: str) -> bytes:
        """A REGISTER for another contact, or one that leaves."""
        self.cseq += 1
        leaves = self.known and self.chance.random() < 0.2
        contact = f"sip:{self.user}@{host}:{self.chance.randrange(1024, 65536)}"
        self.asked = GONE if leaves else contact
        if leaves:
            return self.request("Contact: *\r\nExpires: 0\r\n", host)
        # One phone with another address: the registration of before ends in the same step.
        instance = f'+sip.instance="<urn:uuid:00000000-0000-1000-8000-{self.user}>"'
        return self.request(f"Contact: <{contact}>;{instance}\r\nExpires: 3600\r\n", host)

    def request(self, lines: str, host: str) -> bytes:
        user, branch = f"<sip:{self.user}@{DOMAIN}>", f"z9hG4bK{self.user}-{self.cseq}"
        return (
            f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5070;branch={branch};rport\r\n"
            f"From: {user};tag=1\r\nTo: {user}\r\n"
            f"Call-ID: {self.user}\r\nCSeq: {self.cseq} REGISTER\r\nMax-Forwards: 70\r\n{lines}"
            "Content-Length: 0\r\n\r\n"
        ).encode()


class Crowd:
    """All phones behind one socket."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.phones = {f"u{number}": Phone(number, self.chance) for number in range(PHONES)}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.host = loopback()
        self.socket.bind((self.host, 0))

    def play(self, server: Server, seconds: float) -> None:
        """Let all phones send one request after the other until the server is killed, in so many seconds."""
        address, end = (server.host, server.port), time.monotonic() + seconds
        for phone in self.phones.values():
            self.socket.sendto(phone.next(self.host), address)
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                phone = self._answered(self.socket.recv(65536))
            except TimeoutError:
                break
            self.socket.sendto(phone.next(self.host), address)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        self.socket.settimeout(0.05)
        try:
            while True:
                self._answered(self.socket.recv(65536))
        except TimeoutError:
            pass

    def _answered(self, data: bytes) -> Phone:
        text = data.decode()
        phone = self.phones[re.findall(r"Call-ID: (\w+)", text)[0]]
        number = int(re.findall(r"CSeq: (\d+)", text)[0])
        assert text.startswith("SIP/2.0 200"), text
        assert number == phone.cseq and phone.asked is not None
        phone.known, phone.asked = phone.asked, None
        phone.accepted += 1
        return phone

    def check(self, server: Server) -> None:
        """Every phone is where it was told that it is, or where it was going."""
        for phone in self.phones.values():
            phone.cseq += 1
            self.socket.settimeout(5)
            self.socket.sendto(phone.request("", self.host), (server.host, server.port))
            text = self.socket.recv(65536).decode()
            assert text.startswith("SIP/2.0 200") and f"Call-ID: {phone.user}\r\n" in text
            found = re.findall(r"Contact: <([^>]*)>", text)
            assert len(found) <= 1 and "," not in "".join(found)
            now = found[0] if found else GONE
            allowed = {phone.known, phone.known if phone.asked is None else phone.asked}
            assert now in allowed, f"{phone.user} is at {now or 'no place'}, expected one of {allowed}"
            phone.known, phone.asked = now, None


def test_no_registration_that_was_answered_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    crowd, host = Crowd(seed), loopback()
    for number in range(ROUNDS):
        with Server(tmp_path, CONFIG, host=host) as server:
            crowd.check(server)
            crowd.play(server, crowd.chance.uniform(0.02, 0.3))
        if number % 2:
            # Killed once more, while it starts and takes over.
            command = [sys.executable, "-m", "libreims", server.config]
            with Program(command, tmp_path / "start.out", folder=tmp_path) as start:
                time.sleep(crowd.chance.uniform(0.1, 0.6))
                start.process.kill()
    with Server(tmp_path, CONFIG, host=host) as server:
        crowd.check(server)
        server.finish()
    accepted = sum(phone.accepted for phone in crowd.phones.values())
    assert accepted > PHONES * ROUNDS, f"only {accepted} requests were answered (seed {seed})"
    assert not list(tmp_path.glob("ims.db-*")), "an orderly end leaves one file"
