"""What call scenarios have in common: a call set up, hung up, changed."""

from __future__ import annotations

import asyncio

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Message
from support.lab import CONFIG, DOMAIN, Outcome, Peer

CONFIG_PATIENT = CONFIG + "\ndialog_timeout: 0,"
"""No call ends by itself for silence."""

SAYS_UPDATE = (("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE, INFO, OPTIONS"),)


def described(message: Message) -> SessionDescription:
    """The SDP of a message."""
    return SessionDescription.parse(message.body)


async def connected(
    caller: Peer, callee: Peer, uri: str = "", *, headers: tuple[tuple[str, str], ...] = ()
) -> tuple[Dialog, Dialog]:
    """A call that is on; the dialogs of both peers."""
    call = caller.send("INVITE", uri or f"sip:{callee.name}@{DOMAIN}", headers, caller.sdp())
    invite = await callee.expect("INVITE")
    callee.respond(invite, 180)
    await call.response(180)
    callee.respond(invite, 200, callee.sdp(), headers)
    mo = caller.ack(call, await call.response(200))
    await callee.expect_ack()
    await asyncio.sleep(0.1)
    return mo, callee.answered(invite)


async def hung_up(caller: Peer, mo: Dialog, callee: Peer) -> None:
    """The caller ends it."""
    bye = caller.in_dialog(mo, "BYE")
    assert (await bye.final()).status == 200
    callee.respond(await callee.expect("BYE"), 200)


async def ended_by_server(*peers: Peer, reason: str = "") -> None:
    """Each of them gets a BYE."""
    for peer in peers:
        bye = await peer.expect("BYE")
        assert reason in (bye.request.get("Reason") or ""), bye.request.get("Reason")
        peer.respond(bye, 200)


def retry_after(message: Message) -> int:
    """Seconds of Retry-After."""
    value = message.get("Retry-After")
    assert value is not None, "no Retry-After"
    return int(value)


async def changed(
    asker: Peer, dialog: Dialog, other: Peer, *, method: str = "INVITE", offer: bytes, answer: bytes
) -> Outcome:
    """One side changes the call, the other accepts."""
    change = asker.in_dialog(dialog, method, offer)
    asked = await other.expect("INVITE")
    other.respond(asked, 200, answer)
    done = await change.response(200)
    if method == "INVITE":
        asker.send_ack(dialog, done.cseq.number)
    await other.expect_ack()
    await asyncio.sleep(0.1)
    return change
