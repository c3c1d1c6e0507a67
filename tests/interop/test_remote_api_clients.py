"""The remote API under load, with real programs: 200 clients read the log and hear events while phones call.

Nobody loses an entry or an event, nobody gets them in another order, and the phones do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from support.process import Server, free_port
from support.ue_process import ue

CLIENTS = 200
PHONES = 30
RATE = 15
USERS = ",".join(
    f'{{imsi: "0010100000{number:05d}", impi: "{number}@ims.test", authent_type: "none", '
    f'K: "{"00" * 16}", impu: "sip:{number}"}}'
    for number in range(70001, 70001 + PHONES)
)
CONFIG = """
domain: "ims.test", com_addr: "%s", timer_t1: 0.5, echo: ["tel:666"],
log_options: "all.level=info,media.level=none", com_log_count: 65536, log_sync: false,
ue_db: [%s],
"""


class Reader:
    """A client as a graphical interface is one: it asks for the log again and again, and hears events."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.entries: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.asked = 0
        self.registered = asyncio.Event()
        self.ends = 0
        """Calls of which the end was heard."""

    async def say(self, message: str, **members: Any) -> None:
        await self.socket.send(json.dumps({"message": message, **members}))

    async def ask(self) -> None:
        self.asked += 1
        await self.say("log_get", message_id=self.asked, min=64, timeout=0.2, allow_empty=True, short=True)

    async def read(self, until: asyncio.Event) -> None:
        await self.say("register", register=["dialog", "users_update"])
        await self.ask()
        while not until.is_set() or self.asked != len(self.answers):
            frame = json.loads(await self.socket.recv())
            assert "error" not in frame, frame
            if frame["message"] == "log_get":
                assert "discontinuity" not in frame
                self.answers.append(frame["message_id"])
                self.entries += [entry["idx"] for entry in frame["logs"]]
                if not until.is_set():
                    await self.ask()
            elif frame["message"] in ("dialog", "users_update"):
                self.events.append(frame)
                self.ends += frame["message"] == "dialog" and frame["dialog"]["state"] == "stop"
            elif frame["message"] == "register":
                self.registered.set()


async def readers(address: str, phones: Any) -> list[Reader]:
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for _ in range(CLIENTS):
            socket = await stack.enter_async_context(
                connect(f"ws://{address}/", origin="http://test", max_size=None, proxy=None)  # type: ignore[arg-type]
            )
            assert json.loads(await socket.recv())["message"] == "ready"
            made.append(Reader(socket))
        until = asyncio.Event()
        tasks = [asyncio.ensure_future(each.read(until)) for each in made]
        for each in made:
            await each.registered.wait()
        await asyncio.to_thread(phones)
        async with asyncio.timeout(30):
            while any(each.ends < PHONES for each in made):
                await asyncio.sleep(0.05)
        until.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
        return made


def test_200_clients_hear_everything_in_order_while_phones_call(tmp_path: Path) -> None:
    begin = time.monotonic()
    host = "127.0.0.1"
    address = f"{host}:{free_port(host)}"
    with Server(tmp_path, CONFIG % (address, USERS)) as server:
        options = ("--count", str(PHONES), "--rate", str(RATE))

        def phones() -> None:
            steps = ("register", "call", "666", "wait", 1, "hangup", "deregister")
            with ue(tmp_path, server.address, "70001", *steps, options=options) as load:
                assert load.wait(60) == 0, load.text

        everyone = asyncio.run(readers(address, phones))
        log = server.finish()
    for each in everyone:
        assert each.answers == list(range(1, each.asked + 1))
        assert all(later == before + 1 for before, later in pairwise(each.entries))
        assert len(each.entries) > 10 * PHONES
        states: dict[str, list[str]] = {}
        for event in each.events:
            if event["message"] == "dialog":
                states.setdefault(event["dialog"]["session_id"], []).append(event["dialog"]["state"])
        assert list(states.values()) == [["ringing", "start", "stop"]] * PHONES
        times = [event["time"] for event in each.events]
        assert times == sorted(times)
    first = everyone[0].events
    assert all(each.events == first for each in everyone)
    updated = {
        user["impi"]
        for event in first
        if event["message"] == "users_update"
        for user in event["users_update"]
    }
    assert len(updated) == PHONES
    assert "does not read" not in log
    assert time.monotonic() - begin < 60


