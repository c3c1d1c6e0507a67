"""RFC 3261 §17: every arrow of figures 5 to 8, with the timers of the RFC (T1 0.5, T2 4, T4 5 s)."""

from __future__ import annotations

import pytest

from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import SipTimers, State
from support.stack_rig import TCP, UDP, Listener, StackRig, peer_request
from support.virtual import VirtualLoop


@pytest.fixture
def rig(virtual_loop: VirtualLoop) -> StackRig:
    return StackRig(virtual_loop)


class TestInviteClient:
    """§17.1.1, figure 5."""

    def test_calling_retransmits_by_timer_a_until_timer_b(self, rig: StackRig) -> None:
        """ "Timer A ... doubles"; "When timer B fires, the client transaction SHOULD inform the TU"."""
        transaction, listener = rig.request("INVITE")
        assert transaction.state is State.CALLING
        rig.at(100)
        assert rig.log == [f"INVITE@{t:g}" for t in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
        assert {each.data for each in rig.sent} == {rig.sent[0].data}
        assert listener.events == ["timeout@32"]
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0

    def test_reliable_transport_has_no_timer_a(self, rig: StackRig) -> None:
        """ "If a reliable transport is being used, the client transaction SHOULD NOT start timer A"."""
        _, listener = rig.request("INVITE", TCP)
        rig.at(100)
        assert rig.log == ["INVITE@0"]
        assert listener.events == ["timeout@32"]

    def test_provisional_stops_retransmission_and_passes_up(self, rig: StackRig) -> None:
        """ "it transitions to the Proceeding state ... SHOULD NOT retransmit the request any longer"."""
        transaction, listener = rig.request("INVITE")
        rig.at(0.2)
        rig.reply(transaction, 100)
        assert transaction.state is State.PROCEEDING
        rig.at(1000)
        rig.reply(transaction, 180)
        rig.reply(transaction, 180)
        assert rig.log == ["INVITE@0"]
        assert listener.events == ["100@0.2", "180@1000", "180@1000"]

    @pytest.mark.parametrize("provisional", [False, True])
    def test_failure_is_acknowledged_and_passed_up_once(self, rig: StackRig, provisional: bool) -> None:
        """ "ACK ... any retransmissions of the final response ... cause the ACK to be re-passed"."""
        transaction, listener = rig.request("INVITE")
        if provisional:
            rig.reply(transaction, 180)
        rig.at(1)
        rig.reply(transaction, 486)
        assert transaction.state is State.COMPLETED
        rig.at(20)
        rig.reply(transaction, 486)
        assert [what for what in rig.log if what.startswith("ACK")] == ["ACK@1", "ACK@20"]
        assert listener.events[-1] == "486@1"
        assert listener.events.count("486@20") == 0

    def test_timer_d_ends_completed(self, rig: StackRig) -> None:
        """ "Timer D ... at least 32 seconds for unreliable transports"."""
        transaction, _ = rig.request("INVITE")
        rig.reply(transaction, 404)
        rig.at(31.9)
        assert transaction.state is State.COMPLETED
        rig.at(32)
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0

    def test_timer_d_is_at_least_32_seconds(self) -> None:
        """With a short T1 as well."""
        assert SipTimers(t1=0.1).d == 32.0

    def test_timer_d_is_zero_on_tcp(self, rig: StackRig) -> None:
        """ "a value of zero seconds for reliable transports"."""
        transaction, listener = rig.request("INVITE", TCP)
        rig.reply(transaction, 404)
        assert transaction.state is State.TERMINATED
        assert listener.events == ["404@0"]
        assert rig.log == ["INVITE@0", "ACK@0"]
        assert rig.stack.transactions == 0

    def test_ack_to_failure_is_built_as_17_1_1_3_says(self, rig: StackRig) -> None:
        """ "The ACK MUST contain a single Via ... equal to the top Via of the original request"."""
        transaction, _ = rig.request("INVITE")
        rig.reply(transaction, 486, tag="busy")
        invite, ack = rig.sent[0].message, rig.sent[1].message
        assert isinstance(ack, Request) and isinstance(invite, Request)
        assert ack.uri == invite.uri
        assert ack.get_all("Via") == invite.get_all("Via")
        assert ack.get("From") == invite.get("From")
        assert ack.call_id == invite.call_id
        assert ack.to.tag == "busy"
        assert str(ack.cseq) == "7 ACK"
        assert ack.get_all("Route") == invite.get_all("Route")
        assert ack.body == b""

    @pytest.mark.parametrize("state", ["calling", "completed"])
    def test_transport_error_informs_the_user(self, rig: StackRig, state: str) -> None:
        """ "the client transaction SHOULD inform the TU ... transition directly to the Terminated state"."""
        transaction, listener = rig.request("INVITE")
        if state == "completed":
            rig.reply(transaction, 500)
        rig.stack.transport_error(UDP, ConnectionRefusedError())
        assert transaction.state is State.TERMINATED
        assert listener.events == (["transport_failed@0"] if state == "calling" else ["500@0"])
        assert rig.stack.transactions == 0

    def test_transport_error_in_proceeding_is_nothing(self, rig: StackRig) -> None:
        """Figure 5 has no such arrow: nothing of ours is under way."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 180)
        rig.stack.transport_error(UDP, ConnectionResetError())
        rig.reply(transaction, 200)
        assert listener.events == ["180@0", "200@0"]


class TestNonInviteClient:
    """§17.1.2, figure 6."""

    def test_trying_retransmits_by_timer_e_until_timer_f(self, rig: StackRig) -> None:
        """ "intervals of ... 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s"."""
        transaction, listener = rig.request()
        assert transaction.state is State.TRYING
        rig.at(100)
        assert rig.log == [
            f"OPTIONS@{t:g}" for t in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
        ]
        assert listener.events == ["timeout@32"]
        assert rig.stack.transactions == 0

    def test_reliable_transport_has_no_timer_e(self, rig: StackRig) -> None:
        """ "If an unreliable transport is in use, the client transaction MUST set timer E"."""
        _, listener = rig.request(flow=TCP)
        rig.at(100)
        assert rig.log == ["OPTIONS@0"]
        assert listener.events == ["timeout@32"]

    def test_proceeding_retransmits_every_t2_and_times_out(self, rig: StackRig) -> None:
        """ "If Timer E fires while in the Proceeding state ... MUST be reset with a value of T2"."""
        transaction, listener = rig.request()
        rig.at(0.1)
        rig.reply(transaction, 100)
        assert transaction.state is State.PROCEEDING
        rig.at(100)
        assert rig.log == [f"OPTIONS@{t:g}" for t in (0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)]
        assert listener.events == ["100@0.1", "timeout@32"]

    @pytest.mark.parametrize("status", [200, 302, 404, 500, 603])
    @pytest.mark.parametrize("provisional", [False, True])
    def test_final_completes_and_timer_k_absorbs(self, rig: StackRig, status: int, provisional: bool) -> None:
        """ "Timer K to fire in T4 seconds for unreliable transports"; retransmissions are absorbed."""
        transaction, listener = rig.request()
        if provisional:
            rig.reply(transaction, 100)
        rig.reply(transaction, status)
        assert transaction.state is State.COMPLETED
        rig.at(4.9)
        rig.reply(transaction, status)
        assert listener.events[-1] == f"{status}@0"
        assert rig.strays == []
        rig.at(5)
        assert rig.stack.transactions == 0
        rig.reply(transaction, status)
        assert len(rig.strays) == 1
        assert rig.log == ["OPTIONS@0"]

    def test_timer_k_is_zero_on_tcp(self, rig: StackRig) -> None:
        """ "zero seconds for reliable transports"."""
        transaction, _ = rig.request(flow=TCP)
        rig.reply(transaction, 200)
        assert rig.stack.transactions == 0

    @pytest.mark.parametrize("provisional", [False, True])
    def test_transport_error_informs_the_user(self, rig: StackRig, provisional: bool) -> None:
        """Figure 6: Transport Err. / Inform TU, from Trying and Proceeding."""
        transaction, listener = rig.request()
        if provisional:
            rig.reply(transaction, 100)
        rig.stack.transport_error(UDP, OSError("unreachable"))
        assert listener.events[-1] == "transport_failed@0"
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0


class TestInviteServer:
    """§17.2.1, figure 7 (Accepted: test_rfc6026)."""

    def test_100_after_200_ms(self, rig: StackRig) -> None:
        """ "MUST generate a 100 (Trying) response unless it knows that the TU will ... within 200 ms"."""
        transaction = rig.serve("INVITE")
        assert transaction.state is State.PROCEEDING
        rig.at(10)
        assert rig.log == ["100@0.2"]
        assert rig.sent[0].message.to.tag is None

    def test_no_100_when_the_user_is_quick(self, rig: StackRig) -> None:
        """The user's own provisional response does as well."""
        transaction = rig.serve("INVITE")
        rig.at(0.1)
        rig.answer(transaction, 180)
        rig.at(10)
        assert rig.log == ["180@0.1"]

    def test_retransmitted_invite_gets_the_last_provisional(self, rig: StackRig) -> None:
        """ "the most recent provisional response that was received from the TU MUST be passed"."""
        transaction = rig.serve("INVITE")
        rig.receive(peer_request("INVITE"))
        assert rig.log == []
        rig.answer(transaction, 180)
        rig.answer(transaction, 183)
        rig.receive(peer_request("INVITE"))
        assert rig.log == ["180@0", "183@0", "183@0"]
        assert len(rig.user.requests) == 1

    def test_failure_is_retransmitted_by_timer_g_until_timer_h(self, rig: StackRig) -> None:
        """ "MIN(2*T1, T2)"; "If timer H fires ... the ACK was never received ... indicate to the TU"."""
        transaction = rig.serve("INVITE")
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 486)
        assert transaction.state is State.COMPLETED
        rig.at(100)
        assert rig.log == [f"486@{t:g}" for t in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
        assert listener.events == ["ack_timeout@32"]
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0

    def test_no_timer_g_on_tcp(self, rig: StackRig) -> None:
        """ "timer G is not set to fire for reliable transports"; timer H is for all."""
        transaction = rig.serve("INVITE", TCP)
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 486)
        rig.at(100)
        assert rig.log == ["486@0"]
        assert listener.events == ["ack_timeout@32"]

    def test_retransmitted_invite_in_completed_gets_the_final(self, rig: StackRig) -> None:
        """ "while in the Completed state, if a request retransmission is received, ... pass the response"."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 486)
        rig.at(0.1)
        rig.receive(peer_request("INVITE"))
        assert rig.log == ["486@0", "486@0.1"]

    def test_ack_confirms_and_timer_i_absorbs(self, rig: StackRig) -> None:
        """ "absorb any additional ACK messages"; "Timer I ... T4 seconds for unreliable transports"."""
        transaction = rig.serve("INVITE")
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 486)
        ack = peer_request("ACK", to_tag=transaction.local_tag)
        rig.at(1)
        rig.receive(ack)
        assert transaction.state is State.CONFIRMED
        rig.receive(ack)
        rig.receive(peer_request("INVITE"))
        rig.at(5.9)
        assert transaction.state is State.CONFIRMED
        rig.at(6)
        assert transaction.state is State.TERMINATED
        assert rig.log == ["486@0", "486@0.5"]
        assert rig.user.acks == []
        assert listener.events == []
        assert rig.stack.transactions == 0

    def test_timer_i_is_zero_on_tcp(self, rig: StackRig) -> None:
        """ "zero seconds for reliable transports"."""
        transaction = rig.serve("INVITE", TCP)
        rig.answer(transaction, 486)
        rig.receive(peer_request("ACK", TCP, to_tag=transaction.local_tag), TCP)
        assert transaction.state is State.TERMINATED
        assert rig.stack.transactions == 0

    def test_further_finals_of_the_user_are_discarded(self, rig: StackRig) -> None:
        """Only one final response leaves Proceeding."""
        transaction = rig.serve("INVITE")
        rig.answer(transaction, 486)
        rig.answer(transaction, 200)
        rig.answer(transaction, 180)
        assert rig.log == ["486@0"]

    def test_transport_error_in_completed_informs_the_user(self, rig: StackRig) -> None:
        """Figure 7: Transport Err. / Inform TU."""
        transaction = rig.serve("INVITE", TCP)
        transaction.listener = listener = Listener(rig.loop)
        rig.answer(transaction, 486)
        rig.stack.transport_error(TCP, ConnectionResetError())
        assert listener.events == ["transport_failed@0"]
        assert rig.stack.transactions == 0


class TestNonInviteServer:
    """§17.2.2, figure 8."""

    def test_retransmission_in_trying_is_discarded(self, rig: StackRig) -> None:
        """ "Once in the Trying state, any further request retransmissions are discarded"."""
        transaction = rig.serve("MESSAGE")
        assert transaction.state is State.TRYING
        rig.receive(peer_request("MESSAGE"))
        assert rig.log == []
        assert len(rig.user.requests) == 1

    def test_retransmission_in_proceeding_gets_the_provisional(self, rig: StackRig) -> None:
        """ "the most recently sent provisional response MUST be passed to the transport layer"."""
        transaction = rig.serve("MESSAGE")
        rig.answer(transaction, 100)
        assert transaction.state is State.PROCEEDING
        rig.at(1)
        rig.receive(peer_request("MESSAGE"))
        assert rig.log == ["100@0", "100@1"]

    def test_retransmission_in_completed_gets_the_final_until_timer_j(self, rig: StackRig) -> None:
        """ "Timer J to fire in 64*T1 seconds for unreliable transports"."""
        transaction = rig.serve("MESSAGE")
        rig.at(1)
        rig.answer(transaction, 200)
        assert transaction.state is State.COMPLETED
        rig.at(32.9)
        rig.receive(peer_request("MESSAGE"))
        assert rig.log == ["200@1", "200@32.9"]
        assert rig.sent[0].data == rig.sent[1].data
        rig.at(33)
        assert rig.stack.transactions == 0
        rig.receive(peer_request("MESSAGE"))
        assert len(rig.user.requests) == 2

    def test_timer_j_is_zero_on_tcp(self, rig: StackRig) -> None:
        """ "zero seconds for reliable transports"."""
        rig.answer(rig.serve("MESSAGE", TCP), 200)
        assert rig.stack.transactions == 0

    def test_further_finals_are_discarded(self, rig: StackRig) -> None:
        """ "Any other final responses passed by the TU to the server transaction MUST be discarded"."""
        transaction = rig.serve("MESSAGE")
        rig.answer(transaction, 200)
        rig.answer(transaction, 500)
        assert rig.log == ["200@0"]


class TestMatching:
    """§17.1.3 and §17.2.3."""

    def test_response_of_another_branch_is_stray(self, rig: StackRig) -> None:
        """ "the same value of the branch parameter in the top Via header field as ... the request"."""
        transaction, listener = rig.request()
        response = Response.to_request(transaction.request, 200, tag="x")
        response.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother")
        rig.stack.receive(response.encode(), UDP)
        assert listener.events == []
        assert len(rig.strays) == 1

    def test_response_with_another_method_is_stray(self, rig: StackRig) -> None:
        """ "the method parameter in the CSeq header field matches" - a CANCEL shares the branch."""
        transaction, listener = rig.request("INVITE")
        response = Response.to_request(transaction.request, 200, tag="x")
        response.set("CSeq", "7 CANCEL")
        rig.stack.receive(response.encode(), UDP)
        assert listener.events == []
        assert len(rig.strays) == 1

    @pytest.mark.parametrize(
        ("change", "value"),
        [("branch", "z9hG4bKother"), ("sent_by", "192.0.2.98:5062"), ("sent_by", "192.0.2.99:5063")],
    )
    def test_branch_sent_by_and_method_make_the_transaction(
        self, rig: StackRig, change: str, value: str
    ) -> None:
        """§17.2.3 rules 1 to 3; the call is another one so that nothing is merged."""
        rig.serve("MESSAGE")
        rig.serve("MESSAGE", call_id="call-10", **{change: value})
        assert len(rig.user.requests) == 2

    def test_same_branch_other_method_is_another_transaction(self, rig: StackRig) -> None:
        """ "the method of the request matches the one that created the transaction, except for ACK"."""
        rig.serve("INVITE")
        rig.serve("MESSAGE")
        assert len(rig.user.requests) == 2

    @pytest.mark.parametrize("branch", ["", "1", "not-a-cookie"])
    def test_old_client_retransmission_matches(self, rig: StackRig, branch: str) -> None:
        """Branches without cookie: Request-URI, tags, Call-ID, CSeq and top Via."""
        transaction = rig.serve("MESSAGE", branch=branch)
        rig.answer(transaction, 200)
        rig.receive(peer_request("MESSAGE", branch=branch))
        assert rig.log == ["200@0", "200@0"]
        assert len(rig.user.requests) == 1

    @pytest.mark.parametrize(
        "other", [{"cseq": "4"}, {"call_id": "b"}, {"from_tag": "b"}, {"uri": "sip:b@b"}, {"sent_by": "b"}]
    )
    def test_old_client_other_request_does_not_match(self, rig: StackRig, other: dict[str, str]) -> None:
        """Each of the fields counts (in a dialog, where nothing is merged)."""
        rig.serve("MESSAGE", branch="1", to_tag="t")
        rig.serve("MESSAGE", branch="1", to_tag="t", **other)
        assert len(rig.user.requests) == 2

    def test_old_client_ack_matches_by_the_tag_of_the_response(self, rig: StackRig) -> None:
        """ "the To tag of the ACK is equal to the To tag of the response sent by the server transaction"."""
        transaction = rig.serve("INVITE", branch="")
        rig.answer(transaction, 486)
        rig.receive(peer_request("ACK", branch="", to_tag="another"))
        assert transaction.state is State.COMPLETED
        assert len(rig.user.acks) == 1
        rig.receive(peer_request("ACK", branch="", to_tag=transaction.local_tag))
        assert transaction.state is State.CONFIRMED

    def test_merged_request_is_refused_with_482(self, rig: StackRig) -> None:
        """§8.2.2.2: From tag, Call-ID and CSeq match an ongoing transaction, the branch does not."""
        rig.serve("INVITE")
        rig.receive(peer_request("INVITE", branch="z9hG4bKfork2"))
        assert rig.log == ["482@0"]
        assert len(rig.user.requests) == 1

    def test_request_inside_a_dialog_is_never_merged(self, rig: StackRig) -> None:
        """ "If the request has no tag in the To header field"."""
        rig.serve("MESSAGE", to_tag="t")
        rig.serve("MESSAGE", to_tag="t", branch="z9hG4bKother")
        assert len(rig.user.requests) == 2

    def test_refused_request_may_come_again_with_its_cseq(self, rig: StackRig) -> None:
        """Not ongoing any more: clients that repeat the CSeq with credentials are served."""
        rig.answer(rig.serve("REGISTER"), 401)
        rig.serve("REGISTER", branch="z9hG4bKagain")
        assert rig.log == ["401@0"]
        assert len(rig.user.requests) == 2

    def test_end_of_the_refused_one_leaves_its_successor_alone(self, rig: StackRig) -> None:
        """Timer J of the refused request does not open the way for a merged copy of the next."""
        rig.answer(rig.serve("MESSAGE"), 401)
        rig.at(10)
        rig.answer(rig.serve("MESSAGE", branch="z9hG4bKagain"), 200)
        rig.at(33)
        rig.receive(peer_request("MESSAGE", branch="z9hG4bKfork2"))
        assert rig.log == ["401@0", "200@10", "482@33"]

    def test_answered_request_by_another_path_is_merged_still(self, rig: StackRig) -> None:
        """A MESSAGE that was accepted is not delivered twice."""
        rig.answer(rig.serve("MESSAGE"), 200)
        rig.receive(peer_request("MESSAGE", branch="z9hG4bKfork2"))
        assert rig.log == ["200@0", "482@0"]
        rig.at(32)
        assert rig.stack.transactions == 0


class TestCancel:
    """§9.1 and §9.2."""

    def test_cancel_before_any_response_waits_for_a_provisional(self, rig: StackRig) -> None:
        """ "If no provisional response has been received, the CANCEL request MUST NOT be sent"."""
        transaction, listener = rig.request("INVITE")
        assert transaction.cancel([("Reason", "SIP;cause=200")]) is None
        assert rig.log == ["INVITE@0"]
        rig.at(0.1)
        rig.reply(transaction, 100)
        assert rig.log == ["INVITE@0", "CANCEL@0.1"]
        invite, cancel = rig.sent[0].message, rig.sent[1].message
        assert isinstance(invite, Request) and isinstance(cancel, Request)
        assert cancel.uri == invite.uri
        assert cancel.get_all("Via") == invite.get_all("Via")
        assert cancel.get("To") == invite.get("To")
        assert cancel.get("From") == invite.get("From")
        assert cancel.get_all("Route") == invite.get_all("Route")
        assert str(cancel.cseq) == "7 CANCEL"
        assert cancel.get("Reason") == "SIP;cause=200"
        assert listener.events == ["100@0.1"]

    def test_final_before_any_provisional_forgets_the_cancel(self, rig: StackRig) -> None:
        """The INVITE is over: there is nothing to cancel."""
        transaction, listener = rig.request("INVITE")
        transaction.cancel()
        rig.reply(transaction, 200)
        assert transaction.cancel() is None
        assert rig.log == ["INVITE@0"]
        assert listener.events == ["200@0"]

    def test_cancelled_invite_ends_by_its_487(self, rig: StackRig) -> None:
        """The CANCEL has a transaction of its own; both are gone in the end."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 180)
        cancel = transaction.cancel()
        assert cancel is not None
        assert transaction.cancel() is None
        rig.reply(cancel, 200)
        rig.reply(transaction, 487)
        rig.at(40)
        assert rig.log == ["INVITE@0", "CANCEL@0", "ACK@0"]
        assert listener.events == ["180@0", "487@0"]
        assert rig.stack.transactions == 0

    def test_answer_that_crosses_the_cancel_wins(self, rig: StackRig) -> None:
        """A 2xx after CANCEL is passed up: the user has to acknowledge and end the call."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 180)
        transaction.cancel()
        rig.reply(transaction, 200)
        rig.at(32.5)
        assert listener.events == ["180@0", "200@0"]

    def test_no_final_response_after_cancel(self, rig: StackRig) -> None:
        """ "If there is no final response ... in 64*T1 seconds ... SHOULD then consider the original
        transaction cancelled and SHOULD destroy the client transaction"."""
        transaction, listener = rig.request("INVITE")
        rig.reply(transaction, 180)
        rig.at(10)
        transaction.cancel()
        rig.at(41.9)
        assert listener.events == ["180@0"]
        rig.at(42)
        assert listener.events == ["180@0", "timeout@42"]
        assert rig.stack.transactions == 0

    def test_only_an_invite_can_be_cancelled(self, rig: StackRig) -> None:
        """§9.1: "SHOULD NOT be sent to cancel a request other than INVITE"."""
        transaction, _ = rig.request("MESSAGE")
        rig.reply(transaction, 100)
        assert transaction.cancel() is None
        assert rig.log == ["MESSAGE@0"]

    def test_cancel_of_a_ringing_invite(self, rig: StackRig) -> None:
        """200 to the CANCEL with the To tag of the INVITE's responses, then it is the user's turn."""
        invite = rig.serve("INVITE")
        rig.answer(invite, 180)
        rig.receive(peer_request("CANCEL"))
        rig.receive(peer_request("CANCEL"))
        assert rig.log == ["180@0", "200@0", "200@0"]
        assert rig.sent[1].message.to.tag == invite.local_tag
        assert [(each, str(cancel.cseq)) for each, cancel in rig.user.cancels] == [(invite, "3 CANCEL")]

    def test_cancel_without_a_match(self, rig: StackRig) -> None:
        """ "it SHOULD respond to the CANCEL with a 481"."""
        rig.receive(peer_request("CANCEL"))
        assert rig.log == ["481@0"]
        assert rig.sent[0].message.to.tag
        assert rig.user.cancels == []

    @pytest.mark.parametrize("status", [200, 486])
    def test_cancel_after_the_final_response_has_no_effect(self, rig: StackRig, status: int) -> None:
        """ "If it has [sent a final response], the CANCEL request has no effect" but its 200."""
        invite = rig.serve("INVITE")
        rig.answer(invite, status)
        rig.receive(peer_request("CANCEL"))
        assert rig.log == [f"{status}@0", "200@0"]
        assert rig.user.cancels == []

    def test_cancel_of_another_method_has_no_effect(self, rig: StackRig) -> None:
        """ "A CANCEL request has no impact on the processing of transactions with any other method"."""
        rig.serve("MESSAGE")
        rig.receive(peer_request("CANCEL"))
        assert rig.log == ["200@0"]
        assert rig.user.cancels == []


class TestMalformed:
    """§8.2 and §18.3: what cannot be read is answered where that is possible, without state."""

    def test_request_with_a_fault_gets_its_status(self, rig: StackRig) -> None:
        """The parser says which: here 400 for a body that is not there."""
        rig.receive(peer_request("MESSAGE").replace("Content-Length: 0", "Content-Length: 9"))
        assert rig.log == ["400@0"]
        assert rig.sent[0].message.to.tag
        assert rig.stack.transactions == 0
        assert rig.user.bad == []

    def test_another_version_gets_505(self, rig: StackRig) -> None:
        """§21.5.6."""
        rig.receive(peer_request("MESSAGE").replace(" SIP/2.0\n", " SIP/7.0\n", 1))
        assert rig.log == ["505@0"]

    @pytest.mark.parametrize("text", ["hello", "ACK sip:a SIP/2.0\nVia: x\n\n", "SIP/2.0 99 ?\n\n", "\0\1\2"])
    def test_nothing_is_answered_to_ack_responses_and_noise(self, rig: StackRig, text: str) -> None:
        """The user hears of it, for the log."""
        rig.receive(text)
        assert rig.log == []
        assert len(rig.user.bad) == 1
        assert rig.stack.transactions == 0
