"""The commands of the monitor, on a whole server (manual §8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libreims.api.client import Client
from libreims.api.table import Command, Members, Parameter
from libreims.config import surface
from libreims.config.kinds import Text
from libreims.monitor.monitor import COMMANDS, Monitor
from scenario.test_ipsec import left
from support.calls import CONFIG_PATIENT
from support.lab import Lab, play
from support.secure_phone import SECURE, secure_phone


def monitor_of(lab: Lab) -> Monitor:
    return Monitor(lab.server.api)


def test_there_is_every_command_of_the_surface() -> None:
    assert set(COMMANDS) == set(surface.OTHERS["monitor"])


def test_help() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        lines = (await monitor.execute("help")).split("\n")
        assert [line.split()[0] for line in lines] == list(COMMANDS)
        assert "mt_call callee [-d duration] [sip_file] [caller]  Call a phone." in lines
        text = await monitor.execute("help mt_call")
        assert text.startswith("Syntax: mt_call callee [-d duration] [sip_file] [caller]\nCall a phone.\n")
        assert await monitor.execute("help foo") == "Error: there is no command foo"
        assert await monitor.execute("help a b") == "Syntax: help [command]"
        assert await monitor.execute("foo") == "Unknown command: foo. Type help for a list of commands."
        assert await monitor.execute("   ") == ""

    play(scenario)


@pytest.mark.parametrize(
    "line",
    [
        "mme x",
        "sms",
        "sms bob",
        "sms_flush",
        "mms a b",
        "mms_server x",
        "mt_call",
        "mt_call a b c d",
        "mt_call a -d",
        "mt_call a -d soon",
        "dialog x",
        "dialog_set 0",
        "dialog_set 0 stop 16",
        "dialog_set 0 stop code=x",
        "dialog_set 0 media rtp=maybe",
        "users bob",
        "echo x",
        "cevent x",
        "cevent help x",
        "license x",
        "ipsec x",
        "quit now",
    ],
)
def test_wrong_arguments_show_the_syntax(line: str) -> None:
    async def scenario(lab: Lab) -> None:
        name = line.split()[0]
        monitor = monitor_of(lab)
        assert await monitor.execute(line) == f"Syntax: {name} {COMMANDS[name].usage}".rstrip()
        assert not monitor.ended

    play(scenario)


def test_log_has_the_syntax_of_the_configuration(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        text = await monitor.execute(f"log file.rotate=250M,file.path={tmp_path}/")
        assert f"file.rotate={250 << 20},file.path={tmp_path}/" in text
        assert lab.log.options.rotate_size == 250 << 20
        assert "sip.level=debug" in await monitor.execute("log")
        assert "sip.level=error" in await monitor.execute("log sip.level=error")
        wrong = await monitor.execute("log sip.level=loud,ims.level=error")
        assert wrong.startswith("Error: log option 'sip.level': value 'loud' is wrong")
        assert "ims.level=debug" in await monitor.execute("log")

    play(scenario)


def test_users() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        assert await monitor.execute("users") == "None of 4 users is registered. users -a shows all."
        (alice,) = await lab.registered("alice")
        assert await monitor.execute("users") == (
            "IMPI: alice@ims.test\n"
            f"  SIP: {alice.uri}\n"
            "    IMEI:    -\n"
            "    Prio:    1\n"
            "    Expires: 3600\n"
            "    Options: -\n"
            "    IMPUs:   sip:alice@ims.test, tel:0600000001"
        )
        everybody = await monitor.execute("users -a")
        assert everybody.count("IMPI: ") == 4

    play(scenario)


def test_mt_call_and_dialogs() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        (bob,) = await lab.registered("bob")
        assert await monitor.execute("dialog") == "There is no dialog."
        assert (
            await monitor.execute("dialog_set 0 stop")
            == "Error: there is no dialog 0; type dialog for a list"
        )
        for line, name in (
            ("mt_call 0600000002", "ims"),
            ('mt_call bob@ims.test "" Lab', "Lab"),
            (f"mt_call {bob.uri} -d 100 '' 'Test Lab'", "Test Lab"),
        ):
            session = (await monitor.execute(line)).removeprefix("Session id: ")
            invite = await bob.expect("INVITE")
            assert (invite.request.from_.display or invite.request.from_.uri.user) == name
            bob.respond(invite, 200, bob.sdp())
            await bob.expect_ack()
            await asyncio.sleep(0.1)
            assert f"{session}  mt call  start" in await monitor.execute("dialog")
            index = (await monitor.execute("dialog")).split("\n")[-1].split()[0]
            assert await monitor.execute(f"dialog_set {index} media rtp=0") == "OK"
            assert next(lab.server.control.dialog_get(session)).medias[0].rtp_block
            assert await monitor.execute(f'dialog_set {index} stop code=16 reason="so it is"') == "OK"
            bye = await bob.expect("BYE")
            assert bye.request.get("Reason") == 'SIP;cause=16;text="so it is"'
            bob.respond(bye, 200)
        assert (await monitor.execute("dialog")).count(" stop ") == 3
        assert "is over" in await monitor.execute("dialog_set 0 hold")
        assert "no dialog 'nonsense'" in await monitor.execute("dialog_set nonsense hold")
        assert "is not registered" in await monitor.execute("mt_call 0600000001")
        assert "no.sdp cannot be read" in await monitor.execute("mt_call bob@ims.test no.sdp")

    play(scenario)


def test_an_index_means_the_same_until_dialogs_are_listed_again() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        alice, bob = await lab.registered("alice", "bob")
        first = alice.send("INVITE", "tel:666", body=alice.sdp())
        alice.ack(first, await first.response(200))
        await asyncio.sleep(10)
        second = bob.send("INVITE", "tel:666", body=bob.sdp())
        bob.ack(second, await second.response(200))
        await asyncio.sleep(0.1)
        assert (await monitor.execute("dialog")).count("\n") == 2
        assert await monitor.execute("dialog_set 0 stop") == "OK"
        alice.respond(await alice.expect("BYE"), 200)
        await asyncio.sleep(35)
        assert await monitor.execute("dialog_set 1 stop") == "OK"
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario, CONFIG_PATIENT)


def test_echo_cevent_license_mme() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        assert await monitor.execute("echo") == "tel:666\nsip:echo"
        await lab.registered("alice")
        counted = await monitor.execute("cevent")
        assert counted == await monitor.execute("cevent"), "to look at them changes nothing"
        assert "sip_register  1" in counted and "Errors: none" in counted
        assert "sip_invite" in await monitor.execute("cevent help msg")
        assert "sip_timeout" in await monitor.execute("cevent help error")
        assert "validity: unlimited" in await monitor.execute("license")
        assert "No MME is connected" in await monitor.execute("mme")

    play(scenario)


@pytest.mark.parametrize(
    ("line", "name", "parameters"),
    [
        (
            "sms bob@ims.test hello  you",
            "sms",
            {"impi": "bob@ims.test", "impu": "bob@ims.test", "text": "hello  you"},
        ),
        ("sms_flush bob@ims.test", "sms_flush", {"impi": "bob@ims.test"}),
        ("mms cat.jpg 1 2", "mms", {"filename": "cat.jpg", "from": "1", "to": "2"}),
        ("mms_server", "mms_server", {}),
    ],
)
def test_messages_go_through_the_table(line: str, name: str, parameters: dict[str, str]) -> None:
    """With a handler of our own in the place of the real one."""

    async def scenario(lab: Lab) -> None:
        got: list[dict[str, str]] = []

        def handler(client: Client, **given: str) -> Members:
            got.append({key.rstrip("_"): value for key, value in given.items()})
            return {"address": "there"}

        names = ("impi", "impu", "text", "filename", "from", "to")
        taken = tuple(Parameter(each, Text(), "", field="from_" if each == "from" else "") for each in names)
        lab.server.api.table._commands[name] = Command(name, "", handler, taken)
        assert await monitor_of(lab).execute(line) == "address: there"
        assert got == [parameters]

    play(scenario)


def test_sms() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        for name in ("bob@ims.test", "0600000002"):
            text = await monitor.execute(f"sms {name} See you at  six")
            assert "impi: bob@ims.test" in text and "Error" not in text
        assert "Pending SMS: 2" in await monitor.execute("users -a")
        assert await monitor.execute("sms_flush bob@ims.test") == "flushed: 2"
        assert (await monitor.execute("sms nobody hello")).startswith("Error: ")

    play(scenario)


def test_ipsec_without_any() -> None:
    async def scenario(lab: Lab) -> None:
        assert await monitor_of(lab).execute("ipsec") == "There is no security association."

    play(scenario)


def test_ipsec() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        phone = await secure_phone(lab, "alice")
        assert (await phone.secure()).status == 200
        text = await monitor.execute("users")
        for part in ("IPSec:", "Auth: ", "Cipher: ", "Local:  port_c=", "Remote: port_c=", "Source: 10.0."):
            assert part in text
        rows = (await monitor.execute("ipsec")).split("\n")
        assert {tuple(row.split()[:2]) for row in rows[1:]} == {("in", "IPv4"), ("out", "IPv4")}
        await left(phone)

    play(scenario, SECURE)


def test_what_fails_is_said() -> None:
    async def scenario(lab: Lab) -> None:
        def handler(client: Client) -> Members:
            return {"a": 1 // 0}

        lab.server.api.table._commands["license"] = Command("license", "", handler)
        text = await monitor_of(lab).execute("license")
        assert text.startswith("Error: internal error: ZeroDivisionError")

    play(scenario)


def test_quit() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        assert await monitor.execute("quit") == "" and monitor.ended
        assert "monitor ends the program" in lab.log_text()

    play(scenario)


def test_completion_knows_who_is_registered() -> None:
    async def scenario(lab: Lab) -> None:
        monitor = monitor_of(lab)
        await lab.registered("alice", "alice")
        assert monitor.complete("mt_call ")[1] == ["alice@ims.test", "alice", "0600000001"]

    play(scenario)
