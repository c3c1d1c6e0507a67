"""RFC 3261 §9 to §15 as the server's two sides keep them: UAS towards the caller, UAC towards the callee."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Response
from support.calls import CONFIG_PATIENT, connected, described, ended_by_server, hung_up, retry_after
from support.lab import DOMAIN, Lab, play

BOB = f"sip:bob@{DOMAIN}"


# -- §8.2 -----------------------------------------------------------------------------------------------


def test_8_2_1_a_method_inside_a_call_that_is_not_supported_gets_405_with_allow() -> None:
    """Not supported: "the UAS MUST generate a 405 ... MUST also add an Allow header field"."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        refusal = await alice.in_dialog(mo, "PUBLISH").final()
        assert refusal.status == 405 and "BYE" in refusal.elements("Allow")
        await hung_up(alice, mo, bob)

    play(scenario)


def test_8_1_1_6_and_16_6_max_forwards_goes_down_from_leg_to_leg_and_0_is_refused() -> None:
    """ "If the Max-Forwards value reaches 0 before the request reaches its destination, it will be rejected
    with a 483(Too Many Hops) error response." """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        none = await alice.send("INVITE", BOB, (("Max-Forwards", "0"),), alice.sdp()).final()
        assert none.status == 483
        call = alice.send("INVITE", BOB, (("Max-Forwards", "1"),), alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.max_forwards == 0
        bob.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario)


# -- §9 -------------------------------------------------------------------------------------------------


def test_9_1_a_cancel_of_ours_waits_for_a_provisional_response() -> None:
    """ "If no provisional response has been received, the CANCEL request MUST NOT be sent" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert call.transaction is not None
        await call.response(100)
        call.transaction.cancel()
        assert (await call.final()).status == 487
        await asyncio.sleep(0.1)  # its 100 leaves by itself after 0.2 s
        assert not bob.cancels
        bob.respond(invite, 180)
        cancel = await bob.expect_cancel()
        assert cancel is invite
        bob.respond(invite, 487)

    play(scenario)


def test_9_2_a_cancel_of_a_reinvite_ends_it_alone() -> None:
    """ "the CANCEL has no effect on the processing of transactions with any other method" nor on the call."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        before = len(lab.server.relay)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video")))
        asked = await bob.expect("INVITE")
        bob.respond(asked, 100)
        await change.response(100)
        assert change.transaction is not None
        change.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        assert (await change.final()).status == 487
        await asyncio.sleep(0.1)
        assert len(lab.server.relay) == before
        await hung_up(alice, mo, bob)

    play(scenario)


def test_9_2_a_cancelled_reinvite_that_is_accepted_all_the_same_is_undone() -> None:
    """§14.1: a change that failed leaves the session as it was, for both: the callee is asked to go back."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="sendonly"))
        asked = await bob.expect("INVITE")
        await change.response(100)
        assert change.transaction is not None
        change.transaction.cancel()
        bob.respond(asked, 200, bob.sdp(direction="recvonly"))
        assert (await change.final()).status == 487
        await bob.expect_ack()
        back = await bob.expect("INVITE")
        assert described(back.request).direction(0) == "sendrecv"
        bob.respond(back, 200, bob.sdp())
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        again = alice.in_dialog(mo, "INVITE", alice.sdp())  # the way is free for another change
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        alice.send_ack(mo, (await again.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_9_2_a_cancelled_reinvite_without_offer_that_brings_one_is_answered_with_what_was() -> None:
    """§13.2.1: an offer in a 2xx has to be answered in the ACK, whatever became of who asked for it."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE")
        asked = await bob.expect("INVITE")
        await change.response(100)
        assert change.transaction is not None
        change.transaction.cancel()
        bob.respond(asked, 200, bob.sdp())
        assert (await change.final()).status == 487
        ack = await bob.expect_ack()
        assert described(ack).media[0].port
        await hung_up(alice, mo, bob)

    play(scenario)


# -- §12 ------------------------------------------------------------------------------------------------


