"""RFC 3581 (rport) and RFC 3261 §18.2.1, §18.2.2: `received`, and where a response goes."""

from __future__ import annotations

import pytest

from libreims.proto.sip.message import Request
from support.stack_rig import PEER, TCP, UDP, US, Flow, StackRig, own_request, peer_request
from support.virtual import VirtualLoop

NAT = ("203.0.113.7", 40001)


@pytest.fixture
def rig(virtual_loop: VirtualLoop) -> StackRig:
    return StackRig(virtual_loop)


def served(rig: StackRig, flow: Flow, **how: str) -> tuple[str, Flow]:
    """Top Via of the response, and the flow that it went out on."""
    rig.answer(rig.serve("MESSAGE", flow, **how), 200)
    return rig.sent[0].message.get_all("Via")[0], rig.sent[0].flow


class TestReceived:
    """RFC 3261 §18.2.1."""

    def test_same_address_needs_no_received(self, rig: StackRig) -> None:
        """ "MUST add a received parameter if the host portion ... differs from the source address"."""
        via, flow = served(rig, UDP)
        assert via == "SIP/2.0/UDP 192.0.2.99:5062;branch=z9hG4bKpeer1"
        assert flow == UDP

    @pytest.mark.parametrize("sent_by", ["phone.example.com:5062", "10.0.0.1:5062"])
    def test_other_address_or_name_gets_received(self, rig: StackRig, sent_by: str) -> None:
        """ "contains a domain name, or ... an IP address that differs"; the port stays that of sent-by."""
        via, flow = served(rig, Flow("UDP", US, NAT), sent_by=sent_by)
        assert "received=203.0.113.7" in via
        assert flow.remote == ("203.0.113.7", 5062)

    def test_default_port(self, rig: StackRig) -> None:
        """§18.2.2: "If the sent-by has no port, the default port is used"."""
        _, flow = served(rig, Flow("UDP", US, NAT), sent_by="10.0.0.1")
        assert flow.remote == ("203.0.113.7", 5060)

    def test_received_of_a_liar_is_replaced(self, rig: StackRig) -> None:
        """What the packet says counts, not the client."""
        via, flow = served(rig, UDP, via_params=";received=198.51.100.1")
        assert "received=192.0.2.99" in via
        assert "198.51.100.1" not in via
        assert flow.remote == PEER

    def test_maddr_is_not_followed(self, rig: StackRig) -> None:
        """Or anyone could aim our responses at anyone."""
        _, flow = served(rig, UDP, via_params=";maddr=198.51.100.1")
        assert flow == UDP

    def test_lower_vias_are_untouched(self, rig: StackRig) -> None:
        """Only the topmost Via is ours to write in, in its own line or in a list."""
        lower = "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKlow;rport"
        request = peer_request("MESSAGE", via_params=f";rport, {lower}", extra=f"Via: {lower}2\n")
        rig.receive(request, Flow("UDP", US, NAT))
        rig.answer(rig.user.requests[0], 200)
        top, second, third = rig.sent[0].message.elements("Via")
        assert "rport=40001" in top
        assert second == lower
        assert third == f"{lower}2"


class TestRport:
    """RFC 3581 §4."""

    @pytest.mark.parametrize("where", [";rport", ";rport;x=1", ";a;rport", ";x=rport;rport", ";rport="])
    def test_rport_gets_the_source_port_and_received_always(self, rig: StackRig, where: str) -> None:
        """ "MUST set the value of the parameter to the source port ... MUST also add received"."""
        source = (PEER[0], 49999)
        _, flow = served(rig, Flow("UDP", US, source), via_params=where)
        request = rig.user.requests[0].request
        assert request.via.rport == 49999
        assert request.via.received == PEER[0]
        assert request.via.branch == "z9hG4bKpeer1"
        assert flow.remote == source

    def test_response_goes_to_the_source_of_a_nat(self, rig: StackRig) -> None:
        """ "the response MUST be sent to the IP address in received and the port in rport"."""
        via, flow = served(rig, Flow("UDP", US, NAT), sent_by="10.0.0.1:5060", via_params=";rport")
        assert flow == Flow("UDP", US, NAT)
        assert "rport=40001" in via and "received=203.0.113.7" in via

    def test_value_of_a_liar_is_replaced(self, rig: StackRig) -> None:
        """A filled-in rport of the client's is no address of ours to send to."""
        via, flow = served(rig, UDP, via_params=";rport=9;received=198.51.100.1")
        assert "rport=5062" in via and "received=192.0.2.99" in via
        assert flow == UDP

    def test_ipv6(self, rig: StackRig) -> None:
        """`received` holds the address without brackets (RFC 3261 §25.1)."""
        flow = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::9", 5099))
        via, back = served(rig, flow, sent_by="[2001:db8::8]:5062", via_params=";rport")
        assert "received=2001:db8::9" in via
        assert back == flow

    def test_ipv6_written_out_is_the_same_address(self, rig: StackRig) -> None:
        """RFC 5952: text differs, the address does not; the response goes back all the same."""
        flow = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::9", 5062))
        _, back = served(rig, flow, sent_by="[2001:0db8:0:0:0:0:0:9]:5062")
        assert back == flow

    @pytest.mark.parametrize(("flow", "expected"), [(UDP, True), (TCP, False)])
    def test_our_own_requests_ask_for_it_on_udp(self, rig: StackRig, flow: Flow, expected: bool) -> None:
        """§3: "The client MUST ... include an rport parameter" that has no value."""
        transaction, _ = rig.request(flow=flow)
        via = transaction.request.via
        assert (via.transport, via.host, via.port) == (flow.transport, *US)
        assert ("rport" in via.params) is expected
        assert via.params.get("rport") is None


class TestReliable:
    """RFC 3261 §18.2.2 on TCP."""

    def test_same_connection_else_port_of_sent_by(self, rig: StackRig) -> None:
        """ "MUST be sent using the existing connection ... if no longer open, ... received ... sent-by"."""
        flow = Flow("TCP", US, NAT, 12)
        _, back = served(rig, flow, sent_by="10.0.0.1:5070", via_params=";rport")
        assert back == Flow("TCP", US, (NAT[0], 5070), 12)


def test_ack_to_a_2xx_has_a_via_of_its_own(rig: StackRig) -> None:
    """RFC 3261 §13.2.2.4 with §8.1.1.7: a new branch, and no transaction stays."""
    rig.stack.send(own_request("ACK"), UDP)
    rig.stack.send(own_request("ACK"), UDP)
    first, second = (each.message.via.branch for each in rig.sent)
    assert isinstance(rig.sent[0].message, Request)
    assert first and second and first != second
    assert rig.stack.transactions == 0
