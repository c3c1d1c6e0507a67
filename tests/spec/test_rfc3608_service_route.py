"""RFC 3608: Service-Route, on the registrar without transactions and network."""

from __future__ import annotations

from libreims.net.port import Flow
from libreims.proto.sip.headers import NameAddr
from support.registrar_rig import Rig, header

CONTACT = "Contact: <sip:a@10.0.0.50>"


def test_a_successful_registration_is_told_the_route() -> None:
    """§6.3: the registrar puts a Service-Route into the 200 to REGISTER."""
    route = header(Rig().register("alice", CONTACT), "Service-Route")
    assert route == "<sip:orig@10.0.0.1:5060;lr>"


def test_the_route_is_a_loose_router() -> None:
    """§6.4: values are Route elements; `lr` for loose routing (RFC 3261 §16.12)."""
    route = header(Rig().register("alice", CONTACT), "Service-Route")
    assert route is not None and "lr" in NameAddr.parse(route).uri.params


def test_the_route_leads_to_the_address_that_the_phone_uses() -> None:
    flow = Flow("UDP", ("2001:db8::1", 5070), ("2001:db8::50", 5060))
    route = header(Rig().register("alice", CONTACT, at=flow), "Service-Route")
    assert route == "<sip:orig@[2001:db8::1]:5070;lr>"


def test_nothing_registered_nothing_routed() -> None:
    """§6.3: a service route belongs to a registration."""
    rig = Rig()
    rig.register("alice", CONTACT)
    assert header(rig.register("alice", f"{CONTACT}\nExpires: 0"), "Service-Route") is None
