"""Agreements as the remote API shows them; what the messages look like is in `api.test_ipsec`."""

from __future__ import annotations

from dataclasses import replace

from libreims.ipsec.view import AgreementViews
from libreims.net.port import Flow
from support.agreement_rig import SERVER, AgreementRig


def test_without_ipsec_there_is_nothing_to_see() -> None:
    rig = AgreementRig()
    views = AgreementViews()
    assert list(views.associations()) == []
    assert views.of(rig.register(rig.offer())) is None


def test_who_and_what() -> None:
    rig = AgreementRig()
    views = AgreementViews()
    views.agreements = rig.agreements
    agreement = rig.offer()
    assert {each.ue_id for each in views.associations()} == {0}
    binding = rig.register(agreement)
    rows = list(views.associations())
    assert {each.ue_id for each in rows} == {binding.number}
    assert [(each.dir, each.src, each.dst) for each in rows] == [
        ("in", "10.0.1.1", SERVER),
        ("out", SERVER, "10.0.1.1"),
    ] * 2
    assert {(each.type, each.mode, each.prefix) for each in rows} == {("IPv4", "transport", 32)}
    assert rows[0].authent_key not in repr(rows) and rows[0].cipher_key not in repr(rows)
    view = views.of(binding)
    assert view is not None
    assert (view.src, view.dst, view.auth) == ("10.0.1.1", SERVER, "hmac-sha-1-96")
    assert (view.remote_port_c, view.local_port_s) == (agreement.phone[1], agreement.local[1])
    outside = replace(binding, flow=Flow("UDP", (SERVER, 5060), ("10.0.1.1", 5060)))
    assert views.of(outside) is None
