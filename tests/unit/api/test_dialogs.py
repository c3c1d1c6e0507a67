"""`api.dialogs`: calls through the table, with the fields and types of the manual (§6.6)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Message
from support.api import ask, error
from support.callflow import connected
from support.calls import CONFIG_PATIENT
from support.lab import CONFIG, Lab, Peer, play

DIALOG = {
    "session_id": str,
    "state": str,
    "type": str,
    "to": str,
    "from": str,
    "date": int,
    "duration": float,
    "event_list": list,
    "medias": list,
}
PEERS = {"mt_dialog": str, "mo_dialog": str}
EVENT = {"type": str, "timestamp": float, "state": str}
MEDIA = {
    "type": str,
    "qos": str,
    "dir": str,
    "rtp_addr": str,
    "rtp_recv_count": int,
    "rtp_send_count": int,
    "rtp_block": bool,
    "rtcp_addr": str,
    "rtcp_recv_count": int,
    "rtcp_send_count": int,
    "rtcp_block": bool,
}


def typed(value: dict[str, Any], types: dict[str, type], optional: dict[str, type] | None = None) -> None:
    allowed = types | (optional or {})
    assert types.keys() <= value.keys() <= allowed.keys()
    for name, member in value.items():
        assert isinstance(member, allowed[name]), name


async def called(lab: Lab, bob: Peer, **parameters: Any) -> tuple[str, Dialog, Message]:
    """A call of the server to bob that is on."""
    response = await ask(lab, "mt_call", **({"impi": "bob@ims.test"} | parameters))
    invite = await bob.expect("INVITE")
    bob.respond(invite, 200, bob.sdp())
    await bob.expect_ack()
    await asyncio.sleep(0.1)
    return response["session_id"], bob.answered(invite), invite.request


async def dialogs(lab: Lab, **parameters: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await ask(lab, "dialog_get", **parameters))["dialogs"]
    return listed


async def stopped(lab: Lab, bob: Peer, **parameters: Any) -> str:
    """`stop` of a call; the Reason in the BYE."""
    assert "error" not in await ask(lab, "dialog_set", session_id="*", action="stop", **parameters)
    bye = await bob.expect("BYE")
    bob.respond(bye, 200)
    return bye.request.get("Reason") or ""


def test_dialog_get_has_the_fields_of_the_manual() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        assert await dialogs(lab) == []
        mo, mt = await connected(alice, bob)
        listed = await dialogs(lab)
        for dialog in listed:
            typed(dialog, DIALOG, PEERS)
            for event in dialog["event_list"]:
                typed(event, EVENT, {"message": str})
                assert event["type"] in ("state", "send", "recv")
            for media in dialog["medias"]:
                typed(media, MEDIA)
        first, second = listed
        assert (first["type"], first["from"], first["to"]) == ("server", "sip:alice", "sip:bob")
        assert first["mt_dialog"] == second["session_id"] and "mo_dialog" not in first
        assert second["mo_dialog"] == first["session_id"] and "mt_dialog" not in second
        assert await dialogs(lab, session_id=second["session_id"]) == [second]
        assert await dialogs(lab, session_id="nothing") == []
        assert first["event_list"][1]["message"] == "INVITE"
        bye = bob.in_dialog(mt, "BYE")
        assert (await bye.final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)
        await asyncio.sleep(20)
        assert [each["state"] for each in await dialogs(lab)] == ["stop", "stop"]
        await asyncio.sleep(11)
        assert await dialogs(lab) == []
        mo.terminate()

    play(scenario)


@pytest.mark.parametrize(
    "callee",
    [
        {"impi": "bob@ims.test"},
        {"impi": None, "impu": "0600000002"},
        {"impi": None, "contact": "sip:bob@10.0.1.1:5060"},
    ],
)
def test_mt_call_by_each_name(callee: dict[str, str | None]) -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session, dialog, invite = await called(lab, bob, **callee, caller="Lab")
        assert invite.from_.display == "Lab"
        (listed,) = await dialogs(lab)
        assert (listed["session_id"], listed["type"], listed["from"]) == (session, "mt call", "Lab")
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_mt_call_with_duration_and_file(tmp_path: Path) -> None:
    (tmp_path / "call.sdp").write_text(
        "v=0\r\no=- 1 1 IN IP4 9.9.9.9\r\ns=from a file\r\nt=0 0\r\nm=audio 1 RTP/AVP 8\r\n"
    )

    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        lab.config.directory = str(tmp_path)
        for name in ("sdp_file", "sip_file"):
            _, _, invite = await called(lab, bob, **{name: "call.sdp"}, duration=3)
            assert b"s=from a file" in invite.body
            begin = lab.loop.time()
            bob.respond(await bob.expect("BYE"), 200)
            assert 2.5 < lab.loop.time() - begin < 3.5
        assert "call2.sdp cannot be read" in await error(
            lab, "mt_call", impi="bob@ims.test", sdp_file="call2.sdp"
        )

    play(scenario)


def test_mt_call_that_cannot_be() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("bob")
        assert "one of impi, impu and contact is needed" in await error(lab, "mt_call")
        assert "is not registered now" in await error(lab, "mt_call", impi="alice@ims.test")
        assert "for emergency calls" in await error(lab, "mt_call", impi="bob@ims.test", sos=True)
        assert "duration: 0 is out of range" in await error(lab, "mt_call", impi="bob@ims.test", duration=0)
        assert await error(lab, "mt_call", impi=7) == "impi: string expected, not a number"
        assert await dialogs(lab) == []

    play(scenario)


def test_stop() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        await called(lab, bob)
        reason = await stopped(lab, bob, code=16, reason="so it is", reason_protocol="Q.850")
        assert reason == 'Q.850;cause=16;text="so it is"'
        assert "no dialog is on" in await error(lab, "dialog_set", session_id="*", action="stop")
        assert "'jump' is none of stop" in await error(lab, "dialog_set", session_id="*", action="jump")
        missing = await error(lab, "dialog_set")
        assert "session_id: string expected" in missing and "action: string expected" in missing

    play(scenario)


def test_hold_and_reinvite(tmp_path: Path) -> None:
    (tmp_path / "two.sdp").write_text(
        "v=0\r\no=- 1 1 IN IP4 9.9.9.9\r\ns=two\r\nt=0 0\r\nm=audio 1 RTP/AVP 8\r\nm=video 1 RTP/AVP 96\r\n"
    )

    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session, _, _ = await called(lab, bob)

        async def changed(answer: bytes = b"", **parameters: Any) -> bytes:
            assert "error" not in await ask(lab, "dialog_set", session_id=session, **parameters)
            invite = await bob.expect("INVITE")
            bob.respond(invite, 200, answer or bob.sdp())
            await bob.expect_ack()
            await asyncio.sleep(0.1)
            return invite.request.body

        held = await changed(bob.sdp(direction="recvonly"), action="hold")
        assert b"a=sendonly" in held
        assert (await dialogs(lab))[0]["state"] == "hold"
        assert b"a=sendonly" not in await changed(action="hold")
        assert (await dialogs(lab))[0]["state"] == "start"
        assert b"m=audio" in await changed(action="reinvite")
        both = bob.sdp(media=("audio", "video"))
        assert b"m=video" in await changed(both, action="reinvite", sdp_file=f"{tmp_path}/two.sdp")
        assert b"m=video 0 " in await changed(
            bob.sdp(media=("audio", "-video")), action="downgrade", media="video"
        )
        await stopped(lab, bob)

    play(scenario)


def test_media() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        await called(lab, bob)
        blocked = ("rtp_block", "rtcp_block")
        for parameters, state in (
            ({"rtp": False}, (True, False)),
            ({"rtcp": False, "media": "audio"}, (True, True)),
            ({"rtp": True, "rtcp": True}, (False, False)),
        ):
            assert "error" not in await ask(lab, "dialog_set", session_id="*", action="media", **parameters)
            (media,) = (await dialogs(lab))[0]["medias"]
            assert tuple(media[name] for name in blocked) == state
        assert "nothing to change" in await error(lab, "dialog_set", session_id="*", action="media")
        wrong = await error(lab, "dialog_set", session_id="*", action="media", rtp="no")
        assert wrong == 'rtp: true or false expected, not "no"'
        await stopped(lab, bob)

    play(scenario)


REMOTE = CONFIG.replace('echo: ["tel:666"', 'echo: [{ impu: "tel:777", remote_control: true }, "tel:666"')


@pytest.mark.parametrize("name", ["dialog_set", "dialog_answer"])
def test_answer(name: str) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        action = {"action": "answer"} if name == "dialog_set" else {}
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        await call.response(180)
        (dialog,) = await dialogs(lab)
        assert (dialog["type"], dialog["state"]) == ("echo", "ringing")
        assert "error" not in await ask(lab, name, session_id=dialog["session_id"], code=603, **action)
        assert (await call.final()).status == 603
        call = alice.send("INVITE", "tel:777", body=alice.sdp())
        await call.response(180)
        assert "error" not in await ask(lab, name, session_id="*", **action)
        mo = alice.ack(call, await call.response(200))
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200

    play(scenario, REMOTE)


TIMED = CONFIG_PATIENT + 'session_expires: { duration: 90, min: 90, refresher: "uac", force: true },'


def test_session_expires_stop() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        response = await ask(lab, "mt_call", impi="bob@ims.test")
        invite = await bob.expect("INVITE")
        timer = [
            ("Session-Expires", "90;refresher=uac"),
            ("Require", "timer"),
            ("Allow", "INVITE, UPDATE, BYE"),
        ]
        bob.respond(invite, 200, bob.sdp(), headers=timer)
        await bob.expect_ack()
        bob.respond(await bob.expect("UPDATE"), 200, headers=timer)
        await asyncio.sleep(1)
        session = response["session_id"]
        assert "error" not in await ask(lab, "dialog_set", session_id=session, action="session-expires-stop")
        await asyncio.sleep(600)
        assert not bob.incoming
        await stopped(lab, bob)

    play(scenario, TIMED)


def test_ecall_info_needs_an_ecall() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        await called(lab, bob)
        assert "is no eCall" in await error(lab, "dialog_set", session_id="*", action="ecall-info")
        await stopped(lab, bob)

    play(scenario)


def test_messages_of_older_versions() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session, _, _ = await called(lab, bob)
        assert "error" not in await ask(lab, "reinvite", session_id=session)
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        await bob.expect_ack()
        assert "error" not in await ask(lab, "dialog_stop", session_id=session, code=487, reason="old")
        bye = await bob.expect("BYE")
        assert bye.request.get("Reason") == 'SIP;cause=487;text="old"'
        bob.respond(bye, 200)
        messages = (await ask(lab, "help"))["messages"]
        assert "dialog_set" in messages and "dialog_stop" not in messages

    play(scenario)
