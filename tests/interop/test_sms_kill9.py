"""Five hundred short messages on their way while the server is killed (SIGKILL) again and again.

No message that was answered 202 is lost.  One comes twice only where the protocol allows it: its RP-ACK had
no answer when the server died.  `LIBREIMS_KILLS` for more of it, with 125 messages for each.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.rp import RpAck, RpData, decode_to_phone, encode_from_phone
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.tpdu import decode_to_phone as decode_tpdu
from libreims.proto.sms.user_data import UserData
from support.process import Server, loopback

PHONES = 25
ROUNDS = int(os.environ.get("LIBREIMS_KILLS", "4"))
MESSAGES = 125 * ROUNDS
DOMAIN = "ims.test"
AT_ONCE = 100
"""Requests without an answer."""
CONFIG = (
    f'domain: "{DOMAIN}", ue_db_filename: "ims.db", log_options: "all.level=info", timer_t1: 0.2,\nue_db: [\n'
    + "".join(
        f'{{ impi: "u{number}", authent_type: "none", impu: ["u{number}", "tel:{100 + number}"] }},\n'
        for number in range(PHONES)
    )
    + "],\n"
)
CENTRE = Address.of_number("+33600000000")


class Message:
    """What became of one short message, as far as the phones know."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.text = f"message {number}"
        self.sender = chance.randrange(PHONES)
        self.receiver = chance.randrange(PHONES)
        self.reference = number & 0xFF
        self.accepted = False
        self.deliveries = 0
        self.acknowledged = False
        """The RP-ACK of a delivery was answered 202."""


class Crowd:
    """All phones behind one socket; a request is sent again until it has an answer."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.messages = [Message(number, self.chance) for number in range(MESSAGES)]
        self.by_text = {each.text: each for each in self.messages}
        self.waiting = list(reversed(self.messages))
        self.asked: dict[str, tuple[bytes, Message | None]] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.host = loopback()
        self.socket.bind((self.host, 0))
        self.port = self.socket.getsockname()[1]
        self.server = ("", 0)
        self.numbers = iter(range(1, 1 << 30))
        self.deadline = time.monotonic() + 60 + 5 * ROUNDS
        self.heard: set[str] = set()
        """Call-IDs of deliveries."""

    # -- sending -----------------------------------------------------------------------------------------

    def ask(self, user: int, method: str, uri: str, lines: str, body: bytes, about: Message | None) -> None:
        call_id = f"c{next(self.numbers)}"
        who = f"<sip:u{user}@{DOMAIN}>"
        head = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{call_id}\r\n"
            f"From: {who};tag=1\r\nTo: {who if method == 'REGISTER' else f'<{uri}>'}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n{lines}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        data = head.encode() + body
        self.asked[call_id] = data, about
        self.socket.sendto(data, self.server)

    def rp(self, user: int, message: RpData | RpAck, about: Message, reply: str = "") -> None:
        lines = "Content-Type: application/vnd.3gpp.sms\r\n" + (f"In-Reply-To: {reply}\r\n" if reply else "")
        self.ask(user, "MESSAGE", f"sip:smsc@{DOMAIN}", lines, encode_from_phone(message), about)

    def submit(self) -> None:
        """Keep so many submissions on their way."""
        while self.waiting and len(self.asked) < AT_ONCE:
            message = self.waiting.pop()
            data = UserData.of_text(message.text)
            tpdu = Submit(message.reference, Address.of_number(str(100 + message.receiver)), data).encode()
            self.rp(message.sender, RpData(message.reference, CENTRE, tpdu), message)

    def register(self) -> None:
        for user in range(PHONES):
            contact = f"<sip:u{user}@{self.host}:{self.port}>;+g.3gpp.smsip"
            lines = f"Contact: {contact}\r\nExpires: 3600\r\n"
            self.ask(user, "REGISTER", f"sip:{DOMAIN}", lines, b"", None)

    def again(self) -> None:
        """What has no answer is sent again (RFC 3261 §17.1.2.2)."""
        for data, _ in list(self.asked.values()):
            self.socket.sendto(data, self.server)

    # -- receiving ---------------------------------------------------------------------------------------

    def hear(self, seconds: float) -> Iterator[bytes]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                yield self.socket.recv(65536)
            except TimeoutError:
                return

    def play(self, seconds: float, ends: bool) -> None:
        """Send and answer for so long, or until there is nothing more to do.

        Where the server does not end then, the phones go on as before, and repeat what has no answer.
        """
        while True:
            self.again()
            for data in self.hear(seconds):
                self.take(data)
                self.submit()
                if self.done:
                    return
            if ends:
                return
            assert time.monotonic() < self.deadline, f"{self.left} messages are left"

    def take(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode()
        (call_id,) = re.findall(r"Call-ID: (\S+)", lines)
        if lines.startswith("SIP/2.0"):
            self.answered(call_id, lines)
        else:
            self.asked_by_server(call_id, lines, body)

    def answered(self, call_id: str, lines: str) -> None:
        status = int(lines[8:11])
        found = self.asked.pop(call_id, None)
        if found is None:
            return
        data, message = found
        assert status in (200, 202), lines
        if message is None:
            return
        if b"In-Reply-To" in data:
            message.acknowledged = True
        else:
            message.accepted = True

    def asked_by_server(self, call_id: str, lines: str, body: bytes) -> None:
        kept = re.findall(r"(?m)^(?:Via|From|To|Call-ID|CSeq): .*$", lines)
        answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
        self.socket.sendto(answer.replace("\r\r", "\r").encode(), self.server)
        message = decode_to_phone(body)
        if not isinstance(message, RpData):
            assert isinstance(message, RpAck), lines
            return
        tpdu = decode_tpdu(message.user_data)
        assert isinstance(tpdu, Deliver)
        about = self.by_text[tpdu.user_data.text(0) or ""]
        if call_id in self.heard:
            return  # a retransmission
        self.heard.add(call_id)
        assert not about.acknowledged, f"{about.text} came once more after its RP-ACK had been answered"
        about.deliveries += 1
        self.rp(about.receiver, RpAck(message.reference), about, call_id)

    @property
    def left(self) -> int:
        """Messages that no receiver has acknowledged."""
        return sum(not each.acknowledged for each in self.messages)

    @property
    def done(self) -> bool:
        return not self.waiting and not self.asked and not self.left


def test_no_message_that_was_accepted_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    crowd = Crowd(seed)
    host = loopback()
    kills = 0
    while not crowd.done:
        assert kills < ROUNDS + 30, (
            f"{sum(not each.acknowledged for each in crowd.messages)} left (seed {seed})"
        )
        with Server(tmp_path, CONFIG, host=host) as server:
            crowd.server = (server.host, server.port)
            if not kills:
                crowd.register()
            crowd.submit()
            last = kills >= ROUNDS
            crowd.play(0.5 if last else crowd.chance.uniform(0.01, 0.12), not last)
            if crowd.done:
                server.finish()
                break
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            kills += 1
            for data in crowd.hear(0.02):
                crowd.take(data)
    assert kills, f"all was done before it could be killed (seed {seed})"
    assert all(each.accepted and each.deliveries for each in crowd.messages)
    twice = sum(each.deliveries > 1 for each in crowd.messages)
    print(f"{MESSAGES} messages, {kills} kills, {twice} came more than once")
    assert twice < MESSAGES / 4, f"{twice} messages came more than once (seed {seed})"
    with Server(tmp_path, CONFIG, host=host) as server:
        assert "SMS wait since the last time" not in server.log_text.rpartition("# Started on")[2]
        server.finish()
