"""Which phones a message may go to, and where they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libreims.net.port import Flow
from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.over_ip import Attempt, place_of
from libreims.sms.pending import Pending
from libreims.users.bindings import Binding
from support.lab import CONFIG, Lab, play
from support.sms_phone import phone

PENDING = Pending(
    "m", "bob@ims.test", "sip:bob", Deliver(Address("1"), Timestamp.at(0), UserData.of_text("x")), 0, 9
)
FLOW = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.7", 5060))
BINDING = Binding("bob", "sip:bob", "sip:bob@10.0.0.7:5060", FLOW, 1, "call", 1, 0, 9)


def test_the_identity_of_an_attempt_is_its_call_id() -> None:
    id = "0123456789abcdef"
    this = Attempt(id, "ff00")
    assert Attempt.of(str(this)) == this
    assert Attempt.of(f" {id}-ff00 ") == this
    for other in ("", id, f"{id}-", "12ab-ff00", f"{id}0-ff00", f"{id.upper()}-ff00"):
        assert Attempt.of(other) is None, other


def test_the_order_of_phones() -> None:
    async def scenario(lab: Lab) -> None:
        parameters = (";q=0.5", ";q=0.5;+g.3gpp.smsip", ";q=0.9", ";q=0.5", ";sos;q=1")
        for each in parameters:
            made = await phone(lab, "bob")
            uri = f"{made.peer.uri};sos" if each.startswith(";sos") else made.peer.uri
            assert (await made.peer.register(contact=f"<{uri}>{each.replace(';sos', '')}")).status == 200
        bearer = lab.server.sms.centre.bearer
        found = bearer.phones(PENDING)
        assert [each.name.rpartition(".")[2] for each in found] == ["3:5060", "2:5060", "4:5060", "1:5060"]
        assert [each.text_only for each in found] == [True, False, True, True]
        assert all(each.since > 0 for each in found)
        assert len(bearer.phones(replace(PENDING, sos=True))) == 1
        assert len(bearer.phones(replace(PENDING, impu=""))) == 4
        assert bearer.phones(replace(PENDING, impu="sip:nobody")) == []
        assert bearer.phones(replace(PENDING, impi="nobody", impu="")) == []

    play(scenario)


def test_why_nobody_is_there() -> None:
    async def scenario(lab: Lab) -> None:
        bearer = lab.server.sms.centre.bearer
        assert bearer.absent(PENDING) == "no phone of bob@ims.test is registered now"
        assert "for emergency calls" in bearer.absent(replace(PENDING, sos=True))
        assert bearer.absent(replace(PENDING, impu="tel:9")) == "tel:9 is no IMPU of a user any more"
        assert "has sms: false" in bearer.absent(replace(PENDING, impi="dave@ims.test", impu="sip:dave"))

    play(scenario, CONFIG.replace('"sip:dave"', '{ impu: "sip:dave", sms: false }'))


@pytest.mark.parametrize(
    ("changes", "direct"),
    [
        ({}, False),
        ({"contact": "sip:bob@192.168.1.7"}, True),
        ({"contact": "sip:bob@192.168.1.7", "path": ("<sip:p@10.0.0.7;lr>",)}, False),
        ({"contact": "sip:bob@192.168.1.7", "protected": True}, False),
    ],
)
def test_the_way_to_a_phone(changes: dict[str, object], direct: bool) -> None:
    place = place_of(replace(BINDING, **changes))  # type: ignore[arg-type]
    assert place.direct is direct
    assert place.uri == changes.get("contact", BINDING.contact)
