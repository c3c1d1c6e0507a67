"""100rel, UPDATE before the answer, preconditions: what phones do rarely, wrongly, or not at all."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Response
from libreims.proto.sip.server_transaction import ServerTransaction
from support.calls import CONFIG_PATIENT, SAYS_UPDATE, described, hung_up
from support.lab import CONFIG, DOMAIN, Lab, Outcome, Peer, play

REL = (("Supported", "100rel"), *SAYS_UPDATE)
PRE = (("Supported", "100rel, precondition"), *SAYS_UPDATE)
BOB = f"sip:bob@{DOMAIN}"
ECHO = f"sip:echo@{DOMAIN}"


def reliable(number: int) -> tuple[tuple[str, str], ...]:
    return (("Require", "100rel"), ("RSeq", str(number)), *SAYS_UPDATE)


def status_lines(body: bytes, *lines: str) -> bytes:
    """The description with precondition lines at the end of its last m-line."""
    return body + "".join(f"a={line}\r\n" for line in lines).encode()


UNMET = ("curr:qos local none", "curr:qos remote none", "des:qos mandatory local sendrecv")
UNMET = (*UNMET, "des:qos mandatory remote sendrecv")
MET = ("curr:qos local sendrecv", *UNMET[1:])


def early(outcome: Outcome, response: Response) -> Dialog:
    """The caller's early dialog."""
    assert outcome.transaction is not None
    return Dialog.from_response(outcome.transaction.request, response)


def prack(peer: Peer, dialog: Dialog, response: Response, rseq: int | None = None) -> Outcome:
    number = response.get("RSeq") if rseq is None else str(rseq)
    return peer.in_dialog(dialog, "PRACK", headers=(("RAck", f"{number} {response.cseq.number} INVITE"),))


def callee_dialog(invite: ServerTransaction) -> Dialog:
    """The callee's early dialog."""
    return Dialog.from_request(invite.request, invite.local_tag)


async def pracked(callee: Peer) -> ServerTransaction:
    transaction = await callee.expect("PRACK")
    callee.respond(transaction, 200)
    return transaction


def test_an_answer_in_a_reliable_183_is_the_answer_on_both_sides() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        assert "100rel" in invite.request.tokens("Supported")
        bob.respond(invite, 183, bob.sdp(), reliable(7))
        progress = await call.response(183)
        assert described(progress).media[0].port
        assert (await pracked(bob)).request.get("RAck") == "7 1 INVITE"
        dialog = early(call, progress)
        assert (await prack(alice, dialog, progress).final()).status == 200
        bob.respond(invite, 200, headers=SAYS_UPDATE)
        answer = await call.response(200)
        assert not answer.body
        alice.send_ack(dialog, 1)
        await bob.expect_ack()
        await hung_up(alice, dialog, bob)

    play(scenario)


def test_several_reliable_responses_in_a_row_each_with_its_prack() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        dialog = None
        numbers = []
        for status, body, number in ((183, bob.sdp(), 10), (180, b"", 11), (181, b"", 12)):
            bob.respond(invite, status, body, reliable(number))
            assert (await pracked(bob)).request.get("RAck") == f"{number} 1 INVITE"
            seen = await call.response(status)
            dialog = dialog or early(call, seen)
            numbers.append(int(seen.get("RSeq") or 0))
            assert (await prack(alice, dialog, seen).final()).status == 200
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
        bob.respond(invite, 180, headers=reliable(14))  # 13 is missing: neither processed nor acknowledged
        bob.respond(invite, 183, bob.sdp(), reliable(10))  # a repetition
        await asyncio.sleep(3)
        assert not bob.incoming
        bob.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario)


