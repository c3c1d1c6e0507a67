"""Registration and its subscription through the whole server: order on the wire, a day of refreshes, loss."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

import pytest

from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.digest import Challenge, Credentials, response
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from support.lab import CONFIG, DOMAIN, SERVER, Lab, Peer, play

MD5 = CONFIG.replace('authent_type: "none"', 'pwd: "secret", authent_qop: "auth"')
REG = (("Event", "reg"), ("Expires", "600000"))


def events(request: Request) -> list[str]:
    """The contact events of a document, of its first IMPU."""
    return [contact.attrib["event"] for contact in ET.fromstring(request.body.decode())[0]]


async def notified(phone: Peer, status: int = 200) -> Request:
    transaction = await phone.expect("NOTIFY")
    phone.respond(transaction, status)
    return transaction.request


async def subscribed(phone: Peer, uri: str = "") -> Request:
    outcome = phone.send("SUBSCRIBE", uri or f"sip:{phone.name}@{DOMAIN}", REG)
    assert (await outcome.final()).status == 200
    return await notified(phone)


def received(lab: Lab, phone: Peer) -> list[str]:
    """Status or method of each message that was sent to a phone."""
    messages = [
        parse(packet.data) for packet in lab.network.trace or () if packet.destination == phone.address
    ]
    return [str(each.status) if isinstance(each, Response) else each.method for each in messages]


@pytest.mark.parametrize("uri", ["", "tel:0600000001"])
def test_a_day_of_a_phone(uri: str) -> None:
    """Refreshes every half hour; the subscription lives on; when the phone goes silent all of it ends."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        first = await subscribed(alice, uri)
        assert events(first) == ["registered"]
        for number in range(1, 49):
            await asyncio.sleep(1800)
            request = alice.build(
                "REGISTER",
                f"sip:{DOMAIN}",
                (("CSeq", f"{number + 1} REGISTER"), ("Call-ID", "day"), ("Expires", "3600")),
                to=f"<sip:alice@{DOMAIN}>",
            )
            assert (await alice.send_request(request).final()).status == 200
            assert events(await notified(alice)) == ["refreshed"]
        assert len(lab.server.bindings) == 1 and len(lab.server.reg_event) == 1
        await asyncio.sleep(3590)
        assert not alice.incoming
        last = await notified(alice)
        assert events(last) == ["expired"]
        assert last.get("Subscription-State") == "terminated;reason=noresource"
        await asyncio.sleep(1)
        assert len(lab.server.bindings) == 0 and len(lab.server.reg_event) == 0

    play(scenario)