@pytest.mark.skipif(shutil.which("node") is None, reason="not installed: node")
def test_a_client_in_javascript(tmp_path: Path) -> None:
    """The handshake and the frames written by hand, as the sample of the reference is a nodejs program."""
    host = "127.0.0.1"
    port = free_port(host)
    script = tmp_path / "client.js"
    script.write_text(
        """
const http = require('http');
const [port] = process.argv.slice(2);
const request = http.request({host: '127.0.0.1', port, headers: {
    Connection: 'Upgrade', Upgrade: 'websocket', Origin: 'node', 'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': Buffer.from('0123456789abcdef').toString('base64')}});
function frame(text) {
    const data = Buffer.from(text), mask = Buffer.from([1, 2, 3, 4]);
    const head = Buffer.from([0x81, 0x80 | data.length]);
    return Buffer.concat([head, mask, data.map((octet, i) => octet ^ mask[i % 4])]);
}
request.on('upgrade', (response, socket, head) => {
    let pending = head, heard = [];
    function take() {
        while (pending.length >= 4) {
            let size = pending[1] & 127, at = 2;
            if (size === 126) { size = pending.readUInt16BE(2); at = 4; }
            if (pending.length < at + size) return;
            heard.push(JSON.parse(pending.subarray(at, at + size).toString()));
            pending = pending.subarray(at + size);
            if (heard.length === 1) {
                socket.write(frame('{"message": "config_get", "message_id": "a"}'));
                socket.write(frame('{"message": "license"}'));
            }
            if (heard.length === 3) { console.log(JSON.stringify(heard)); process.exit(0); }
        }
    }
    socket.on('data', data => { pending = Buffer.concat([pending, data]); take(); });
    take();
});
request.end();
setTimeout(() => process.exit(1), 10000);
"""
    )
    with Server(tmp_path, f'domain: "ims.test", com_addr: "{host}:{port}",') as server:
        ran = subprocess.run(
            ["node", script, str(port)], capture_output=True, text=True, timeout=20, check=False
        )
        assert ran.returncode == 0, ran.stderr
        ready, settings, licence = json.loads(ran.stdout)
        assert ready["message"] == "ready"
        assert settings["message_id"] == "a"
        assert settings["type"] == "IMS"
        assert "products" in licence
        server.finish()


def test_the_program_says_what_is_wrong_with_the_address(tmp_path: Path) -> None:
    """Busy port, foreign address, key that does not fit: one sentence and status 1, no traceback."""
    host = "127.0.0.1"
    address = f"{host}:{free_port(host)}"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Server(tmp_path / "one", f'domain: "ims.test", com_addr: "{address}",') as server:
        assert f"remote API on {address}" in server.text
        second = Server(tmp_path / "two", f'domain: "ims.test", com_addr: "{address}",', wait=False)
        with second:
            assert second.wait(20) == 1
            assert f"Error: com_addr {address}: Address already in use" in second.text
            assert "Traceback" not in second.text
        server.finish()


def test_the_program_ends_itself_where_sim_events_say_so(tmp_path: Path) -> None:
    events = 'sim_events: [{event: "log_set", log: "last words", layer: "ims", level: "warn"}, '
    with Server(tmp_path, f'domain: "ims.test", {events} {{event: "quit", start_time: 0.2}}],') as server:
        assert server.wait(10) == 0
        assert "last words" in server.log_text
        assert "sim_events ends the program" not in server.log_text  # layer com is at warn
        assert server.log_text.rstrip().splitlines()[-1].startswith("# Ended on ")
