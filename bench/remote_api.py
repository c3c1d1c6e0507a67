"""What the remote API costs: one request of each kind, log entries with clients that wait, events.

PYTHONPATH=src:tests .venv/test-*/bin/python bench/remote_api.py
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable

from libreims.api.client import Client
from libreims.api.wire import encode
from libreims.base.log import Log
from libreims.run import COLLECT_OLDER, COLLECT_YOUNG
from libreims.sms.centre import MOST_OF_USER
from support.api import Link
from support.calls import connected
from support.lab import CONFIG, Lab
from support.virtual import run

USERS = 10_000
QUIET = CONFIG.replace("all.level=debug", "all.level=warn") + "dialog_timeout: 0,"
MANY = QUIET.replace(
    "ue_db: [",
    "ue_db: ["
    + "".join(
        f'{{ imsi: "00102{number:010d}", impi: "u{number}@ims.test", authent_type: "none", '
        f'K: "{"00" * 16}", impu: ["sip:u{number}", "tel:07{number:08d}"] }},\n'
        for number in range(USERS)
    ),
)


def timed(name: str, repeat: int, action: Callable[[], object]) -> None:
    """CPU time of one."""
    action()
    begin = time.process_time()
    for _ in range(repeat):
        action()
    each = (time.process_time() - begin) / repeat
    print(f"{name:58} {each * 1e6:10.1f} us")


async def requests() -> None:
    """Text in, text out, as the WebSocket carries it."""
    lab = Lab(asyncio.get_running_loop(), QUIET)  # type: ignore[arg-type]
    await lab.server.start()
    alice, bob = await lab.registered("alice", "bob")
    await connected(alice, bob)
    sent: list[str] = []
    connection = lab.server.api.connect("bench", "bench", sent.append, sent.append)
    connection.open()
    for name in ("license", "config_get", "users_get", "dialog_get", "stats"):
        text = json.dumps({"message": name, "message_id": 1})
        timed(name, 2000, lambda text=text: (connection.receive(text), sent.clear()))
    timed("/metrics", 500, lab.server.api._metrics.text)
    await lab.server.stop()


async def users() -> None:
    lab = Lab(asyncio.get_running_loop(), MANY)  # type: ignore[arg-type]
    gc.collect()
    gc.freeze()  # as the program does with what is there at its start
    gc.set_threshold(COLLECT_YOUNG, COLLECT_OLDER, 20)
    await turns(lab, f"users_get, {USERS} users", {"message": "users_get"})
    new = [
        {
            "imsi": f"00103{number:010d}",
            "impi": f"new{number}@ims.test",
            "K": "00" * 16,
            "impu": [f"sip:new{number}", f"tel:08{number:08d}"],
        }
        for number in range(USERS)
    ]
    await turns(lab, f"users_add, {USERS} users more", {"message": "users_add", "users": new})
    for number in range(MOST_OF_USER):
        lab.server.sms.control.send(f"message {number}", impi="u1@ims.test")
    await turns(lab, f"sms_flush, {MOST_OF_USER} SMS", {"message": "sms_flush", "impi": "u1@ims.test"})


async def turns(lab: Lab, name: str, message: dict[str, object]) -> None:
    """A request in full, and how long it keeps the event loop from anything else; it is decoded already."""
    answers: list[object] = []
    begin = turn = time.process_time()
    longest = 0.0
    lab.server.api.dispatcher.submit(
        Client("bench"), message, lambda answer: (answers.append(answer), encode(answer))
    )
    while not answers:
        longest = max(longest, time.process_time() - turn)
        turn = time.process_time()
        await asyncio.sleep(0)
    now = time.process_time()
    print(f"{name:58} {(now - begin) * 1e6:10.1f} us")
    print(f"{'  longest time in which nothing else is done':58} {max(longest, now - turn) * 1e6:10.1f} us")


async def entries() -> None:
    """A line in the log, and what clients that wait for it make of it."""
    for clients in (0, 1, 200):
        lab = Lab(asyncio.get_running_loop(), QUIET)  # type: ignore[arg-type]
        lab.log.configure("ims.level=info")
        log: Log = lab.log
        ims = log.layer("ims")
        links = [Link(lab) for _ in range(clients)]
        for link in links:
            link.connection._send = lambda text: None
            link.connection.client.log_position = log.ring.total
        lines = 2000 if clients < 100 else 400
        begin = time.process_time()
        for _ in range(lines // 100):
            for link in links:
                link.connection.receive('{"message":"log_get","min":100}')
            for _ in range(100):
                ims.info("alice@ims.test registered: sip:alice@10.0.1.1:5060 as sip:alice, 3600 s left", id=7)
            await asyncio.sleep(0.1)
        each = (time.process_time() - begin) / lines
        name = f"one log entry in memory, {clients} clients with log_get"
        print(f"{name:58} {each * 1e6:10.1f} us")
        for link in links:
            link.leave()


async def events() -> None:
    """A call that nobody watches, and one that clients watch."""
    for clients in (0, 1, 200):
        lab = Lab(asyncio.get_running_loop(), QUIET)  # type: ignore[arg-type]
        await lab.server.start()
        alice, bob = await lab.registered("alice", "bob")
        for _ in range(clients):
            client = Client("bench", lambda text: None)
            await lab.server.api.dispatcher.ask(
                client, {"message": "register", "register": ["dialog", "users_update"]}
            )
        begin = time.process_time()
        for _ in range(40):
            mo, _ = await connected(alice, bob)
            bye = alice.in_dialog(mo, "BYE")
            bob.respond(await bob.expect("BYE"), 200)
            await bye.final()
            await asyncio.sleep(0.2)
        each = (time.process_time() - begin) / 40
        name = f"a call (with the peers of the test), {clients} clients with events"
        print(f"{name:58} {each * 1e6:10.1f} us")
        await asyncio.sleep(60)
        await lab.server.stop()


if __name__ == "__main__":
    for part in (requests, users, entries, events):
        run(part)