def test_answers_leave_before_notifications() -> None:
    """RFC 6665 §4.2.1.2: the response to SUBSCRIBE first; phones expect the same of REGISTER."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        await subscribed(alice)
        await asyncio.sleep(10)
        await alice.register()
        await notified(alice)
        await alice.register(expires=0)
        await notified(alice)
        assert received(lab, alice) == ["200"] + ["200", "NOTIFY"] * 3

    play(scenario, trace=True)


def test_refresh_and_end_in_the_dialog() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        outcome = alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", (("Event", "reg"), ("Expires", "60")))
        answer = await outcome.final()
        assert outcome.transaction is not None
        dialog = Dialog.from_response(outcome.transaction.request, answer)
        await notified(alice)
        for _ in range(3):
            await asyncio.sleep(50)
            refresh = alice.in_dialog(dialog, "SUBSCRIBE", headers=(("Event", "reg"), ("Expires", "60")))
            assert (await refresh.final()).get("Expires") == "60"
            assert (await notified(alice)).get("Subscription-State") == "active;expires=60"
        end = alice.in_dialog(dialog, "SUBSCRIBE", headers=(("Event", "reg"), ("Expires", "0")))
        assert (await end.final()).status == 200
        assert (await notified(alice)).get("Subscription-State") == "terminated;reason=timeout"
        await asyncio.sleep(1)
        late = alice.in_dialog(dialog, "SUBSCRIBE", headers=(("Event", "reg"), ("Expires", "60")))
        assert (await late.final()).status == 481
        assert len(lab.server.reg_event) == 0 and len(lab.server.bindings) == 1

    play(scenario)


def test_a_phone_that_is_gone_is_notified_once() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        await subscribed(alice)
        await asyncio.sleep(1)
        alice.transport.close()
        lab.server.registrar.unregister(alice.uri)
        await asyncio.sleep(64 * 0.5 + 5)
        assert len(lab.server.reg_event) == 0
        assert "does not answer a NOTIFY" in lab.log_text()

    play(scenario)


def test_a_phone_that_lost_its_subscription_says_so() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        await subscribed(alice)
        await asyncio.sleep(10)
        await alice.register()
        await notified(alice, 481)
        await asyncio.sleep(1)
        assert len(lab.server.reg_event) == 0 and len(lab.server.bindings) == 1

    play(scenario)


def test_loss_and_duplication_leave_nothing_behind() -> None:
    async def scenario(lab: Lab) -> None:
        phones = [await lab.peer(name) for name in ("alice", "bob", "carol", "dave")]
        for round_ in range(5):
            answers = await asyncio.gather(*(phone.register(expires=300) for phone in phones))
            assert {answer.status for answer in answers} == {200}, round_
        await asyncio.gather(*(subscribed(phone) for phone in phones))
        assert len(lab.server.reg_event) == 4
        await asyncio.gather(*(phone.register(expires=0) for phone in phones))
        await asyncio.gather(*(notified(phone) for phone in phones))
        await asyncio.sleep(60)
        assert len(lab.server.reg_event) == 0 and len(lab.server.bindings) == 0

    play(scenario, loss=0.1, duplicate=0.1)


def authorized(phone: Peer, challenge: Challenge, count: int, password: bytes = b"secret") -> str:
    uri, nc = f"sip:{DOMAIN}", f"{count:08x}"
    username = f"{phone.name}@{DOMAIN}"
    value = response(
        algorithm="MD5",
        username=username,
        realm=challenge.realm,
        password=password,
        method="REGISTER",
        uri=uri,
        nonce=challenge.nonce,
        qop="auth",
        nc=nc,
        cnonce="c",
    )
    text = (
        f'Digest username="{username}", realm="{challenge.realm}", nonce="{challenge.nonce}", uri="{uri}", '
        f'response="{value}", algorithm=MD5, qop=auth, nc={nc}, cnonce="c"'
    )
    assert Credentials.parse(text).username == username
    return text


def test_digest_from_the_first_register_to_the_last() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        challenged = await alice.register()
        assert challenged.status == 401 and len(lab.server.bindings) == 0
        challenge = Challenge.parse(challenged.get("WWW-Authenticate") or "")
        wrong = await alice.register(Authorization=authorized(alice, challenge, 1, b"guess"))
        assert wrong.status == 401 and len(lab.server.bindings) == 0
        challenge = Challenge.parse(wrong.get("WWW-Authenticate") or "")
        answer = await alice.register(Authorization=authorized(alice, challenge, 1))
        assert answer.status == 200
        assert answer.get("Service-Route") == f"<sip:orig@{SERVER}:5060;lr>"
        assert answer.get("P-Associated-URI") == "<sip:alice@ims.test>, <tel:0600000001>"
        assert answer.get("Contact") == f"<{alice.uri}>;expires=3600"
        await asyncio.sleep(30)
        assert (await alice.register(Authorization=authorized(alice, challenge, 2))).status == 200
        assert (await alice.register(expires=0, Authorization=authorized(alice, challenge, 3))).status == 200
        assert len(lab.server.bindings) == 0

    play(scenario, MD5)


def test_every_refusal_says_why() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        nobody = await lab.peer("nobody")
        assert (await nobody.register()).status == 404
        assert (await alice.register(expires=3)).status == 423
        assert (
            await alice.register(Authorization='Digest username="alicia@ims.test", nonce=""')
        ).status == 403
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 403
        assert (await alice.register()).status == 200
        assert (await alice.send("SUBSCRIBE", f"sip:bob@{DOMAIN}", REG).final()).status == 403
        assert (
            await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", (("Event", "presence"),)).final()
        ).status == 489
        text = lab.log_text()
        for words in (
            "Nobody in ue_db has the IMPU sip:nobody@ims.test",
            "the shortest registration is 30 s",
            "no user with the IMPI alicia@ims.test: the closest one configured is alice@ims.test",
            "a phone must register first",
            "which is not its own",
            "the event presence",
        ):
            assert words in text, words

    play(scenario, settle=3700.0)


@pytest.mark.parametrize("header", ["Require", "Proxy-Require"])
def test_a_phone_that_requires_ipsec_is_told_how_to_register(header: str) -> None:
    """behaviour of the field: `ipsec: false` is the switch; without it the refusal names it."""

    async def refused(lab: Lab) -> None:
        alice = await lab.peer("alice")
        answer = await alice.register(**{header.replace("-", "_"): "sec-agree"})
        assert (answer.status, answer.get("Unsupported")) == (420, "sec-agree")
        assert "set 'ipsec: false'" in lab.log_text()

    async def unauthenticated(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert (await alice.register(**{header.replace("-", "_"): "sec-agree"})).status == 200
        assert "without authentication there are no keys" in lab.log_text()

    async def accepted(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert (await alice.register(**{header.replace("-", "_"): "sec-agree"})).status == 200

    play(refused, MD5)
    play(refused, MD5, no_tunnel="CAP_NET_RAW is missing")
    play(unauthenticated)
    play(accepted, CONFIG + "\nipsec: false,")
