"""Which requests may come through an agreement."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.ipsec.admission import Admission
from libreims.ipsec.agreement import State
from libreims.net.port import Flow
from libreims.proto.sip.message import Request
from support.agreement_rig import ALICE, LINGER, SERVER, AgreementRig

OUTSIDE = Flow("UDP", (SERVER, 5060), ("10.0.1.1", 5060))


def request(method: str = "OPTIONS", verify: str | None = None) -> Request:
    fields = [("Security-Verify", verify)] if verify is not None else []
    return Request.build(method, "sip:ims.test", fields)


def admission(rig: AgreementRig) -> Admission:
    return Admission(rig.agreements, rig.log.layer("ipsec"))


def refused(admit: Admission, message: Request, flow: Flow) -> Reject:
    with pytest.raises(Reject) as caught:
        admit(message, flow)
    return caught.value


def test_what_comes_outside_is_not_its_affair() -> None:
    rig = AgreementRig()
    rig.register(rig.offer())
    admission(rig)(request("INVITE", "nonsense;;"), OUTSIDE)


def test_another_client_port() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    refusal = refused(admission(rig), request(), Flow("UDP", agreement.local, ("10.0.1.1", 9)))
    assert refusal.status == 403 and "came through no security agreement" in refusal.why


def test_only_register_through_an_offer() -> None:
    rig = AgreementRig()
    flow = rig.flow(rig.offer())
    admission(rig)(request("REGISTER"), flow)
    refusal = refused(admission(rig), request(), flow)
    assert refusal.status == 403 and f"OPTIONS of {ALICE}" in refusal.why and "only offered" in refusal.why


def test_security_verify() -> None:
    rig = AgreementRig()
    agreement = rig.offer()
    rig.register(agreement)
    admit, flow = admission(rig), rig.flow(agreement)
    admit(request(), flow)
    assert f"OPTIONS of {ALICE} has no Security-Verify" in rig.text
    admit(request(verify=agreement.said.upper().replace(";", " ; ")), flow)
    for said in ("", "tls", agreement.said + ", tls"):
        refusal = refused(admit, request(verify=said), flow)
        assert refusal.status == 494 and refusal.headers == (("Security-Server", agreement.said),)
        assert "is not what Security-Server said" in refusal.why and len(refusal.why) < 900
    admit(request("REGISTER", "tls"), flow)


def test_during_the_overlap_either_will_do() -> None:
    rig = AgreementRig()
    old = rig.offer()
    binding = rig.register(old)
    new = rig.offer(flow=rig.flow(old))
    rig.register(new, binding)
    admit = admission(rig)
    for agreement in (old, new):
        for said in (old.said, new.said):
            admit(request(verify=said), rig.flow(agreement))


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER"])
def test_the_use_of_the_new_one_ends_the_old_one(method: str) -> None:
    rig = AgreementRig()
    old = rig.offer()
    binding = rig.register(old, expires=5000)
    new = rig.offer(flow=rig.flow(old))
    rig.register(new, binding, expires=5000)
    admit = admission(rig)
    admit(request(method), rig.flow(old))
    rig.clock.advance(LINGER + 1)
    assert rig.states == [State.SUPERSEDED, State.AGREED]
    admit(request(method), rig.flow(new))
    rig.clock.advance(LINGER + 1)
    assert rig.states == [State.AGREED]
