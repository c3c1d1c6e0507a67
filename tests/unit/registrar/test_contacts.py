from __future__ import annotations

import dataclasses

import pytest

from libreims.base.errors import Reject
from libreims.net.port import Flow
from libreims.proto.sip.headers import NameAddr
from libreims.registrar.contacts import Contact, contact_header, read_contact
from libreims.users.bindings import Binding, Features

PHONE = (
    '<sip:10.0.0.50:5060>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip;audio;video;'
    '+sip.instance="<urn:gsma:imei:35693803-564380-0>";q=1.0;expires=600000'
)


def read(text: str) -> Contact:
    return read_contact(NameAddr.parse(text))


def bound(contact: Contact) -> Binding:
    return Binding(
        impi="a@d",
        aor="sip:a",
        contact=contact.text,
        flow=Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060)),
        number=1,
        call_id="c",
        cseq=1,
        registered_at=0.0,
        expires_at=0.0,
        q=contact.q,
        params=contact.params,
        instance=contact.instance,
        reg_id=contact.reg_id,
        emergency=contact.emergency,
    )


def test_a_real_phone() -> None:
    contact = read(PHONE)
    assert contact.text == "sip:10.0.0.50:5060"
    assert contact.expires == 600000
    assert contact.q == 1.0
    assert contact.features == Features(sms=True, video=True, volte=True)
    assert contact.instance == "<urn:gsma:imei:35693803-564380-0>"
    assert contact.imei == "35693803564380"
    assert contact.params == (
        ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip;audio;video'
    )
    assert not contact.emergency


def test_the_answer_repeats_the_feature_tags() -> None:
    assert contact_header(bound(read(PHONE)), 3600) == (
        '<sip:10.0.0.50:5060>;expires=3600;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";'
        '+g.3gpp.smsip;audio;video;+sip.instance="<urn:gsma:imei:35693803-564380-0>"'
    )


def test_what_the_answer_says_is_read_back_the_same() -> None:
    contact = read('"A; <x>" <sip:a@h;sos>;q=0.25;+sip.instance="<urn:x:\\"1\\">";reg-id=2;methods="A,B;C"')
    again = read(contact_header(bound(contact), 60))
    assert dataclasses.replace(again, expires=None) == contact
    assert (contact.q, contact.reg_id, contact.emergency, contact.params) == (
        0.25,
        2,
        True,
        ';methods="A,B;C"',
    )


def test_a_contact_without_brackets() -> None:
    contact = read("sip:a@10.0.0.9;expires=60;audio")
    assert (contact.text, contact.expires, contact.params) == ("sip:a@10.0.0.9", 60, ";audio")


@pytest.mark.parametrize(
    ("text", "expires"),
    [("", None), (";expires=0", 0), (";expires=x", 3600), (";expires", 3600), (";expires=1", 1)],
)
def test_expires(text: str, expires: int | None) -> None:
    assert read(f"<sip:a@h>{text}").expires == expires


@pytest.mark.parametrize(
    ("text", "q"), [("0.5", 0.5), ("1", 1.0), ("2", 1.0), ("x", 1.0), ("nan", 1.0), ("0", 0.0)]
)
def test_q(text: str, q: float) -> None:
    assert read(f"<sip:a@h>;q={text}").q == q


def test_nothing_but_sip_can_be_bound() -> None:
    with pytest.raises(Reject) as caught:
        read("<mailto:a@h>")
    assert caught.value.status == 400


def test_same_uri_follows_the_comparison_of_rfc3261() -> None:
    binding = bound(read("<sip:a@H.Test:5060;transport=udp>"))
    assert read("<sip:a@h.test:5060;transport=UDP>").same_uri(binding)
    assert read("<sip:a@h.test:5060>").same_uri(binding)
    assert not read("<sip:a@h.test>").same_uri(binding)
    assert not read("<sip:A@h.test:5060>").same_uri(binding)


def test_normal_and_emergency_contact_are_two() -> None:
    normal = read('<sip:a@h>;+sip.instance="<urn:x:1>"')
    emergency = read('<sip:a@h;sos>;+sip.instance="<urn:x:1>"')
    assert not emergency.same_uri(bound(normal)) and not emergency.same_phone(bound(normal))
    assert emergency.same_uri(bound(emergency)) and emergency.same_phone(bound(emergency))


def test_same_phone_needs_an_instance_and_the_same_flow_number() -> None:
    one = read('<sip:a@h>;+sip.instance="<urn:x:1>";reg-id=1')
    assert one.same_phone(bound(read('<sip:b@h>;+sip.instance="<urn:x:1>";reg-id=1')))
    assert not one.same_phone(bound(read('<sip:b@h>;+sip.instance="<urn:x:1>";reg-id=2')))
    assert not read("<sip:a@h>").same_phone(bound(read("<sip:b@h>")))