@pytest.mark.parametrize("rack", ["1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 UPDATE"])
def test_a_prack_of_something_else_is_refused_and_the_call_goes_on(rack: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, _ = await lab.registered("alice", "bob")
        call = alice.send("INVITE", ECHO, REL, alice.sdp())
        progress = await call.response(183)
        dialog = early(call, progress)
        wrong = rack.format(rseq=progress.get("RSeq"))
        assert (await alice.in_dialog(dialog, "PRACK", headers=(("RAck", wrong),)).final()).status == 481
        assert (await alice.in_dialog(dialog, "PRACK").final()).status == 400
        assert (await prack(alice, dialog, progress).final()).status == 200
        await call.response(200)
        alice.send_ack(dialog, 1)
        assert (await prack(alice, dialog, progress).final()).status == 481  # it is acknowledged already
        assert (await alice.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_prack_for_nothing() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        nowhere = alice.build("PRACK", BOB, (("RAck", "1 1 INVITE"),), to=f"<{BOB}>;tag=none")
        assert (await alice.send_request(nowhere).final()).status == 481
        call = alice.send("INVITE", BOB, SAYS_UPDATE, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        ringing = await call.response(180)
        assert "RSeq" not in ringing.fields
        dialog = early(call, ringing)
        assert (await prack(alice, dialog, ringing, 1).final()).status == 481
        bob.respond(invite, 200, bob.sdp())
        await call.response(200)
        alice.send_ack(dialog, 1)
        await bob.expect_ack()
        for peer, one in ((alice, dialog), (bob, bob.answered(invite))):
            again = peer.in_dialog(one, "PRACK", headers=(("RAck", "1 1 INVITE"),))
            assert (await again.final()).status == 481
        await hung_up(alice, dialog, bob)

    play(scenario)


def test_a_183_that_nobody_acknowledges_is_repeated_and_then_the_call_ends() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        begun = lab.loop.time()
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        refusal = await call.final()
        assert refusal.status == 504
        assert lab.loop.time() - begun == pytest.approx(32, abs=1)  # 64*T1
        assert call.statuses.count(180) == 7  # at once, and after 0.5, 1.5, 3.5 ... s
        assert len({each.get("RSeq") for each in call.responses if each.status == 180}) == 1
        await bob.expect_cancel()
        bob.respond(invite, 487)
        assert "no PRACK" in lab.log_text()

    play(scenario)


def test_cancel_while_a_183_waits_for_its_prack() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp(), reliable(1))
        await call.response(183)
        await pracked(bob)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487
        await bob.expect_cancel()
        bob.respond(invite, 487)

    play(scenario)


def test_the_200_waits_for_the_prack_of_the_answer() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp(), reliable(1))
        progress = await call.response(183)
        await pracked(bob)
        bob.respond(invite, 200)
        await bob.expect_ack()
        await asyncio.sleep(1)
        assert 200 not in call.statuses
        dialog = early(call, progress)
        assert (await prack(alice, dialog, progress).final()).status == 200
        await call.response(200)
        alice.send_ack(dialog, 1)
        await hung_up(alice, dialog, bob)

    play(scenario)


def test_another_phone_answers_than_the_one_whose_answer_the_caller_has() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob, other = await lab.registered("alice", "bob", "bob")
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        first = await bob.expect("INVITE")
        second = await other.expect("INVITE")
        bob.respond(first, 183, bob.sdp(), reliable(1))
        progress = await call.response(183)
        await pracked(bob)
        dialog = early(call, progress)
        assert (await prack(alice, dialog, progress).final()).status == 200
        only_pcma = (
            other.sdp().replace(b"RTP/AVP 0 8", b"RTP/AVP 8").replace(b"a=rtpmap:0 PCMU/8000\r\n", b"")
        )
        other.respond(second, 200, only_pcma)
        await other.expect_ack()
        await bob.expect_cancel()
        bob.respond(first, 487)
        assert not (await call.response(200)).body
        alice.send_ack(dialog, 1)
        change = await alice.expect("INVITE")
        assert described(change.request).media[0].formats == ("8",)
        alice.respond(change, 200, alice.sdp(version=2))
        await alice.expect_ack()
        await hung_up(alice, dialog, other)

    play(scenario)


def test_update_before_the_offer_is_answered_and_after() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        nowhere = alice.build("UPDATE", BOB, to=f"<{BOB}>;tag=none")
        assert (await alice.send_request(nowhere).final()).status == 481
        call = alice.send("INVITE", BOB, REL, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180, headers=reliable(1))
        ringing = await call.response(180)
        await pracked(bob)
        dialog = early(call, ringing)
        assert (await prack(alice, dialog, ringing).final()).status == 200
        soon = await alice.in_dialog(dialog, "UPDATE", alice.sdp(version=2)).final()
        assert (soon.status, "Retry-After" in soon.fields) == (500, True)
        bob.respond(invite, 183, bob.sdp(), reliable(2))
        progress = await call.response(183)
        await pracked(bob)
        assert (await prack(alice, dialog, progress).final()).status == 200
        moved = await alice.in_dialog(dialog, "UPDATE", alice.sdp(41000, version=3)).final()
        assert (moved.status, described(moved).media[0].kind) == (200, "audio")
        theirs = callee_dialog(invite)
        told = await bob.in_dialog(theirs, "UPDATE", bob.sdp(42000, version=2)).final()
        assert (told.status, bool(told.body)) == (200, True)
        assert not alice.incoming and not bob.incoming  # each leg for itself
        bob.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario)


