"""The remote API as the manual of the reference describes it, section 6, sentence by sentence.

The client is `websockets`, which is not ours, over a real socket; nothing of it knows our code. Phones are
simulated. The tables of fields are the manual's; behaviour that only other clients show is at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from libreims.config import surface
from libreims.config.declare import WORKS
from libreims.proto.sip.dialog import Dialog
from support.api_server import Client, Served, serving
from support.calls import connected, hung_up
from support.lab import CONFIG, DOMAIN, Peer
from support.shape import ANY, NUMBER, MapOf, OneOf, check
from support.sms_phone import phones

CALM = CONFIG + "dialog_timeout: 0,"
LAYER = {
    "level": OneOf("none", "error", "warn", "info", "debug"),
    "max_size": int,
    "key": bool,
    "crypto": bool,
    "payload": bool,
    "verbose?": bool,
}
LOGS = {
    "layers": MapOf(LAYER),
    "count": int,
    "rotate?": NUMBER,
    "rotate_count?": NUMBER,
    "path?": str,
    "locked?": bool,
}
ENTRY = {
    "data": [str],
    "timestamp": NUMBER,
    "layer": str,
    "level": OneOf("error", "warn", "info", "debug"),
    "dir?": OneOf("UL", "DL", "FROM", "TO"),
    "ue_id?": NUMBER,
    "src": str,
    "idx": int,
}
USER = {
    "impi": str,
    "force_sms_over_sg?": bool,
    "bindings": [
        {
            "uri": str,
            "impu": [str],
            "q": NUMBER,
            "video?": bool,
            "sms?": bool,
            "imei?": str,
            "expires": int,
        }
    ],
    "dialogs": [{"remote": str}],
    "sms": int,
}
MEDIA = {
    "type": OneOf("audio", "video", "text"),
    "qos": OneOf("disabled", "required", "pending", "erab_set"),
    "dir": OneOf("sendrecv", "sendonly", "recvonly", "inactive"),
    "rtp_addr": str,
    "rtp_recv_count": int,
    "rtp_send_count": int,
    "rtp_block?": bool,
    "rtcp_addr": str,
    "rtcp_recv_count": int,
    "rtcp_send_count": int,
    "rtcp_block?": bool,
}
DIALOG_STATE = OneOf("init", "ringing", "start", "hold", "stop")
DIALOG = {
    "session_id": str,
    "state": DIALOG_STATE,
    "type": OneOf("server", "echo", "mt call"),
    "to": str,
    "from": str,
    "mt_dialog?": str,
    "mo_dialog?": str,
    "date": int,
    "duration": NUMBER,
    "event_list": [{"type": OneOf("state", "send", "recv"), "timestamp": NUMBER, "state": DIALOG_STATE}],
    "medias": [MEDIA],
}
SA = {
    "type": OneOf("IPv4", "IPv6"),
    "dir": OneOf("in", "out"),
    "spi": NUMBER,
    "ue_id": NUMBER,
    "mode": OneOf("tunnel", "transport"),
    "src": str,
    "dst": str,
    "tun_src?": str,
    "tun_dst?": str,
    "src_prefix": NUMBER,
    "dst_prefix": NUMBER,
    "authent_key": str,
    "cipher_key": str,
}
RESPONSES: dict[str, dict[str, Any]] = {
    "config_get": {"type": OneOf("IMS"), "name": str, "logs": LOGS, "custom_headers": [dict]},
    "config_set": {"logs?": OneOf("locked")},
    "log_get": {"logs": [ENTRY], "headers?": [str], "discontinuity?": NUMBER, "microseconds?": OneOf(True)},
    "log_set": {},
    "log_reset": {},
    "license": {
        "products": str,
        "user": str,
        "validity": str,
        "id?": str,
        "id_type?": OneOf("host_id", "dongle_id"),
        "uid?": str,
        "filename?": str,
        "server?": str,
        "server_id?": str,
    },
    "quit": {},
    "help": {"messages": [str], "events": [str]},
    "stats": {
        "cpu": MapOf(NUMBER),
        "instance_id": NUMBER,
        "counters": {"messages": MapOf(int), "errors": MapOf(int)},
    },
    "register": {},
    "ipsec": {"SAs": [SA]},
    "users_get": {"users": [USER]},
    "users_add": {},
    "user_set": {},
    "impu_set": {},
    "impu_add": {},
    "impu_del": {},
    "sms": {},
    "sms_flush": {},
    "mms": {},
    "mms_server": {"address": str},
    "mt_call": {"session_id": str},
    "dialog_get": {"dialogs": [DIALOG]},
    "dialog_set": {},
    "unregister": {},
    "authenticate": {"ready": OneOf(True)},
}
ENVELOPE = {"message": str, "message_id": ANY, "time": NUMBER, "utc": NUMBER}
REQUESTS: dict[str, dict[str, Any]] = {
    "config_set": {"tcp_threshold": 1200, "logs": {"layers": {"all": {"level": "debug"}}}},
    "log_get": {"headers": True},
    "log_set": {"log": "hello", "layer": "ims", "level": "info"},
    "register": {"register": ["sms", "dialog"], "unregister": "sms"},
    "users_get": {"registered_only": True},
    "users_add": {"users": [{"imsi": "001010000000077", "K": "00" * 16, "impu": "tel:0600000077"}]},
    "user_set": {"impi": f"alice@{DOMAIN}", "force_sms_over_sg": True},
    "impu_set": {"impu": "sip:alice", "display_name": "Alice"},
    "impu_add": {"impu": "tel:0611111111", "impi": f"alice@{DOMAIN}"},
    "impu_del": {"impu": "tel:0600000001", "impi": f"alice@{DOMAIN}"},
    "sms": {"impi": f"carol@{DOMAIN}", "text": "hello", "sender": "Lab"},
    "sms_flush": {"impi": f"carol@{DOMAIN}"},
    "mt_call": {"impi": f"carol@{DOMAIN}", "caller": "Lab"},
    "dialog_set": {"session_id": "*", "action": "media", "rtp": False},
    "unregister": {"uri": "sip:carol"},
}
"""Parameters, where a message needs some."""
WORKING = sorted(name for name, state in surface.OTHERS["remote_api"].items() if state is WORKS)


@contextlib.asynccontextmanager
async def busy(served: Served) -> AsyncIterator[tuple[Peer, Dialog, Peer]]:
    """Three registered phones, two of them in a call."""
    alice, bob, _ = await served.lab.registered("alice", "bob", "carol")
    mo, _ = await connected(alice, bob)
    yield alice, mo, bob


def test_every_message_has_its_table() -> None:
    assert set(RESPONSES) == set(surface.OTHERS["remote_api"])


@pytest.mark.parametrize("name", WORKING)
async def test_each_response_has_the_fields_of_the_manual(name: str) -> None:
    async with serving(config=CALM) as served, busy(served), served.client() as client:
        response = await client.ask(name, message_id={"any": ["type"]}, **REQUESTS.get(name, {}))
        assert "error" not in response, response
        assert response["message"] == name
        assert response["message_id"] == {"any": ["type"]}
        check(response, ENVELOPE | RESPONSES[name], name)
        for shown in ("users", "dialogs", "logs", "layers"):
            assert response.get(shown) != []


# -- 6: "Origin header is mandatory ... Any value will be accepted" ------------------------------------


@pytest.mark.parametrize("origin", ["http://localhost", "null", "x", "file://"])
async def test_any_origin_is_accepted(origin: str) -> None:
    async with serving() as served, served.client(origin=origin) as client:
        assert "products" in await client.ask("license")


async def test_no_origin_is_not() -> None:
    async with serving() as served:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(served.url, proxy=None):
                pass
        assert refused.value.response.status_code == 403


# -- 6.1 Messages --------------------------------------------------------------------------------------


async def test_several_messages_in_an_array_are_answered_one_by_one_in_order() -> None:
    async with serving() as served, served.client() as client:
        await client.say(
            [{"message": name, "message_id": name} for name in ("help", "stats", "nothing", "license")]
        )
        answers = [await client.hear() for _ in range(4)]
        assert [answer["message_id"] for answer in answers] == ["help", "stats", "nothing", "license"]


async def test_start_time_delays_a_message_and_absolute_time_is_on_the_scale_of_time() -> None:
    async with serving() as served, served.client() as client:
        first = await client.ask("license")
        begin = time.monotonic()
        later = await client.ask("license", start_time=0.2)
        assert time.monotonic() - begin >= 0.19
        assert later["time"] - first["time"] >= 0.19
        at = later["time"] + 0.15
        planned = await client.ask("license", start_time=at, absolute_time=True)
        assert at - 0.001 <= planned["time"] < at + 0.1
        assert "absolute_time" not in planned
        late = await client.ask("license", start_time=0.01, absolute_time=True)
        assert late["absolute_time"] == "late"


async def test_a_loop_repeats_a_message_and_numbers_the_responses() -> None:
    async with serving() as served, served.client() as client:
        await client.say({"message": "license", "message_id": 5, "loop_count": 2, "loop_delay": 0.1})
        answers = [await client.hear() for _ in range(3)]
        assert [answer["loop_index"] for answer in answers] == [0, 1, 2]
        assert [answer["message_id"] for answer in answers] == [5, 5, 5]
        times = [answer["time"] for answer in answers]
        assert 0.19 < times[2] - times[0] < 0.35
        assert "loop_delay" in (await client.ask("license", loop_count=1))["error"]


async def test_only_a_standalone_message_survives_its_connection() -> None:
    async with serving() as served:
        async with served.client() as client:
            await client.say({"message": "config_set", "tcp_threshold": 11, "start_time": 0.2})
            await client.say(
                {"message": "config_set", "dialog_timeout": 12, "start_time": 0.2, "standalone": True}
            )
            assert "products" in await client.ask("license")
        await asyncio.sleep(0.4)
        settings = served.lab.config.current
        assert settings.tcp_threshold == 1300
        assert settings.dialog_timeout == 12


# -- 6.2 Startup ---------------------------------------------------------------------------------------


async def test_ready_comes_first() -> None:
    async with serving('com_name: "My name"') as served, served.client(ready=False) as client:
        hello = await client.hear()
        check(
            hello,
            {"message": OneOf("ready"), "type": OneOf("IMS"), "name": str, "version": str, "product?": str},
        )
        assert hello["name"] == "My name"


AUTH = 'com_name: "N", com_auth: {password: "pass:word"}'


def res(frame: dict[str, Any], password: str = "pass:word") -> str:
    key = f"{frame['type']}:{password}:{frame['name']}".encode()
    return hmac.new(key, frame["challenge"].encode(), hashlib.sha256).hexdigest()


async def test_authentication() -> None:
    async with serving(AUTH) as served, served.client(ready=False) as client:
        hello = await client.hear()
        check(
            hello,
            {"message": OneOf("authenticate"), "type": OneOf("IMS"), "name": OneOf("N"), "challenge": str},
        )
        refused = await client.ask("config_get", message_id=1)
        assert refused["error"] == "Authentication not done"
        assert refused["message_id"] == 1
        failed = await client.ask("authenticate", message_id=2, res=res(hello, "wrong"))
        check(
            failed,
            {"message": OneOf("authenticate"), "message_id": OneOf(2), "error": str, "type": OneOf("IMS")}
            | {"name": OneOf("N"), "challenge": str},
        )
        assert failed["challenge"] != hello["challenge"]
        done = await client.ask("authenticate", message_id=3, res=res(failed))
        check(done, {"message": OneOf("authenticate"), "message_id": OneOf(3), "ready": OneOf(True)})
        assert "logs" in await client.ask("config_get")


async def test_the_password_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("from file\n")
    async with (
        serving(f'com_auth: {{passfile: "{tmp_path}/pass"}}') as served,
        served.client(ready=False) as client,
    ):
        hello = await client.hear()
        assert (await client.ask("authenticate", res=res(hello, "from file")))["ready"] is True


# -- 6.3 Errors, 6.8 Examples --------------------------------------------------------------------------


async def test_the_examples_of_the_manual() -> None:
    async with serving() as served, served.client() as client:
        answer = await client.ask("config_get", message_id="foo")
        assert (answer["message"], answer["message_id"]) == ("config_get", "foo")
        assert "error" not in answer
        answer = await client.ask("bar", message_id="foo")
        assert {name: answer[name] for name in ("message_id", "message", "error")} == {
            "message_id": "foo",
            "message": "bar",
            "error": "Unknown message: bar",
        }


# -- 6.5 Common messages -------------------------------------------------------------------------------


async def test_config_set_changes_what_config_get_shows() -> None:
    values: dict[str, Any] = {
        "precondition": "silent",
        "sms_retry_delay": 5,
        "sms_expires": 60,
        "sms_hook_only": True,
        "binding_expires": 600,
        "subscribe_expires": 601,
        "auth_on_register_only": False,
        "dialog_timeout": 31,
        "p_called_party_id": True,
        "sms_forced_cp_cause": 97,
        "sms_forced_rp_cause": 41,
        "mms_expires": 61,
        "100rel": False,
        "tcp_threshold": 1000,
        "tcp_keepalive": 901,
        "tcp_keepcount": 3,
    }
    structured: dict[str, Any] = {
        "session_expires": {"duration": 600, "min": 91},
        "sms_message_filter": {"cp_data": {"action": "ignore"}},
        "custom_headers": [{"name": "X-A", "value": "b", "methods": ["INVITE"]}],
        "logs": {"layers": {"SIP": {"level": "warn", "max_size": 7}}, "rotate": 1000000},
    }
    assert set(values) | set(structured) == set(surface.CONFIG_SET)
    async with serving() as served, served.client() as client:
        before = await client.ask("config_get")
        for name, value in (values | structured).items():
            assert "error" not in await client.ask("config_set", **{name: value})
        after = await client.ask("config_get")
        for name, value in values.items():
            assert before.get(name) != value
            assert after[name] == value
        assert after["session_expires"]["duration"] == 600
        assert after["sms_message_filter"]["cp_data"] == {"action": "ignore"}
        assert after["custom_headers"][0]["name"] == "X-A"
        assert after["logs"]["layers"]["SIP"]["level"] == "warn"
        assert after["logs"]["layers"]["SIP"]["max_size"] == 7
        assert after["logs"]["rotate"] == 1000000


async def test_a_locked_log_is_said_to_be_locked() -> None:
    async with serving("com_log_lock: true") as served, served.client() as client:
        assert (await client.ask("config_get"))["logs"]["locked"] is True
        answer = await client.ask("config_set", logs={"layers": {"all": {"level": "none"}}})
        assert answer["logs"] == "locked"


async def test_log_get_long_polls_per_connection() -> None:
    config = CONFIG.replace("all.max_size=1", "all.max_size=1,com.level=none")
    async with serving(config=config) as served, served.client() as one, served.client() as two:
        ims = served.lab.log.layer("ims")
        assert (await one.ask("log_get", allow_empty=True, timeout=0.05))["logs"] == []
        begin = time.monotonic()
        await one.say({"message": "log_get", "message_id": "waits", "min": 2, "timeout": 5})
        ims.info("first")
        await asyncio.sleep(0.1)
        ims.info("second")
        answer = await one.hear()
        assert answer["message_id"] == "waits"
        assert time.monotonic() - begin < 2
        assert [entry["data"] for entry in answer["logs"]] == [["first"], ["second"]]
        assert [entry["data"] for entry in (await two.ask("log_get"))["logs"]] == [["first"], ["second"]]
        # "If a request is sent before previous request has been replied, previous request will be replied
        # right now without considering specific min/max/timeout conditions."
        await one.say({"message": "log_get", "message_id": 1})
        await one.say({"message": "log_get", "message_id": 2})
        answer = await one.hear()
        assert (answer["message_id"], answer["logs"]) == (1, [])
        ims.info("third")
        assert (await one.hear())["message_id"] == 2


async def test_timestamps_in_microseconds() -> None:
    async with serving("com_log_us: true") as served, served.client() as client:
        answer = await client.ask("log_get")
        assert answer["microseconds"] is True
        assert all("timestamp" not in entry and entry["timestamp_us"] > 1e15 for entry in answer["logs"])


async def test_stats_begin_anew_with_each_call() -> None:
    async with serving() as served, served.client() as client:
        await served.lab.registered("alice")
        first = await client.ask("stats")
        second = await client.ask("stats")
        assert first["counters"]["messages"]["sip_register"] == 1
        assert "sip_register" not in second["counters"]["messages"]
        assert first["instance_id"] == second["instance_id"]


async def test_help_lists_what_there_is() -> None:
    async with serving() as served, served.client() as client:
        answer = await client.ask("help")
        assert set(answer["messages"]) == set(WORKING) - {"authenticate"}
        assert set(answer["events"]) == {"sms", "users_update", "dialog", "invite"}
        for name in answer["messages"]:
            if name != "quit":
                shown = await client.ask(name, **REQUESTS.get(name, {}))
                assert not str(shown.get("error", "")).startswith("Unknown message")


# -- 6.7 Events ----------------------------------------------------------------------------------------


async def test_events_have_the_fields_of_the_manual() -> None:
    remote = CALM.replace('"tel:666"', '{impu: "tel:666", remote_control: true}')
    async with serving(config=remote) as served, served.client() as client:
        assert "error" not in await client.ask("register", register=["users_update", "dialog", "invite"])
        async with busy(served) as (alice, mo, bob):
            await hung_up(alice, mo, bob)
            call = alice.send("INVITE", "tel:666", body=alice.sdp())
            await call.response(180)
            seen: dict[str, dict[str, Any]] = {}
            while len(seen) < 3:
                event = await client.hear()
                seen[event["message"]] = event
                check(event, {"message": str, "time": NUMBER})
                if event["message"] == "dialog":
                    check(event["dialog"], DIALOG, "dialog")
                elif event["message"] == "users_update":
                    check(event["users_update"], [USER], "users_update")
                else:
                    check(event, {"session_id": str}, "invite")
            await client.say(
                {
                    "message": "dialog_set",
                    "session_id": seen["invite"]["session_id"],
                    "action": "answer",
                    "code": 603,
                }
            )
            assert (await call.final()).status == 603


async def test_the_sms_event_has_the_fields_of_the_manual() -> None:
    async with serving(config=CALM) as served, served.client() as client:
        await client.ask("register", register="sms")
        (alice,) = await phones(served.lab, "alice")
        submitted = asyncio.ensure_future(alice.accepted(alice.submit("0600000002", "Grüße")))
        event = await client.hear()
        await submitted
        check(
            event,
            {"message": OneOf("sms"), "sender": str, "destination": str, "text": OneOf("Grüße")}
            | {"dcs": int, "date": int, "time": NUMBER},
        )
        assert "0600000001" in event["sender"]
        assert "0600000002" in event["destination"]


# -- behaviour that clients rely on (not in the manual) ------------------------------------------------


async def test_a_client_that_sends_before_it_reads_gets_ready_and_then_its_answer() -> None:
    """The first of two: it opens, sends at once, throws the first frame away, the second is its answer."""
    async with (
        serving(config=CALM) as served,
        busy(served),
        connect(served.url, origin="http://x", proxy=None) as socket,  # type: ignore[arg-type]
    ):
        await socket.send(json.dumps({"message": "users_get"}))
        assert json.loads(await socket.recv())["message"] == "ready"
        answer = json.loads(await socket.recv())
        assert answer["message"] == "users_get"
        assert "message_id" not in answer


async def test_nothing_comes_between_a_request_and_its_answer_while_others_listen_to_events() -> None:
    """The second: one connection for everything, no message_id, each frame answers the last request."""
    async with serving(config=CALM) as served, served.client() as other, served.client() as client:
        await other.ask("register", register=["users_update", "dialog", "invite", "sms"])
        async with busy(served) as (alice, mo, bob):
            for name in ("config_get", "users_get", "dialog_get", "stats", "license") * 3:
                assert (await client.ask(name))["message"] == name
                await asyncio.sleep(0.01)
            await hung_up(alice, mo, bob)
            for name in ("dialog_get", "stats"):
                assert (await client.ask(name))["message"] == name
        assert len(await drained(other)) >= 6


async def drained(client: Client) -> list[dict[str, Any]]:
    """Everything that comes until nothing does for a while."""
    frames = []
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.3):
                frames.append(json.loads(await client.socket.recv()))
    return frames


async def test_invalid_json_gets_an_error_and_the_connection_stays() -> None:
    async with serving() as served, served.client() as client:
        for text in ("{", "", "{'message': 'help'}", '{"message": NaN}', "[1, 2", "\x00"):
            await client.say(text)
            assert "error" in await client.hear()
        assert "products" in await client.ask("license")
