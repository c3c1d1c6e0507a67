"""Which messages of a user may hold one another up."""

from __future__ import annotations

from dataclasses import replace

from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.user_data import UserData
from libreims.sms.item import Item, Line, State
from libreims.sms.pending import Pending

TEXT = Deliver(Address("1"), Timestamp.at(0), UserData.of_text("x"))
PENDING = Pending("m", "bob@ims.test", "tel:1", TEXT, 0, 9)


def test_a_message_begins_in_the_line_of_its_impu() -> None:
    item = Item(PENDING, 7)
    assert item.line == Line("tel:1", sos=False, is_text=True)
    assert item.state is State.WAITING
    assert not item.aside


def test_what_can_go_to_other_phones_waits_elsewhere() -> None:
    octets = replace(TEXT, user_data=UserData.of_octets(b"ab"), dcs=4)
    lines = {
        Item(each, 1).line
        for each in (
            PENDING,
            replace(PENDING, sos=True),
            replace(PENDING, impu=""),
            replace(PENDING, tpdu=octets),
        )
    }
    assert len(lines) == 4
