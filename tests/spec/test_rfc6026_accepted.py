"""RFC 6026: the Accepted states, and 2xx retransmission of RFC 3261 §13.3.1.4 (T1 0.5, T2 4 s)."""

from __future__ import annotations

import pytest

from libreims.proto.sip.stack import State
from support.stack_rig import TCP, UDP, Flow, Listener, StackRig, peer_request
from support.virtual import VirtualLoop

RETRANSMISSIONS = (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)


@pytest.fixture
def rig(virtual_loop: VirtualLoop) -> StackRig:
    return StackRig(virtual_loop)


class TestServer:
    """§7.1 and §8.7: INVITE server transaction."""

    def test_2xx_enters_accepted_for_timer_l(self, rig: StackRig) -> None:
        """ "the server transaction MUST transition to the Accepted state and set Timer L to 64*T1"."""
        transaction = rig.serve("INVITE")
        rig.at(1)
        rig.answer(transaction, 200)
        transaction.acknowledged()
        assert transaction.state is State.ACCEPTED
        rig.at(32.9)
        assert transaction.state is State.ACCEPTED
        rig.at(33)
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0

    def test_retransmitted_invite_is_absorbed(self, rig: StackRig) -> None:
        """ "any retransmissions of the INVITE received will match this transaction and be absorbed"."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 200)
        transaction.acknowledged()
        rig.at(20)
        rig.receive(peer_request("INVITE"))
        assert rig.log == ["200@0"]
        assert len(rig.user.requests) == 1

    @pytest.mark.parametrize("flow", [UDP, TCP])
    def test_2xx_is_retransmitted_until_64_t1(self, rig: StackRig, flow: Flow) -> None:
        """RFC 3261 §13.3.1.4: from T1, doubling up to T2, on any transport; then no ACK came."""
        transaction = rig.serve("INVITE", flow)
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 200)
        rig.at(100)
        assert rig.log == [f"200@{t:g}" for t in RETRANSMISSIONS]
        assert len({each.data for each in rig.sent}) == 1
        assert listener.events == ["ack_timeout@32"]
        assert rig.stack.transactions == 0

    def test_acknowledged_stops_the_2xx(self, rig: StackRig) -> None:
        """ "The 2xx response is retransmitted ... until an ACK is received"."""
        transaction = rig.serve("INVITE")
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 200)
        rig.at(2)
        rig.receive(peer_request("ACK", branch="z9hG4bKack", to_tag=transaction.local_tag))
        (ack, found) = rig.user.acks[0]
        assert ack.method == "ACK"
        assert found is transaction
        found.acknowledged()
        rig.at(100)
        assert rig.log == ["200@0", "200@0.5", "200@1.5"]
        assert listener.events == []

    def test_late_ack_is_passed_up_without_transaction(self, rig: StackRig) -> None:
        """An ACK to a retransmitted 2xx, after the first one: the user knows the dialog."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 200)
        ack = peer_request("ACK", branch="z9hG4bKack", to_tag=transaction.local_tag)
        rig.receive(ack)
        transaction.acknowledged()
        rig.receive(ack)
        assert [found for _, found in rig.user.acks] == [transaction, None]

    def test_ack_with_the_branch_of_the_invite_is_taken(self, rig: StackRig) -> None:
        """ "the server transaction MUST pass [an ACK received in Accepted] to the TU"."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 200)
        rig.receive(peer_request("ACK", to_tag=transaction.local_tag))
        assert [found for _, found in rig.user.acks] == [transaction]
        assert transaction.state is State.ACCEPTED

    def test_further_2xx_of_the_user_go_out(self, rig: StackRig) -> None:
        """ "While in the Accepted state, if the TU passes a 2xx ... MUST pass"."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 200)
        transaction.acknowledged()
        rig.answer(transaction, 200)
        rig.answer(transaction, 486)
        rig.answer(transaction, 180)
        assert rig.log == ["200@0", "200@0"]

    def test_transport_error_informs_the_user(self, rig: StackRig) -> None:
        """§8.8: the user hears of it; here the response had nobody left to carry it."""
        transaction = rig.serve("INVITE", TCP)
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 200)
        rig.stack.transport_error(TCP, ConnectionResetError())
        assert listener.events == ["transport_failed@0"]
        assert rig.stack.transactions == 0


class TestClient:
    """§7.2 and §8.4: INVITE client transaction."""

    @pytest.mark.parametrize("flow", [UDP, TCP])
    def test_every_2xx_is_passed_up_until_timer_m(self, rig: StackRig, flow: Flow) -> None:
        """ "MUST transition to the Accepted state, and Timer M MUST be started with 64*T1"."""
        transaction, listener = rig.request("INVITE", flow)
        rig.reply(transaction, 180)
        rig.at(1)
        rig.reply(transaction, 200, tag="a")
        assert transaction.state is State.ACCEPTED
        rig.at(1.5)
        rig.reply(transaction, 200, tag="a")
        rig.at(30)
        rig.reply(transaction, 200, tag="b")
        rig.at(33)
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0
        rig.reply(transaction, 200, tag="c")
        assert listener.events == ["180@0", "200@1", "200@1.5", "200@30"]
        assert len(rig.strays) == 1

    def test_2xx_from_calling(self, rig: StackRig) -> None:
        """The first response may be the 2xx: retransmission stops."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 200)
        rig.at(40)
        assert rig.log == ["INVITE@0"]
        assert listener.events == ["200@0"]
        assert rig.stack.transactions == 0

    def test_no_ack_is_made_for_a_2xx(self, rig: StackRig) -> None:
        """The user sends it (RFC 3261 §13.2.2.4), by `send`, with a branch of its own."""
        transaction, _ = rig.request("INVITE")
        rig.reply(transaction, 200)
        assert rig.log == ["INVITE@0"]

    @pytest.mark.parametrize("status", [180, 486])
    def test_other_responses_in_accepted_go_nowhere(self, rig: StackRig, status: int) -> None:
        """Figure 2 has arrows for 2xx only."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 200)
        rig.reply(transaction, status)
        assert listener.events == ["200@0"]
        assert rig.log == ["INVITE@0"]
        assert transaction.state is State.ACCEPTED

    def test_2xx_after_a_failure_goes_nowhere(self, rig: StackRig) -> None:
        """Completed takes no 2xx."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 486)
        rig.reply(transaction, 200)
        assert listener.events == ["486@0"]


def test_stray_responses_are_dropped(rig: StackRig) -> None:
    """§8.9: "MUST NOT [be forwarded]": no transaction, no effect but the hook for the log."""
    rig.receive(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnobody\nFrom: <sip:a@b>;tag=1\n"
        "To: <sip:c@d>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
    )
    assert len(rig.strays) == 1
    assert rig.log == []
    assert rig.user.bad == []
