"""Any octets in a MESSAGE: RP-ERROR, 4xx or 202, never a fault of the server, and what waits is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from libreims.proto.sms.rp import RpData, decode_to_phone
from support.lab import DOMAIN, Lab, play
from support.sms_corpus import Corpus
from support.sms_phone import PSI, SMS_TYPE, SmsPhone, phones

COUNT = 1500
TYPES = (
    "text/plain",
    "text/plain;charset=",
    'text/plain;charset="utf-16"',
    "text/plain; charset=utf-8; x",
    "multipart/mixed;boundary=b",
    "multipart/mixed",
    "message/cpim",
    "application/vnd.3gpp.sms;x=1",
    ";",
)


def octets(corpus: Corpus) -> Iterator[bytes]:
    """RP messages of phones with a few octets changed, cut or put in, and octets without any sense."""
    chance = corpus.random
    for body, _, _ in corpus.messages(COUNT):
        spoilt = bytearray(body)
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(spoilt) + 1)
            match chance.randrange(3):
                case 0:
                    spoilt[place : place + 1] = bytes((chance.randrange(256),))
                case 1:
                    del spoilt[place:]
                case _:
                    spoilt[place:place] = chance.randbytes(chance.randrange(4))
        spoilt[:1] = bytes((chance.choice((0, 0, 0, 2, 4, 6, spoilt[0] if spoilt else 0)),))
        yield bytes(spoilt)


async def drained(phone: SmsPhone) -> int:
    """Answer what has come; returns how many RP-ERRORs were among it."""
    errors = 0
    while phone.peer.incoming:
        transaction = phone.peer.incoming.popleft()
        phone.peer.respond(transaction, 200)
        message = decode_to_phone(transaction.request.body)
        errors += message.__class__.__name__ == "RpError"
        assert not isinstance(message, RpData) or transaction.request.get("In-Reply-To") is None
    return errors


def test_any_octets_as_rp_message() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await bob.register(expires=0)
        await alice.accepted(alice.submit("0600000002", "to be kept"))
        statuses, errors = set(), 0
        for body in octets(Corpus(1)):
            outcome = alice.send_octets(body)
            statuses.add((await outcome.final()).status)
            errors += await drained(alice)
        await asyncio.sleep(1)
        errors += await drained(alice)
        assert statuses == {202, 400}
        assert errors > COUNT / 4
        assert lab.server.counters.errors.get("internal", 0) == 0
        await bob.register()
        received = await bob.receive()
        assert received.text == "to be kept"
        lab.server.sms.control.flush("bob@ims.test")
        lab.server.sms.control.flush("alice@ims.test")

    play(scenario, settle=400)


def test_any_body_of_any_type() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        (bob,) = await phones(lab, "bob")
        chance = random.Random(3)
        for number in range(300):
            kind = (*TYPES, SMS_TYPE)[number % (len(TYPES) + 1)]
            body = chance.randbytes(chance.randrange(60))
            if kind.startswith("multipart") and chance.random() < 0.7:
                body = b"--b\r\nContent-Type: " + SMS_TYPE.encode() + b"\r\n\r\n" + body + b"\r\n--b--\r\n"
            to = chance.choice((f"sip:bob@{DOMAIN}", f"sip:carol@{DOMAIN}", PSI, "tel:0600000002"))
            outcome = alice.send("MESSAGE", to, [("Content-Type", kind)], body)
            await asyncio.sleep(0.1)
            while bob.peer.incoming:
                bob.peer.respond(bob.peer.incoming.popleft(), 200)
            while alice.incoming:
                alice.respond(alice.incoming.popleft(), 200)
            assert (await outcome.final()).status in (200, 202, 400, 404, 415, 480)
        assert lab.server.counters.errors.get("internal", 0) == 0
        for name in ("alice", "bob", "carol"):
            lab.server.sms.control.flush(f"{name}@ims.test")

    play(scenario, settle=400)