def test_12_2_2_a_request_with_a_lower_cseq_is_out_of_order() -> None:
    """ "the request is out of order and MUST be rejected with a 500 (Server Internal Error) response" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        mo.local_cseq = 10
        assert (await alice.in_dialog(mo, "OPTIONS").final()).status == 200
        mo.local_cseq = 5
        assert (await alice.in_dialog(mo, "OPTIONS").final()).status == 500
        mo.local_cseq = 20
        await hung_up(alice, mo, bob)

    play(scenario)


def test_12_2_2_the_right_call_id_with_a_wrong_tag_is_no_dialog() -> None:
    """ "the UAS ... does not match an existing dialog ... 481 (Call/Transaction Does Not Exist)" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        tag, mo.local_tag = mo.local_tag, "stranger"
        assert (await alice.in_dialog(mo, "BYE").final()).status == 481
        mo.local_tag = tag
        await hung_up(alice, mo, bob)

    play(scenario)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_12_2_2_a_target_refresh_moves_where_requests_go(method: str) -> None:
    """ "If a UAS receives a target refresh request, it MUST replace the dialog's remote target URI" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        moved = await lab.peer("alice")  # the same phone at a new address
        fields = [("Contact", f"<{moved.uri}>")]
        offer = b""
        if method == "INVITE":
            offer = moved.sdp()
            fields.append(("Content-Type", "application/sdp"))
        change = alice.send_request(mo.new_request(method, fields, offer))
        if method == "INVITE":
            bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
            alice.send_ack(mo, (await change.response(200)).cseq.number)
            await bob.expect_ack()
        assert (await change.final()).status == 200
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        bye = await moved.expect("BYE")
        assert bye.request.uri == moved.uri
        moved.respond(bye, 200)

    play(scenario)


def test_12_2_2_a_refused_reinvite_does_not_move_the_target() -> None:
    """RFC 6141 §3.1: a change that fails leaves the dialog as it was."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        fields = (("Contact", "<sip:alice@10.9.9.9>"), ("Content-Type", "application/sdp"))
        change = alice.send_request(mo.new_request("INVITE", fields, alice.sdp()))
        bob.respond(await bob.expect("INVITE"), 488)
        assert (await change.final()).status == 488
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 200)

    play(scenario)


@pytest.mark.parametrize("loose", [True, False])
def test_12_2_1_1_requests_follow_the_route_set_of_a_peer_behind_a_proxy(loose: bool) -> None:
    """ "If the first URI of the route set contains the lr parameter, the UAC MUST place the remote target URI
    into the Request-URI" - else the route's own URI, and the target goes to the end of Route."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        near, far = await lab.peer("near"), await lab.peer("far")
        lr = ";lr" if loose else ""
        routes = [f"<sip:{near.host}{lr}>", f"<sip:{far.host};lr>"]
        call = alice.send("INVITE", BOB, (("Record-Route", ", ".join(routes)),), alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.elements("Record-Route") == routes
        alice.ack(call, answer)
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        assert (await bob.in_dialog(bob.answered(invite), "BYE").final()).status == 200
        bye = await near.expect("BYE")
        if loose:
            assert bye.request.uri == alice.uri
            assert bye.request.elements("Route") == routes
        else:
            assert bye.request.uri == f"sip:{near.host}"
            assert bye.request.elements("Route") == [routes[1], f"<{alice.uri}>"]
        near.respond(bye, 200)

    play(scenario)


def test_12_1_2_the_callees_route_set_is_reversed() -> None:
    """ "The route set MUST be set to the list of URIs in the Record-Route header field from the response,
    taken in reverse order" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        proxy = await lab.peer("proxy")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        routes = (("Record-Route", "<sip:10.9.9.9;lr>"), ("Record-Route", f"<sip:{proxy.host};lr>"))
        bob.respond(invite, 200, bob.sdp(), routes)
        mo = alice.ack(call, await call.response(200))
        ack = await proxy.expect_ack()
        assert ack.elements("Route") == [f"<sip:{proxy.host};lr>", "<sip:10.9.9.9;lr>"]
        assert ack.uri == bob.uri
        alice.in_dialog(mo, "BYE")
        proxy.respond(await proxy.expect("BYE"), 200)

    play(scenario)