@pytest.mark.parametrize(
    ("config", "require", "missing"),
    [
        ('"100rel": false,', "100rel", "100rel"),
        ('precondition: "off",', "precondition", "precondition"),
        ("precondition: false,", "precondition", "precondition"),
        ('"100rel": false,', "precondition", "precondition"),
        ("use183: false,", "precondition", "precondition"),
    ],
)
def test_what_is_switched_off_cannot_be_required(config: str, require: str, missing: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, _ = await lab.registered("alice", "bob")
        headers = (("Supported", "100rel, precondition"), ("Require", require))
        refusal = await alice.send("INVITE", BOB, headers, alice.sdp()).final()
        assert (refusal.status, refusal.get("Unsupported")) == (420, missing)

    play(scenario, CONFIG + config)


def test_silent_never_waits() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = (*PRE, ("Require", "precondition"))
        call = alice.send("INVITE", BOB, headers, status_lines(alice.sdp(), *UNMET))
        invite = await bob.expect("INVITE")
        assert b"a=curr" not in invite.request.body
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert b"a=curr" not in answer.body
        await hung_up(alice, alice.ack(call, answer), bob)

    play(scenario, CONFIG + 'precondition: "silent",')


async def reserving(alice: Peer, bob: Peer) -> tuple[Outcome, ServerTransaction, Dialog]:
    """A call of a phone with preconditions to one without; the answer is out and acknowledged."""
    call = alice.send("INVITE", BOB, PRE, status_lines(alice.sdp(), *UNMET))
    invite = await bob.expect("INVITE")
    bob.respond(invite, 183, bob.sdp(), reliable(1))
    await pracked(bob)
    progress = await call.response(183)
    assert b"a=curr:qos local sendrecv" in progress.body
    assert b"a=conf:qos remote sendrecv" in progress.body
    dialog = early(call, progress)
    assert (await prack(alice, dialog, progress).final()).status == 200
    return call, invite, dialog


def test_ringing_and_answer_wait_for_the_callers_resources() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call, invite, dialog = await reserving(alice, bob)
        assert next(lab.server.control.dialog_get()).medias[0].qos == "pending"
        bob.respond(invite, 180)
        await asyncio.sleep(1)
        bob.respond(invite, 200)
        await asyncio.sleep(1)
        assert call.statuses == [100, 183]
        update = alice.in_dialog(dialog, "UPDATE", status_lines(alice.sdp(version=2), *MET))
        assert b"a=curr:qos remote sendrecv" in (await update.final()).body
        await call.response(180)
        await call.response(200)
        alice.send_ack(dialog, 1)
        assert next(lab.server.control.dialog_get()).medias[0].qos == "erab_set"
        await bob.expect_ack()
        await hung_up(alice, dialog, bob)

    play(scenario)


def test_a_caller_that_never_gets_its_resources() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call, invite, _ = await reserving(alice, bob)
        bob.respond(invite, 180)
        assert (await call.final()).status == 580
        await bob.expect_cancel()
        bob.respond(invite, 487)
        assert "precondition off or silent" in lab.log_text()

    play(scenario)


def test_a_caller_that_says_that_it_fails() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call, invite, dialog = await reserving(alice, bob)
        failed = (*UNMET[:2], "des:qos failure local sendrecv")
        alice.in_dialog(dialog, "UPDATE", status_lines(alice.sdp(version=2), *failed))
        assert (await call.final()).status == 580
        await bob.expect_cancel()
        bob.respond(invite, 487)

    play(scenario)


@pytest.mark.parametrize("refusal", [200, 491, 488, 481])
def test_the_callee_is_told_by_update(refusal: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice = (await lab.registered("alice"))[0]
        bob = await lab.peer("bob")
        volte = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"'
        assert (await bob.register(contact=f"<{bob.uri}>;{volte}")).status == 200
        call = alice.send("INVITE", BOB, PRE, status_lines(alice.sdp(), *UNMET))
        invite = await bob.expect("INVITE")
        assert b"a=curr:qos local none" in invite.request.body
        assert b"a=des:qos mandatory local sendrecv" in invite.request.body
        assert "precondition" in invite.request.tokens("Supported")
        answer = status_lines(bob.sdp(), *UNMET, "conf:qos remote sendrecv")
        bob.respond(invite, 183, answer, reliable(1))
        await pracked(bob)
        progress = await call.response(183)
        dialog = early(call, progress)
        assert (await prack(alice, dialog, progress).final()).status == 200
        update = alice.in_dialog(dialog, "UPDATE", status_lines(alice.sdp(version=2), *MET))
        assert (await update.final()).status == 200
        told = await bob.expect("UPDATE")
        assert b"a=curr:qos local sendrecv" in told.request.body
        if refusal == 491:
            bob.respond(told, 491)
            told = await bob.expect("UPDATE")
        if refusal in (200, 491):
            bob.respond(told, 200, status_lines(bob.sdp(version=2), *MET))
        else:
            bob.respond(told, refusal)
        if refusal == 481:
            assert (await call.final()).status == 480
            await bob.expect_cancel()
            bob.respond(invite, 487)
            return
        bob.respond(invite, 180)
        await call.response(180)
        bob.respond(invite, 200)
        await bob.expect_ack()
        await call.response(200)
        alice.send_ack(dialog, 1)
        await hung_up(alice, dialog, bob)

    play(scenario)


def test_early_media_of_the_callee_only_where_both_want_it() -> None:
    for config, shown in (("", True), ("early_media: false,", False)):

        async def scenario(lab: Lab, shown: bool = shown) -> None:
            alice, bob = await lab.registered("alice", "bob")
            call = alice.send("INVITE", BOB, SAYS_UPDATE, alice.sdp())
            invite = await bob.expect("INVITE")
            bob.respond(invite, 183, bob.sdp())
            assert bool((await call.response(183)).body) is shown
            bob.respond(invite, 200, bob.sdp())
            answer = await call.response(200)
            assert SessionDescription.parse(answer.body).media[0].port
            await bob.expect_ack()
            await hung_up(alice, alice.ack(call, answer), bob)

        play(scenario, CONFIG + config)


def test_a_callee_that_hangs_up_before_it_answers() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, SAYS_UPDATE, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 183, bob.sdp(), reliable(1))
        await pracked(bob)
        assert (await bob.in_dialog(callee_dialog(invite), "BYE").final()).status == 200
        assert (await call.final()).status == 480
        await bob.expect_cancel()
        bob.respond(invite, 487)

    play(scenario, CONFIG_PATIENT)


def test_an_ack_that_never_comes_after_reliable_responses() -> None:
    async def scenario(lab: Lab) -> None:
        alice, _ = await lab.registered("alice", "bob")
        call = alice.send("INVITE", ECHO, REL, alice.sdp())
        progress = await call.response(183)
        assert (await prack(alice, early(call, progress), progress).final()).status == 200
        await call.response(200)
        bye = await alice.expect("BYE")
        alice.respond(bye, 200)

    play(scenario)
