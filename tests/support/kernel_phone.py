"""A program for a guest: scripted phones with IPsec in their kernel, against a real server.

    python kernel_phone.py SERVER SERVER6 HOST HOST HOST6 HOST6

The addresses are those of the server and of the phones. Everything that a phone does in its registered
life is done once, each phone with other algorithms; prints what was answered, a line for each step.
"""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request
from libreims.run import LoopClock
from support.lab import USERS
from support.protected import ProtectedNetwork
from support.secure_phone import SecurePhone
from support.xfrm import XfrmTunnel

PAIRS = (
    ("hmac-sha-1-96", "aes-cbc"),
    ("null", "aes-gcm"),
    ("hmac-md5-96", "des-ede3-cbc"),
    ("aes-gmac", "null"),
)
TRANSPORTS = ("UDP", "TCP", "TCP", "UDP")


class KernelPhone(SecurePhone):
    """A scripted phone on the sockets and with the IPsec of this machine."""

    def __init__(self, lab: Any, number: int, host: str, server: str) -> None:
        super().__init__(lab, USERS[number], host, TRANSPORTS[number])
        self.tunnel = XfrmTunnel(asyncio.get_running_loop())  # type: ignore[assignment]
        self.server = self.peer_port = (server, 5060)
        self.pair = PAIRS[number]

    def propose(self, pairs: tuple[tuple[str, str], ...] = (), port_c: int = 0) -> str:
        return super().propose(pairs or (self.pair,), port_c)

    async def enrol(self) -> None:
        """Register with a new agreement."""
        self.tell("REGISTER", (await self.secure()).status)

    def tell(self, what: str, status: int) -> None:
        print(self.name, what, status, flush=True)


async def text(sender: KernelPhone, receiver: KernelPhone) -> None:
    """A MESSAGE through both associations of both phones."""
    sent = sender.send("MESSAGE", f"sip:{receiver.name}@ims.test", [("Content-Type", "text/plain")], b"hi")
    arrived = await receiver.expect("MESSAGE")
    assert arrived.request.body == b"hi"
    receiver.respond(arrived, 200)
    sender.tell(f"MESSAGE to {receiver.name}", (await sent.final()).status)


async def call_echo(phone: KernelPhone) -> Dialog:
    """A call that stands."""
    call = phone.send("INVITE", "tel:666", body=phone.sdp())
    answer = await call.final()
    phone.tell("INVITE", answer.status)
    return phone.ack(call, answer)


async def hang_up(phone: KernelPhone, dialog: Dialog) -> None:
    """Its end."""
    phone.tell("BYE", (await phone.in_dialog(dialog, "BYE").final()).status)


async def notified(phone: KernelPhone) -> None:
    """The server's own request, which comes to our protected server port."""
    request: Request = phone.build(
        "SUBSCRIBE", f"sip:{phone.name}@ims.test", [("Event", "reg"), ("Expires", "600")]
    )
    phone.tell("SUBSCRIBE", (await phone.send_request(request).final()).status)
    notify = await phone.expect("NOTIFY")
    phone.respond(notify, 200)
    phone.tell("NOTIFY", 200)


async def main(server: str, server6: str, *hosts: str) -> None:
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop)
    lab = SimpleNamespace(
        loop=clock, network=SocketNetwork(loop), inside=ProtectedNetwork(clock), log_text=lambda: ""
    )
    phones = [
        KernelPhone(lab, number, host, server6 if ":" in host else server)
        for number, host in enumerate(hosts)
    ]
    for phone in phones:
        await phone.start()
        await phone.enrol()
        await notified(phone)
    for sender, receiver in zip(phones, [*phones[1:], phones[0]], strict=True):
        await text(sender, receiver)
    for phone in phones:
        await hang_up(phone, await call_echo(phone))
        dialog = await call_echo(phone)
        await (
            phone.enrol()
        )  # new associations beside the old ones, which still stand, in the middle of a call
        await hang_up(phone, dialog)
    for phone in phones:
        phone.tell("leave", (await phone.refresh(Expires="0")).status)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
