from __future__ import annotations

import pytest

from libreims.proto.sip.uri import Uri
from libreims.users.impu import candidates, candidates_of, imei_key, normalise, subject


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("user", "sip:user"),
        ("sip:user", "sip:user"),
        ("SIP:User", "sip:User"),
        ("sips:user@host", "sip:user"),
        ("sip:user@host:5070;transport=tcp", "sip:user"),
        ("sip:user;tag=1", "sip:user"),
        ("sip:user:secret@host", "sip:user"),
        ("001010123456789", "sip:001010123456789"),
        ("user@host", "sip:user"),
        ("sip:a%62c@host", "sip:abc"),
        ("tel:+33-1.23(45) 6", "tel:+3312345 6".replace(" ", "")),
        ("TEL:600", "tel:600"),
        ("tel:600;phone-context=ims.test", "tel:600"),
        ("urn:service:sos", "urn:service:sos"),
        ("URN:Service:SOS.Police", "urn:service:sos.police"),
        ("precondition:silent", "precondition:silent"),
        ("X-Odd:Value", "x-odd:Value"),
    ],
)
def test_normal_form(text: str, key: str) -> None:
    assert normalise(text) == key


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("tel:+33123456789", "tel:+33123456789"),
        ("tel:+33-1-23-45-67-89", "tel:+33123456789"),
        ("tel:600;phone-context=ims.test", "tel:600"),
        ("sip:600;phone-context=ims.test@ims.test;user=phone", "tel:600"),
        ("sip:+33123456789@ims.test;user=phone", "tel:+33123456789"),
        ("sip:+33-1-23-45-67-89@ims.test;user=phone", "tel:+33123456789"),
        ("sip:600@192.168.1.1", "sip:600"),
        ("sip:alice@ims.test", "sip:alice"),
        ("sips:alice@[2001:db8::1]:5061", "sip:alice"),
        ("urn:service:sos.fire", "urn:service:sos.fire"),
        ("im:alice@host", "im:alice@host"),
    ],
)
def test_first_candidate_is_the_literal_reading(uri: str, key: str) -> None:
    assert candidates(Uri.parse(uri))[0] == key


@pytest.mark.parametrize(
    "uri", ["tel:600", "sip:600@10.0.0.1", "sip:600;phone-context=d@d;user=phone", "tel:+600"]
)
def test_a_number_is_looked_for_in_all_its_forms(uri: str) -> None:
    assert {"tel:600", "sip:600", "tel:+600", "sip:+600"} == set(candidates(Uri.parse(uri)))


def test_a_plus_is_tried_as_written_before_it_is_changed() -> None:
    assert candidates(Uri.parse("tel:+600")) == ("tel:+600", "sip:+600", "tel:600", "sip:600")


def test_a_name_has_one_reading() -> None:
    assert candidates(Uri.parse("sip:alice.smith@ims.test")) == ("sip:alice.smith",)


def test_emergency_service_falls_back_to_its_parents_and_a_test_call_never_to_a_real_one() -> None:
    assert candidates(Uri.parse("urn:service:sos.ecall.manual"))[:3] == (
        "urn:service:sos.ecall.manual",
        "urn:service:sos.ecall",
        "urn:service:sos",
    )
    assert "urn:service:sos" not in candidates(Uri.parse("urn:service:test.sos.ecall"))


@pytest.mark.parametrize("text", ["0600000124", "tel:0600000124", "sip:0600000124@x"])
def test_typed_numbers(text: str) -> None:
    assert "tel:0600000124" in candidates_of(text)


def test_typed_names_and_urns() -> None:
    assert candidates_of("alice@example.com") == ("sip:alice",)
    assert candidates_of("urn:service:sos.fire")[-1] == "urn:service:sos"
    assert candidates_of("odd:thing") == ("odd:thing",)


def test_subject_is_without_scheme() -> None:
    assert subject("tel:+33") == "+33"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("356938035643809", "35693803564380"),
        ("35693803-564380-0", "35693803564380"),
        ("urn:gsma:imei:35693803-564380-9", "35693803564380"),
        ("<urn:gsma:imei:35693803-564380-0;svn=01>", "35693803564380"),
        ("3569380356438001", "35693803564380"),
        ("<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>", ""),
        ("123", ""),
        ("", ""),
    ],
)
def test_imei(text: str, key: str) -> None:
    assert imei_key(text) == key
