"""What scenarios of callflow modifiers have in common: configuration, a call, what was sent when."""

from __future__ import annotations

import asyncio

from libreims.net.simulated import Packet
from libreims.proto.sip.dialog import Dialog
from support.lab import CONFIG, DOMAIN, Lab, Peer

BOB = f"sip:bob@{DOMAIN}"
IMEI = "35876543-210987-0"
INSTANCE = f'+sip.instance="<urn:gsma:imei:{IMEI}>"'


def having(user: str, *modifiers: str, more: str = "") -> str:
    """The configuration with callflow modifiers of a user's SIP IMPU."""
    entry = f'{{impu: "sip:{user}", callflow_modifier: [{", ".join(modifiers)}]}}'
    return CONFIG.replace(f'impu: ["sip:{user}"', f"impu: [{entry}") + more


async def connected(caller: Peer, callee: Peer) -> tuple[Dialog, Dialog]:
    """A call to bob that is on; the dialogs of both peers."""
    call = caller.send("INVITE", BOB, body=caller.sdp())
    invite = await callee.expect("INVITE")
    callee.respond(invite, 200, callee.sdp())
    mo = caller.ack(call, await call.response(200))
    await callee.expect_ack()
    await asyncio.sleep(0.1)
    return mo, callee.answered(invite)


def packets_to(lab: Lab, peer: Peer) -> list[Packet]:
    """Everything that the network saw on its way to a peer."""
    return [packet for packet in lab.network.trace or () if packet.destination[0] == peer.host]


def sent_to(lab: Lab, peer: Peer, start: str) -> list[float]:
    """The times at which octets that begin so left for a peer."""
    return [packet.time for packet in packets_to(lab, peer) if packet.data.startswith(start.encode())]
