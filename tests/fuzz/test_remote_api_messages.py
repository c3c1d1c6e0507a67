"""Whatever clients send, the remote API answers, with an `error` at worst, and nothing in the server breaks.

`LIBREIMS_API_SEEDS=50` plays more of it (some 2 s each).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
from typing import Any

import pytest

from libreims.api.table import Command
from support.api import Link
from support.api_server import QUIET, serving
from support.calls import connected
from support.lab import CONFIG, DOMAIN, Lab, play

SEEDS = int(os.environ.get("LIBREIMS_API_SEEDS", "2"))
MESSAGES = 6000
WORDS = (
    *("", "a", "*", "sip:alice", f"alice@{DOMAIN}", f"sip:bob@{DOMAIN}", "tel:0600000001", "tel:666", "echo"),
    *(
        "null",
        "all",
        "debug",
        "/dev/zero",
        "/etc/passwd",
        "a\0b",
        "../..",
        "\ud800",
        "é" * 300,
        "x" * 50_000,
        "\u2028",
    ),
    *("stop", "hold", "answer", "media", "downgrade", "reinvite", "INVITE", "sms", "dialog", "deactivated"),
    *(
        "00" * 16,
        "on",
        "%s%n",
        "\r\nInjected: yes",
        "001010000000001",
        "sip:",
        "tel:",
        "sip:a@[::1",
        "<>",
        '"',
    ),
)
NUMBERS = (0, 1, -1, 2, 0.5, -0.0, 3600, 2**31, 2**63, -(2**63), 1e15, 1e300, 5e-324, 10**30)


def scalar(rng: random.Random) -> Any:
    return rng.choice((rng.choice(WORDS), rng.choice(NUMBERS), True, False, None, rng.choice(WORDS)))


def value(rng: random.Random, names: tuple[str, ...], depth: int = 0) -> Any:
    """Any JSON value; objects have names that mean something somewhere."""
    kind = rng.random()
    if depth > 3 or kind < 0.6:
        return scalar(rng)
    if kind < 0.8:
        return [value(rng, names, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(names): value(rng, names, depth + 1) for _ in range(rng.randrange(5))}


def message(rng: random.Random, commands: list[Command], names: tuple[str, ...]) -> dict[str, Any]:
    command = rng.choice(commands)
    frame: dict[str, Any] = {"message": command.name}
    for parameter in command.parameters:
        if parameter.required or rng.random() < 0.5:
            frame[parameter.name] = value(rng, names) if rng.random() < 0.7 else scalar(rng)
    for _ in range(rng.randrange(3)):
        frame[rng.choice(names)] = value(rng, names)
    if rng.random() < 0.3:
        frame["message_id"] = value(rng, names)
    for name in ("start_time", "absolute_time", "loop_delay", "loop_count"):
        if rng.random() < 0.1:
            frame[name] = scalar(rng) if rng.random() < 0.5 else rng.choice((0, 0.1, 1, True))
    if "loop_count" in frame:
        frame["loop_count"] = min(frame["loop_count"], 3) if isinstance(frame["loop_count"], int) else "x"
    return frame


def text(rng: random.Random, commands: list[Command], names: tuple[str, ...]) -> str:
    """A message as text, sometimes spoilt, sometimes several."""
    kind = rng.random()
    if kind < 0.1:
        return json.dumps([message(rng, commands, names) for _ in range(rng.randrange(4))])
    if kind < 0.2:
        return json.dumps(value(rng, names))
    whole = json.dumps(message(rng, commands, names))
    if kind < 0.3:
        at = rng.randrange(len(whole))
        return whole[:at] + rng.choice(("", "}", "[", '"', "\\", "\0", "NaN", ",", "1e999")) + whole[at + 1 :]
    return whole


def all_names(commands: list[Command]) -> tuple[str, ...]:
    names = {parameter.name for command in commands for parameter in command.parameters}
    return (
        *sorted(names),
        *("message", "message_id", "standalone", "impu", "imei", "callflow_modifier", "method", "code"),
        *("content", "layers", "sip", "all", "level", "max_size", "name", "value", "codes", "duration"),
        *("cp_data", "action", "session_expires", "custom_headers", "sms_message_filter", "tcp_threshold"),
        *("imsi", "K", "pwd"),
    )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_messages_of_every_kind(seed: int) -> None:
    async def scenario(lab: Lab) -> None:
        rng = random.Random(seed)
        api = lab.server.api
        commands = list(api.table)
        names = all_names(commands)
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        link = Link(lab)
        answered = 0
        for number in range(MESSAGES):
            sent = text(rng, commands, names)
            link.say(sent)
            if number % 20 == 19:
                await asyncio.sleep(2)
                for frame in link.frames:
                    wrong = frame.get("error", "")
                    assert isinstance(wrong, str)
                    assert not wrong.startswith("internal error"), (wrong, frame)
                    json.dumps(frame, allow_nan=False)
                answered += len(link.frames)
                assert not link.closed
                link.leave()
                link = Link(lab)
        assert answered > MESSAGES * 0.9
        assert "internal" not in lab.server.counters.totals()[1]
        link.leave()
        lab.config.replace(settings)
        lab.server.calls.stop_all("end of the test")
        await asyncio.sleep(60)
        assert len(api.dispatcher.schedule) == 0

    settings = None  # what `config_set` has made of the settings must not decide how the test ends

    def whole(lab: Lab) -> Any:
        nonlocal settings
        settings = lab.config.current
        return scenario(lab)

    play(whole, CONFIG.replace("all.level=debug", "all.level=warn"))


RIGHT: tuple[dict[str, Any], ...] = (
    {"message": "mt_call", "impu": f"sip:bob@{DOMAIN}", "caller": "Lab", "duration": 1, "sdp_file": "x"},
    {"message": "mt_call", "impi": f"bob@{DOMAIN}", "caller": "tel:1", "sip_file": "x", "sos": False},
    {
        "message": "sms",
        "impi": f"bob@{DOMAIN}",
        "text": "x",
        "sender": "Lab",
        "validity": 5,
        "pid": 0,
        "dcs": 0,
    },
    {"message": "sms", "impu": f"sip:bob@{DOMAIN}", "binary": "AAAA", "tp_udl": 3, "tp_udhi_present": False},
    {"message": "sms", "impi": f"bob@{DOMAIN}", "binary_hex": "00"},
    {"message": "sms_flush", "impi": f"bob@{DOMAIN}"},
    {
        "message": "dialog_set",
        "session_id": "*",
        "action": "media",
        "media": "audio",
        "rtp": True,
        "rtcp": True,
    },
    {"message": "dialog_set", "session_id": "*", "action": "reinvite", "sdp_file": "x"},
    {
        "message": "dialog_set",
        "session_id": "*",
        "action": "stop",
        "code": 1,
        "reason": "x",
        "reason_protocol": "SIP",
    },
    {"message": "dialog_get", "session_id": "1"},
    {"message": "user_set", "impi": f"bob@{DOMAIN}", "force_sms_over_sg": False},
    {
        "message": "users_add",
        "users": [{"impi": "new", "impu": ["tel:5"], "pwd": "x", "domain": "d", "imsi": "1"}],
    },
    {"message": "impu_set", "impu": "tel:0600000001", "display_name": "x", "domain": "d", "sdp_file": "x"},
    {"message": "impu_set", "impu": "tel:0600000001", "preferred": True, "asserted": True, "phone": "1"},
    {
        "message": "impu_set",
        "impu": "tel:0600000001",
        "callflow_modifier": [{"method": "INVITE", "log": "x"}],
    },
    {
        "message": "impu_add",
        "impi": "echo",
        "impu": {"impu": "tel:77", "match": "^7", "imei": "1", "code": 404},
    },
    {"message": "impu_del", "impi": "echo", "impu": {"impu": "tel:77", "imei": "1", "match": "x"}},
    {"message": "unregister", "uri": "sip:nobody", "event": "rejected"},
    {"message": "config_set", "custom_headers": [{"name": "X", "value": "x", "methods": "*", "codes": 0}]},
    {
        "message": "config_set",
        "precondition": "on",
        "session_expires": {"refresher": "uac", "method": "update"},
    },
    {"message": "config_set", "logs": {"layers": {"sip": {"level": "warn"}}, "path": "", "rotate": 0}},
    {"message": "log_set", "log": "x", "layer": "ims", "level": "warn", "dir": "TO", "ue_id": 1},
    {
        "message": "log_get",
        "layers": {"ims": "warn"},
        "timeout": 0,
        "allow_empty": True,
        "max": 1,
        "max_size": 1,
    },
    {"message": "register", "register": "sms", "unregister": ["sms"]},
)
"""Messages that are right, or nearly so."""


def spoilt(frame: Any) -> list[Any]:
    """All that can be made of a value by putting something else into one place."""
    others: list[Any] = [*WORDS, *NUMBERS, True, False, None, [], {}]
    if isinstance(frame, dict):
        return [
            {**frame, name: other}
            for name, member in frame.items()
            if name != "message"
            for other in spoilt(member)
        ]
    if isinstance(frame, list):
        return [*others, *([each] for each in spoilt(frame[0]))]
    return others


def test_messages_that_are_nearly_right() -> None:
    """One parameter at a time has a value that it should not have."""

    async def scenario(lab: Lab) -> None:
        settings = lab.config.current
        alice, bob = await lab.registered("alice", "bob")
        await connected(alice, bob)
        link = Link(lab)
        for right in RIGHT:
            for frame in (right, *spoilt(right)):
                link.frames.clear()
                link.say(frame)
                if frame["message"] == "log_get" and not link.frames:
                    link.say({"message": "log_get", "timeout": 0, "allow_empty": True})
                assert link.frames, frame
                wrong = link.frames[0].get("error", "")
                assert not wrong.startswith("internal error"), (wrong, frame)
                assert len(wrong) < 4100
            await asyncio.sleep(1)
        assert "internal" not in lab.server.counters.totals()[1]
        link.leave()
        lab.config.replace(settings)
        lab.server.calls.stop_all("end of the test")
        await asyncio.sleep(60)

    play(scenario, CONFIG.replace("all.level=debug", "all.level=warn"))


def frame_octets(rng: random.Random) -> bytes:
    """A WebSocket frame of a client, or something like it (RFC 6455 §5.2)."""
    payload = rng.randbytes(rng.choice((0, 1, 20, 125)))
    first = rng.choice((0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0x83, 0xFF))
    length = rng.choice((len(payload), 126, 127, 125))
    head = struct.pack("!BB", first, length | rng.choice((0x80, 0x80, 0x80, 0)))
    mask = rng.randbytes(4)
    masked = bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload))
    return head + mask + masked


async def test_frames_of_every_kind() -> None:
    rng = random.Random(1)
    handshake = (
        b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    async with serving(config=QUIET.replace("all.level=error", "all.level=info")) as served:
        for number in range(150):
            reader, writer = await asyncio.open_connection(served.host, served.port)
            writer.write(handshake if number % 5 else rng.randbytes(200) + b"\r\n\r\n")
            for _ in range(rng.randrange(6)):
                writer.write(frame_octets(rng))
            if number % 3:
                writer.write_eof()
                async with asyncio.timeout(10):
                    await reader.read()
            writer.close()
        async with served.client() as client:
            assert "products" in await client.ask("license")
        log = served.lab.log_text()
        assert "Traceback" not in log
        assert "internal" not in served.lab.server.counters.totals()[1]
