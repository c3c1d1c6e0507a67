"""Calls for tests of what the remote API and IMPUs do to them."""

from __future__ import annotations

import asyncio

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Message
from support.lab import CONFIG, DOMAIN, Peer


def described(message: Message) -> SessionDescription:
    return SessionDescription.parse(message.body)


def with_echo(properties: str) -> str:
    return CONFIG.replace('echo: ["tel:666"', f'echo: [{{ impu: "tel:777", {properties} }}, "tel:666"')


def with_bob(properties: str) -> str:
    return CONFIG.replace('impu: ["sip:bob"', f'impu: [{{ impu: "sip:bob", {properties} }}')


async def connected(caller: Peer, callee: Peer, media: tuple[str, ...] = ("audio",)) -> tuple[Dialog, Dialog]:
    call = caller.send("INVITE", f"sip:{callee.name}@{DOMAIN}", body=caller.sdp(media=media))
    invite = await callee.expect("INVITE")
    callee.respond(invite, 180)
    await call.response(180)
    callee.respond(invite, 200, callee.sdp(media=media))
    mo = caller.ack(call, await call.response(200))
    await callee.expect_ack()
    await asyncio.sleep(0.1)
    return mo, callee.answered(invite)


async def echoed(alice: Peer, number: str = "tel:666", **description: object) -> tuple[Dialog, Message]:
    call = alice.send("INVITE", number, body=alice.sdp(**description))
    answer = await call.response(200)
    mo = alice.ack(call, answer)
    await asyncio.sleep(0.1)
    return mo, answer


async def hung_up(caller: Peer, mo: Dialog, callee: Peer | None = None) -> None:
    bye = caller.in_dialog(mo, "BYE")
    assert (await bye.final()).status == 200
    if callee is not None:
        callee.respond(await callee.expect("BYE"), 200)
