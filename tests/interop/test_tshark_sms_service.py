"""tshark's eyes on every kind of short message that the server sends to phones."""

from __future__ import annotations

from pathlib import Path

from libreims.proto.sms.command import CommandType
from libreims.proto.sms.validity import EnhancedValidity
from support.api import ask
from support.lab import CONFIG, DOMAIN, Lab, play
from support.process import needs
from support.sms_capture import dissect, write_capture
from support.sms_phone import SmsPhone, phones

pytestmark = needs("tshark")

FIELDS = ("_ws.malformed", "_ws.expert.message", "gsm_a.rp.msg_type", "gsm_sms.tp-mti", "gsm_sms.sms_text")
STRAY = "Trailing stray characters"
"""tshark says so of the SIP header, which it takes to reach into the body, when that has a zero octet."""
BOB = "0600000002"
TEXTS = ("Hello", "x" * 400, "Привет, мир! 😀" * 12, "€[]{}~^\\|")


async def scenario(lab: Lab) -> list[SmsPhone]:
    """Submissions that are taken and refused, texts of all kinds, octets, reports, commands, plain text."""
    alice, bob = await phones(lab, "alice", "bob")
    (carol,) = await lab.registered("carol")

    async def received(count: int) -> None:
        for _ in range(count):
            await (await bob.receive()).acknowledge()

    await alice.accepted(alice.submit(BOB, "Hello", reference=3, status_report_request=True))
    await received(1)
    await (await alice.receive()).acknowledge()
    await alice.refused(alice.submit("0699"))
    await alice.refused(alice.submit(BOB[:-1] + "66"))
    await alice.refused(alice.command(CommandType.DELETE, 9, BOB))
    await alice.refused(alice.send_octets(b"\x00\x05\x00"))
    await alice.accepted(alice.command(CommandType.ENQUIRY, 3, BOB))
    await (await alice.receive()).acknowledge()
    await bob.register(expires=0)
    validity = EnhancedValidity.of_seconds(5)
    await alice.accepted(alice.submit(BOB, "late", status_report_request=True, validity=validity))
    await (await alice.receive()).acknowledge()
    await bob.register()
    await bob.reported(bob.memory_available())
    for text in TEXTS:
        for sender in ("Lab", "+33123456789", "0123"):
            answer = await ask(lab, "sms", impi="bob@ims.test", text=text, sender=sender)
            await received(answer["parts"])
    await ask(lab, "sms", impi="bob@ims.test", binary_hex="0605040b8423f0c0ffee", tp_udhi_present=True)
    await received(1)
    said = carol.send("MESSAGE", f"sip:bob@{DOMAIN}", [("Content-Type", "text/plain")], "Grüße".encode())
    assert (await said.final()).status == 202
    await received(1)
    return [alice, bob]


def test_tshark_understands_every_message(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    async def whole(lab: Lab) -> None:
        for each in await scenario(lab):
            bodies.extend(each.bodies)

    play(whole, CONFIG + 'sms_centre_address: { number: "+33600000000" },')
    play(whole)  # without an address of the centre
    file = tmp_path / "sms.pcap"
    write_capture(file, bodies)
    found = dissect(file, FIELDS)
    assert len(found) == len(bodies) > 70
    kinds = set()
    texts = []
    for seen, body in zip(found, bodies, strict=True):
        assert seen.all("_ws.malformed") == [], body.hex()
        assert set(seen.all("_ws.expert.message")) <= {STRAY}, (body.hex(), seen.all("_ws.expert.message"))
        assert seen.number("gsm_a.rp.msg_type") == body[0]
        kinds.add((body[0], *seen.numbers("gsm_sms.tp-mti")[:1]))
        texts += seen.all("gsm_sms.sms_text")
    deliver, status_report, submit_report = (1, 0), (1, 2), (3, 1)
    assert {deliver, status_report, submit_report, (5, 1), (5,), (3,)} <= kinds
    joined = "".join(texts)
    for text in (*TEXTS, "Grüße"):
        assert text in joined