@pytest.mark.parametrize("status", [408, 481])
def test_12_2_1_2_a_dialog_that_the_peer_does_not_know_is_ended(status: int) -> None:
    """ "If the response for a request within a dialog is a 481 or a 408, the UAC SHOULD terminate the
    dialog" - and the other side of the call with it, which must not take it for its own dialog's end."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp(direction="sendonly"))
        bob.respond(await bob.expect("INVITE"), status)
        assert (await change.final()).status in (500, 504)
        await ended_by_server(alice, bob)

    play(scenario)


# -- §13 ------------------------------------------------------------------------------------------------


def test_13_2_1_the_answer_is_missing_in_the_ack() -> None:
    """ "If the initial offer is in the first reliable non-failure message from the UAS back to the UAC, the
    answer MUST be in the acknowledgement" - without it there is no session."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB)
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        alice.ack(call, await call.response(200))
        await ended_by_server(alice, bob, reason="cause=488")
        assert "without an answer in its ACK" in lab.log_text()

    play(scenario)


def test_13_2_2_4_a_2xx_whose_answer_cannot_be_used_is_acknowledged_and_ended() -> None:
    """ "If, after acknowledging any 2xx response to an INVITE, the UAC does not want to continue with that
    dialog, then the UAC MUST terminate the dialog by sending a BYE request" """

    async def scenario(lab: Lab) -> None:
        for answer in (b"", b"v=0\r\nnonsense", bob_sdp_without_address, two_lines):
            alice, bob = await lab.registered("alice", "bob")
            call = alice.send("INVITE", BOB, body=alice.sdp())
            invite = await bob.expect("INVITE")
            bob.respond(invite, 200, answer)
            await bob.expect_ack()
            await ended_by_server(bob, reason="cause=488")
            assert (await call.final()).status == 488
            for peer in (alice, bob):
                assert (await peer.register(expires=0)).status == 200

    two_lines = b"v=0\r\no=- 1 1 IN IP4 10.0.1.2\r\ns=-\r\nc=IN IP4 10.0.1.2\r\nt=0 0\r\n"
    two_lines += b"m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 31\r\n"
    bob_sdp_without_address = b"v=0\r\no=- 1 1 IN IP4 10.0.1.2\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    play(scenario)


def test_13_2_2_4_every_further_2xx_of_a_fork_gets_ack_and_one_bye() -> None:
    """ "The UAC MUST generate an ACK for each 2xx", and what is not wanted is ended, once."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        second = await lab.peer("second")  # another phone behind the proxy that bob is
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        other = Dialog.from_request(invite.request, "other")
        fields = (("Contact", f"<{second.uri}>"), ("Content-Type", "application/sdp"))
        for _ in range(2):
            body = bob.sdp()
            invite.respond(Response.to_request(invite.request, 200, tag="other", headers=fields, body=body))
            await asyncio.sleep(0.1)
        assert (await second.expect_ack()).to.tag == other.local_tag
        bye = await second.expect("BYE")
        second.respond(bye, 200)
        await asyncio.sleep(1)
        assert len(second.acks) == 1 and not second.incoming
        await hung_up(alice, mo, bob)

    play(scenario)


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (b"c=IN IP4 host.example\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", "301"),
        (b"t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", "301"),
        (b"c=IN IP4 10.0.1.1\r\nt=0 0\r\nm=image 4000 udptl t38\r\n", "304"),
    ],
)
def test_13_3_1_3_an_offer_that_cannot_be_used_gets_488_with_a_warning(offer: bytes, code: str) -> None:
    """ "A UAS rejecting an offer contained in an INVITE SHOULD return a 488 (Not Acceptable Here) response.
    Such a response SHOULD include a Warning header field value explaining why the offer was rejected." """

    async def scenario(lab: Lab) -> None:
        (alice, _) = await lab.registered("alice", "bob")
        body = b"v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\n" + offer
        refusal = await alice.send("INVITE", BOB, body=body).final()
        assert refusal.status == 488
        assert (refusal.get("Warning") or "").startswith(f"{code} ")
        assert "SDP offer of alice@ims.test cannot be used" in lab.log_text()

    play(scenario)


