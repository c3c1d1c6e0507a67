"""What a short message costs inside the server, from SMS-SUBMIT to RP-ACK, with and without a file.

    python bench/sms_store.py [--messages 2000] [--rounds 5] [--profile]

Octets in, octets out, no kernel: MESSAGE with RP-DATA, 202, MESSAGE with RP-ACK, 200; MESSAGE with the
SMS-DELIVER, 200, MESSAGE with RP-ACK, 202.  Scripted phones answer by templates; the time that they need is
measured apart and taken off.  With a file (`ue_db_filename`) each message is written before its 202 and
removed after its RP-ACK.  Both servers take turns in one run, and the smallest round of each is printed:
other programs on the machine can only add to it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from rig.wire import Wire

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.proto.sms.address import Address
from libreims.proto.sms.rp import RpAck, RpData, decode_to_phone, encode_from_phone
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.user_data import UserData
from libreims.server import Server
from libreims.store.opening import open_store
from libreims.store.port import Store

USERS = 200
AT_ONCE = 100
"""Messages under way."""
TEXT = "The quick brown fox jumps over the lazy dog, twice: the quick brown fox jumps over it again today!"
CENTRE = Address.of_number("+33600000000")
CONFIG = (
    'domain: "ims.test", sip_addr: "10.0.0.1", log_options: "all.level=error", ue_db: ['
    + ",".join(
        f'{{impi: "u{n}", authent_type: "none", impu: ["sip:u{n}", "tel:{1000 + n}"]}}' for n in range(USERS)
    )
    + "]"
)


class Phones:
    """All phones of one server, behind 10.0.1.1."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.number = 0
        self.acknowledged = 0
        self.spent = 0.0
        """CPU seconds that the phones themselves needed."""

    def request(self, user: int, method: str, uri: str, lines: str, body: bytes = b"") -> bytes:
        self.number += 1
        who = f"<sip:u{user}@ims.test>"
        head = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bK{self.number};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {who};tag=f{self.number}\r\n"
            f"To: {who if method == 'REGISTER' else f'<{uri}>'}\r\n"
            f"Call-ID: c{self.number}\r\nCSeq: 1 {method}\r\n{lines}"
            f"User-Agent: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def register(self) -> None:
        for user in range(USERS):
            lines = f"Contact: <sip:u{user}@10.0.1.1:5060>;+g.3gpp.smsip\r\nExpires: 600000\r\n"
            self.wire.receive(self.request(user, "REGISTER", "sip:ims.test", lines), ("10.0.1.1", 5060))
            assert self.wire.queue.popleft()[0].startswith(b"SIP/2.0 200")

    def submission(self, number: int) -> bytes:
        sender, receiver = number % USERS, (number + USERS // 2) % USERS
        submit = Submit(number & 255, Address.of_number(str(1000 + receiver)), UserData.of_text(TEXT))
        body = encode_from_phone(RpData(number & 255, CENTRE, submit.encode()))
        return self.request(sender, "MESSAGE", "sip:smsc@ims.test", CONTENT, body)

    def pump(self) -> None:
        """Answer everything that has come from the server."""
        queue, receive = self.wire.queue, self.wire.receive
        while queue:
            began = time.process_time()
            answers = self.answers(queue.popleft()[0])
            self.spent += time.process_time() - began
            for each in answers:
                receive(each, ("10.0.1.1", 5060))

    def answers(self, data: bytes) -> list[bytes]:
        if data.startswith(b"SIP/2.0"):
            assert data.startswith(b"SIP/2.0 202"), data
            return []
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode()
        kept = [each for each in lines.split("\r\n") if each[: each.index(":")] in ECHOED] if lines else []
        ok = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode()
        message = decode_to_phone(body)
        if not isinstance(message, RpData):
            return [ok]
        self.acknowledged += 1
        user = int(re.match(r"MESSAGE sip:u(\d+)@", lines)[1])  # type: ignore[index]
        call_id = re.search(r"Call-ID: (\S+)", lines)[1]  # type: ignore[index]
        ack = encode_from_phone(RpAck(message.reference))
        more = f"{CONTENT}In-Reply-To: {call_id}\r\n"
        return [ok, self.request(user, "MESSAGE", "sip:ipsmgw@ims.test", more, ack)]


CONTENT = "Content-Type: application/vnd.3gpp.sms\r\n"
ECHOED = {"Via", "From", "To", "Call-ID", "CSeq"}


class Bench:
    """One server with its phones."""

    def __init__(self, store: Store | None) -> None:
        self.store = store
        self.wire = Wire()
        self.phones = Phones(self.wire)
        loop = asyncio.get_running_loop()
        loaded = loads(CONFIG)
        log = Log(utc=time.time)
        log.configure(loaded.settings.log_options)
        self.server = Server(
            ConfigStore(loaded.settings),
            network=self.wire,  # type: ignore[arg-type]
            clock=loop,
            utc=time.time,
            tokens=Tokens(1),
            log=log,
            store=store,
        )

    async def round(self, messages: int) -> float:
        """Microseconds of CPU for each message, without what the phones need."""
        phones, receive = self.phones, self.wire.receive
        phones.spent, phones.acknowledged, sent = 0.0, 0, 0
        gc.collect()
        began = time.process_time()
        while phones.acknowledged < messages:
            while sent < messages and sent - phones.acknowledged < AT_ONCE:
                made = time.process_time()
                data = phones.submission(sent)
                phones.spent += time.process_time() - made
                receive(data, ("10.0.1.1", 5060))
                sent += 1
            phones.pump()
            await asyncio.sleep(0.001)
        used = time.process_time() - began - phones.spent
        assert not len(self.server.sms.centre)
        return used / messages * 1e6


async def measure(messages: int, rounds: int, profile: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(utc=time.time)
        store = open_store(f"{folder}/ims.db", log.layer("ims"))
        benches = {"in memory": Bench(None), "with a file": Bench(store)}
        for bench in benches.values():
            await bench.server.start()
            bench.phones.register()
            await bench.round(messages // 4)
        if profile:
            profiler = cProfile.Profile()
            profiler.enable()
            await benches["with a file"].round(messages)
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
            return
        results: dict[str, list[float]] = {name: [] for name in benches}
        for _ in range(rounds):
            for name, bench in benches.items():
                results[name].append(await bench.round(messages))
        print(f"{messages} messages of {len(TEXT)} characters a round, {AT_ONCE} under way, {rounds} rounds")
        for name, values in results.items():
            best, worst = min(values), max(values)
            rate = 1e6 / best
            print(f"{name:12} {best:5.0f} us of CPU a message (to {worst:.0f}), {rate:5.0f} messages/s")
        for bench in benches.values():
            await bench.server.stop()
        store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="where the time goes, with a file")
    asked = parser.parse_args()
    asyncio.run(measure(asked.messages, asked.rounds, asked.profile))
