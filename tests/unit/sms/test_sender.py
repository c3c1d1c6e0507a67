"""How a sender is shown."""

from __future__ import annotations

import pytest

from libreims.proto.sip.uri import Uri
from libreims.proto.sms.address import Address, TypeOfNumber
from libreims.sms.sender import from_of, named, originator, shown, written
from libreims.users.identity import Identity


@pytest.mark.parametrize(
    ("asserted", "number"),
    [
        (("<sip:alice@ims.test>", "<tel:+33123>"), "+33123"),
        (("<sip:0600000001@ims.test;user=phone>",), "0600000001"),
        (("<sip:+33123@ims.test>",), "+33123"),
        (('"Alice" <sip:alice@ims.test>',), "alice"),
        (("<tel:+33-1-23;verstat=x>",), "+33123"),
        ((f"<tel:{'1' * 25}>",), "1" * 11),
        ((), "caller"),
    ],
)
def test_a_number_comes_before_a_name(asserted: tuple[str, ...], number: str) -> None:
    identity = Identity("<sip:caller@ims.test>", asserted)
    assert originator(identity).number == number


def test_who_hides_is_anonymous() -> None:
    address = originator(Identity("<sip:a@b>", ("<tel:1>",), hidden=True))
    assert (address.digits, address.type_of_number) == ("Anonymous", TypeOfNumber.ALPHANUMERIC)


def test_nobody_at_all() -> None:
    assert shown([]).digits == "Anonymous"
    assert shown([Uri.parse("sip:ims.test")]).digits == "Anonymous"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("LibreIMS", "LibreIMS"),
        ("twelve chars", "twelve char"),
        ("€€€€€€", "€€€€€"),
        ("日a", "?a"),
        ("", "Anonymous"),
    ],
)
def test_a_name_fits_and_can_be_written(name: str, kept: str) -> None:
    address = named(name)
    assert address.digits == kept
    assert len(address.encode_tp()) <= 12


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+33 1 23-45", "+3312345"),
        ("tel:0123", "0123"),
        ("sip:0123@ims.test;user=phone", "0123"),
        ("sip:desk@ims.test", "desk"),
        ("Lab: 7", "Lab: 7"),
        ("  Lab  ", "Lab"),
        ("*100#", "*100#"),
    ],
)
def test_what_a_person_writes(text: str, number: str) -> None:
    assert written(text).number == number


def test_from_of_an_address() -> None:
    assert from_of(Address.of_number("+331"), "ims.test") == "<sip:+331@ims.test;user=phone>"
    assert from_of(Address.of_text("My Lab"), "ims.test") == '"My Lab" <sip:My%20Lab@ims.test>'
