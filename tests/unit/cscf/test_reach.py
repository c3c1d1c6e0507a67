"""Whether a phone is where its contact says."""

from __future__ import annotations

import pytest

from libreims.cscf.reach import hidden_by_nat
from libreims.proto.sip.flow import Flow


@pytest.mark.parametrize(
    ("contact", "hidden"),
    [
        ("sip:a@192.0.2.7:5062", False),
        ("sip:a@10.0.0.1:5060", True),
        ("sip:a@phone.local", True),
        ("sip:192.0.2.7", False),
    ],
)
def test_a_contact_with_another_host_is_behind_a_nat(contact: str, hidden: bool) -> None:
    assert hidden_by_nat(contact, Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 40000))) is hidden


def test_ipv6_addresses_are_compared_as_such() -> None:
    flow = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5060))
    assert not hidden_by_nat("sip:a@[2001:0db8:0:0::2]", flow)
