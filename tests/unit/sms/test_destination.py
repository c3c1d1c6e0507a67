"""Where a message goes, and why not."""

from __future__ import annotations

import pytest

from libreims.proto.sip.uri import Uri
from libreims.proto.sms.address import Address
from libreims.sms.destination import uri_of
from libreims.sms.errors import SmsRefused


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        (Address.of_number("+33123"), "tel:+33123"),
        (Address.of_number("0123"), "tel:0123"),
        (Address.of_text("bob"), "sip:bob@ims.test"),
        (Address.of_text("Bob B"), "sip:Bob%20B@ims.test"),
    ],
)
def test_the_uri_of_a_destination_address(address: Address, uri: str) -> None:
    found = uri_of(address, "ims.test")
    assert str(found) == uri
    assert Uri.parse(str(found)) == found


@pytest.mark.parametrize("address", [Address(""), Address.of_text("")])
def test_an_empty_address_is_refused(address: Address) -> None:
    with pytest.raises(SmsRefused) as refused:
        uri_of(address, "ims.test")
    assert (refused.value.cause, refused.value.failure) == (96, 0xC3)