def test_13_3_1_4_no_ack_for_the_2xx_ends_the_session_after_64_t1() -> None:
    """ "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK, the dialog is
    confirmed, but the session SHOULD be terminated.  This is accomplished with a BYE" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        await call.response(200)
        begin = lab.loop.time()
        await ended_by_server(alice, bob, reason="cause=408")
        assert 31.9 < lab.loop.time() - begin < 33

    play(scenario, CONFIG_PATIENT)


# -- §14 ------------------------------------------------------------------------------------------------


def test_14_2_a_second_invite_before_the_final_response_gets_500_with_retry_after() -> None:
    """ "A UAS that receives a second INVITE before it sends the final response to a first INVITE with a
    lower CSeq sequence number on the same dialog MUST return a 500 ... Retry-After ... between 0 and 10
    seconds" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        ringing = await call.response(180)
        assert call.transaction is not None
        early = Dialog.from_response(call.transaction.request, ringing)
        first = await alice.in_dialog(early, "INVITE", alice.sdp()).final()
        assert first.status == 500 and 0 <= retry_after(first) <= 10
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        mo.local_cseq = early.local_cseq
        await bob.expect_ack()
        pending = alice.in_dialog(mo, "INVITE", alice.sdp())
        asked = await bob.expect("INVITE")
        second = await alice.in_dialog(mo, "INVITE", alice.sdp()).final()
        assert second.status == 500 and 0 <= retry_after(second) <= 10
        bob.respond(asked, 200, bob.sdp())
        alice.send_ack(mo, (await pending.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_14_2_an_invite_while_ours_is_pending_gets_491() -> None:
    """ "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress
    MUST return a 491 (Request Pending) response" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        asked = await bob.expect("INVITE")
        assert (await bob.in_dialog(mt, "INVITE", bob.sdp()).final()).status == 491
        bob.respond(asked, 200, bob.sdp())
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_14_2_a_missing_ack_of_a_reinvite_ends_the_call() -> None:
    """ "If a UA ... no ACK ... 64*T1": §14.2 refers to §13.3.1.4."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        await change.response(200)
        await bob.expect_ack()
        await ended_by_server(alice, bob, reason="cause=408")

    play(scenario, CONFIG_PATIENT)


def test_14_1_a_2xx_without_sdp_to_a_reinvite_ends_the_call() -> None:
    """The 2xx to an INVITE with an offer has the answer (§13.2.1): a phone without it is in no known
    state."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200)
        await bob.expect_ack()
        assert (await change.final()).status == 488
        await ended_by_server(alice, bob, reason="cause=488")

    play(scenario)


def test_14_1_a_reinvite_without_offer_gets_one_and_its_ack_carries_the_answer() -> None:
    """§13.2.1 holds for re-INVITEs: the offer in the 2xx, also with an m-line that is new."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        both = ("audio", "video")
        change = alice.in_dialog(mo, "INVITE")
        asked = await bob.expect("INVITE")
        assert not asked.request.body
        bob.respond(asked, 200, bob.sdp(5000, media=both))
        offer = await change.response(200)
        ports = [media.port for media in described(offer).media]
        assert all(ports)
        alice.send_ack(mo, offer.cseq.number, alice.sdp(6000, media=both))
        ack = await bob.expect_ack()
        assert [media.kind for media in described(ack).media] == list(both)
        assert len(lab.server.relay) == 4
        await asyncio.sleep(0.1)
        heard = []
        camera = lab.network.udp((alice.host, 6002), lambda data, source: heard.append((data, source)))
        sender = lab.network.udp((bob.host, 5002), lambda data, source: None)
        video = described(ack).rtp_address(1)
        assert video is not None
        sender.send(b"\x80\x60" + bytes(10), video)
        await asyncio.sleep(0.1)
        assert [source for _, source in heard] == [("10.0.0.1", ports[1])]
        camera.close()
        sender.close()
        await hung_up(alice, mo, bob)

    play(scenario)


# -- §15 ------------------------------------------------------------------------------------------------


def test_15_1_1_the_caller_may_end_an_early_dialog_with_bye() -> None:
    """ "The caller's UA MAY send a BYE for either confirmed or early dialogs"; §15.1.2: the pending request
    gets 487."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        assert call.transaction is not None
        early = Dialog.from_response(call.transaction.request, await call.response(180))
        assert (await alice.in_dialog(early, "BYE").final()).status == 200
        assert (await call.final()).status == 487
        bob.respond(await bob.expect_cancel(), 487)

    play(scenario)


def test_15_1_2_bye_before_the_ack_ends_the_call() -> None:
    """The caller's ACK may be overtaken: the 2xx is not repeated any more."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        answer = await call.response(200)
        assert call.transaction is not None
        mo = Dialog.from_response(call.transaction.request, answer)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        await ended_by_server(bob)
        await asyncio.sleep(3)
        assert call.statuses.count(200) == 1

    play(scenario)


def test_15_1_2_a_pending_change_gets_487_when_the_call_ends() -> None:
    """ "the UAS MUST still respond to any pending requests received for that dialog. It is RECOMMENDED that
    a 487 (Request Terminated) response be generated" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        inform = alice.in_dialog(mo, "INFO", b"x", (("Content-Type", "text/plain"),))
        bob.respond(await bob.expect("INVITE"), 100)
        await bob.expect("INFO")
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        assert (await change.final()).status == 487
        assert (await inform.final()).status == 487
        await ended_by_server(alice)

    play(scenario)


def test_15_1_1_an_unanswered_reinvite_of_ours_does_not_outlive_the_call() -> None:
    """A phone that answers our BYE but never our re-INVITE leaves no transaction behind."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        alice.in_dialog(mo, "INVITE", alice.sdp())
        bob.respond(await bob.expect("INVITE"), 100)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        bob.respond(await bob.expect("BYE"), 200)

    play(scenario)


def test_15_1_1_a_2xx_to_a_reinvite_that_crosses_our_bye_is_acknowledged() -> None:
    """§13.2.2.4: every 2xx to an INVITE gets its ACK."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        alice.in_dialog(mo, "INVITE", alice.sdp())
        asked = await bob.expect("INVITE")
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        bob.respond(asked, 200, bob.sdp())
        bob.respond(await bob.expect("BYE"), 200)
        assert (await bob.expect_ack()).cseq.number == asked.request.cseq.number

    play(scenario)


def test_17_2_4_a_broken_connection_before_the_ack_ends_the_call() -> None:
    """The 2xx could not be delivered: nobody would ever acknowledge it."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice", transport="TCP")
        (bob,) = await lab.registered("bob")
        alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        alice.transport.close()
        await asyncio.sleep(0.1)
        bob.respond(invite, 200, bob.sdp())
        await bob.expect_ack()
        await ended_by_server(bob)
        assert lab.loop.time() < 120

    play(scenario, CONFIG_PATIENT)


# -- §18 ------------------------------------------------------------------------------------------------


def test_18_1_1_a_large_invite_to_a_phone_without_tcp_goes_over_udp() -> None:
    """ "If an element sends a request over TCP because of these message size constraints, and that request
    would have otherwise been sent over UDP, if the attempt to establish the connection ... results in a TCP
    reset, the element SHOULD retry the request, using UDP." """

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        bob = await lab.peer("bob")
        lab.network._listeners.pop(bob.address).close()
        assert (await bob.register()).status == 200
        big = alice.sdp() + b"a=x-long:" + b"x" * 1400 + b"\r\n"
        call = alice.send("INVITE", BOB, body=big)
        invite = await bob.expect("INVITE")
        assert invite.flow.transport == "UDP"
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        ack = await bob.expect_ack()
        assert ack.via.transport == "UDP"
        change = alice.in_dialog(mo, "INVITE", big)
        asked = await bob.expect("INVITE")
        assert asked.flow.transport == "UDP"
        bob.respond(asked, 200, bob.sdp())
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_18_1_1_a_large_invite_leaves_the_rest_of_the_call_on_udp() -> None:
    """Size moves one request to TCP, not the call."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        big = alice.sdp() + b"a=x-long:" + b"x" * 1400 + b"\r\n"
        call = alice.send("INVITE", BOB, body=big)
        invite = await bob.expect("INVITE")
        assert invite.flow.transport == "TCP"
        assert "transport" not in invite.request.contacts[0].uri.params
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        assert (await bob.expect_ack()).via.transport == "UDP"
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_call_before_authentication_is_done_can_be_cancelled() -> None:
    """§9.2: "If it has not issued a final response for the original request ... respond with a 487" """

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        waiting: asyncio.Future[None] = lab.loop.create_future()

        class Slow:
            def needed(self, request: object, subscriber: object) -> bool:
                return True

            async def authenticate(self, request: object, subscriber: object, flow: object) -> None:
                await waiting

        handler, *_ = lab.server.stack.user._handlers["INVITE"]  # type: ignore[attr-defined]
        handler.__self__._authenticator = Slow()
        call = alice.send("INVITE", BOB, body=alice.sdp())
        await call.response(100)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487
        waiting.set_result(None)
        await asyncio.sleep(1)
        assert not bob.incoming

    play(scenario)
