"""What a registration and a call cost inside the server: octets in, octets out, no kernel, no generator.

    python bench/call_inprocess.py [--calls 2000] [--profile] [--retained]

Two scripted phones answer by templates; the time that they need is measured apart and taken off.  Runs are
repeated and the smallest is printed: other programs on the machine can only add to it.  Prints microseconds
of CPU for a registration with digest (two requests) and for a call (INVITE 100 180 200 ACK BYE 200).
`--retained`: what a call that is over leaves behind until its transactions end, 64*T1 later.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import hashlib
import pstats
import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from rig.wire import Wire

from libreims.base.log import Log
from libreims.base.tokens import Tokens
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.server import Server

USERS = 200
CONFIG = (
    'domain: "ims.test", sip_addr: "10.0.0.1", log_options: "all.level=error", ue_db: ['
    + ",".join(
        f'{{impi: "u{n}@ims.test", imsi: "0010100{n:08d}", pwd: "secret", '
        f'authent_qop: "auth", impu: ["sip:u{n}"]}}'
        for n in range(USERS)
    )
    + "]"
)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nb=AS:41\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 104 102 110\r\n"
    "b=RS:0\r\nb=RR:2000\r\na=rtpmap:104 AMR-WB/16000/1\r\na=fmtp:104 mode-change-capability=2;max-red=0\r\n"
    "a=rtpmap:102 AMR/8000/1\r\na=fmtp:102 mode-change-capability=2;max-red=0\r\n"
    "a=rtpmap:110 telephone-event/16000\r\n"
    "a=fmtp:110 0-15\r\na=sendrecv\r\na=ptime:20\r\na=maxptime:240\r\n"
)


def header(data: str, name: str) -> str:
    start = data.index(f"\r\n{name}: ") + len(name) + 4
    return data[start : data.index("\r\n", start)]


class Phones:
    """All callers at 10.0.1.1, all callees at 10.0.1.2."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.number = 0

    def pump(self, host: str, data: bytes) -> str:
        """Send one message to the server; returns the last message that comes back for `host`."""
        self.wire.receive(data, (host, 5060))
        last = ""
        while self.wire.queue:
            out, (to, _) = self.wire.queue.popleft()
            if to == "10.0.1.2" and not out.startswith(b"SIP/2.0"):
                self.callee(out.decode())
            else:
                last = out.decode()
        return last

    def register(self, user: int, host: str) -> None:
        self.number += 1
        n = self.number

        def message(cseq: int, extra: str) -> bytes:
            return (
                f"REGISTER sip:ims.test SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKr{n}.{cseq};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:u{user}@ims.test>;tag=f{n}\r\nTo: <sip:u{user}@ims.test>\r\n"
                f"Call-ID: r{n}\r\nCSeq: {cseq} REGISTER\r\n"
                f"Contact: <sip:u{user}@{host}:5060>;expires=3600\r\n"
                f"{extra}Supported: path\r\nUser-Agent: bench\r\nContent-Length: 0\r\n\r\n"
            ).encode()

        challenge = self.pump(host, message(1, ""))
        assert challenge.startswith("SIP/2.0 401"), challenge
        nonce = re.search(r'nonce="([^"]*)"', challenge).group(1)  # type: ignore[union-attr]
        ha1 = hashlib.md5(f"u{user}@ims.test:ims.test:secret".encode()).hexdigest()
        ha2 = hashlib.md5(b"REGISTER:sip:ims.test").hexdigest()
        response = hashlib.md5(f"{ha1}:{nonce}:00000001:abc:auth:{ha2}".encode()).hexdigest()
        credentials = (
            f'Authorization: Digest username="u{user}@ims.test",realm="ims.test",nonce="{nonce}",'
            f'uri="sip:ims.test",'
            f'response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="abc"\r\n'
        )
        answer = self.pump(host, message(2, credentials))
        assert answer.startswith("SIP/2.0 200"), answer

    def call(self, caller: int, callee: int) -> None:
        self.number += 1
        n = self.number
        common = f"From: <sip:u{caller}@ims.test>;tag=c{n}\r\nCall-ID: c{n}\r\nMax-Forwards: 70\r\n"
        contact = f"Contact: <sip:u{caller}@10.0.1.1:5060>\r\n"
        body = SDP.format(host="10.0.1.1")

        def via(kind: str) -> str:
            return f"Via: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bK{kind}{n};rport\r\n"

        answer = self.pump(
            "10.0.1.1",
            (
                f"INVITE sip:u{callee}@ims.test SIP/2.0\r\n{via('i')}{common}To: <sip:u{callee}@ims.test>\r\n"
                f"CSeq: 1 INVITE\r\n{contact}Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: timer\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
        )
        assert answer.startswith("SIP/2.0 200"), answer
        to, target = header(answer, "To"), header(answer, "Contact").strip("<>")
        ack = (
            f"ACK {target} SIP/2.0\r\n{via('a')}{common}To: {to}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
        )
        self.pump("10.0.1.1", ack.encode())
        bye = (
            f"BYE {target} SIP/2.0\r\n{via('b')}{common}To: {to}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
        )
        answer = self.pump("10.0.1.1", bye.encode())
        assert answer.startswith("SIP/2.0 200"), answer

    def callee(self, data: str) -> None:
        method = data[: data.index(" ")]
        if method == "ACK":
            return
        head = "".join(f"{name}: {header(data, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        head += "Contact: <sip:callee@10.0.1.2:5060>\r\n"
        to = header(data, "To")
        if method == "BYE":
            self.answer(f"SIP/2.0 200 OK\r\n{head}To: {to}\r\nContent-Length: 0\r\n\r\n")
            return
        body = SDP.format(host="10.0.1.2")
        self.answer(f"SIP/2.0 180 Ringing\r\n{head}To: {to};tag=t\r\nContent-Length: 0\r\n\r\n")
        self.answer(
            f"SIP/2.0 200 OK\r\n{head}To: {to};tag=t\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def answer(self, text: str) -> None:
        self.wire.receive(text.encode(), ("10.0.1.2", 5060))


def spent(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def in_use() -> tuple[int, int]:
    """Objects that the cyclic collector looks at, and octets allocated."""
    gc.collect()
    return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]


async def measure(calls: int, profile: bool, retained: bool) -> None:
    wire = Wire()
    loop = asyncio.get_running_loop()
    server = Server(
        ConfigStore(loads(CONFIG).settings),
        network=wire,
        clock=loop,
        utc=time.time,
        tokens=Tokens(1),
        log=Log.null(),
    )
    await server.start()
    phones = Phones(wire)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)

    def registrations() -> None:
        for user in range(USERS):
            phones.register(user, "10.0.1.1" if user < USERS // 2 else "10.0.1.2")

    def run_calls() -> None:
        for number in range(calls):
            phones.call(number % (USERS // 2), USERS // 2 + number % (USERS // 2))

    registrations()
    best_register = min(spent(registrations) for _ in range(5)) / USERS
    run_calls()
    best_call = min(spent(run_calls) for _ in range(5)) / calls
    print(f"register {best_register * 1e6:.0f} us, call {best_call * 1e6:.0f} us (scripted phones included)")
    if retained:
        gc.unfreeze()
        tracemalloc.start()
        objects, octets = in_use()
        run_calls()
        after_objects, after_octets = in_use()
        tracemalloc.stop()
        kept = (after_objects - objects) / calls, (after_octets - octets) / calls
        print(f"retained for each call: {kept[0]:.1f} tracked objects, {kept[1]:.0f} octets")
    if profile:
        for name, work, count in (("register", registrations, USERS), ("call", run_calls, calls)):
            profiler = cProfile.Profile()
            profiler.runcall(work)
            stats = pstats.Stats(profiler)
            print(f"{name}: {stats.total_calls / count:.0f} function calls")  # type: ignore[attr-defined]
            stats.sort_stats("tottime").print_stats(45)
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--retained", action="store_true")
    options = parser.parse_args()
    asyncio.run(measure(options.calls, options.profile, options.retained))


if __name__ == "__main__":
    main()
