"""Callflow modifiers of registrations and requests, through the whole server (manual §5.2, §7)."""

from __future__ import annotations

import asyncio

import pytest

from libreims.users.subscriber import Subscriber
from support.callflow import BOB, IMEI, INSTANCE, connected, having, packets_to
from support.calls import hung_up
from support.lab import CONFIG, DOMAIN, Lab, play

NO_ABROAD = r"""
{
    impu: "sip:no-abroad",
    match: '^\\+44',
    callflow_modifier: [{
        log: "Not abroad", method: "INVITE", code: 403, stop: true,
        custom_headers: [{ name: "Reason", replace: true, value: "SIP; cause=21; text=\"Not abroad\"" }],
    }],
}
"""
AWAY = """
{
    impu: "tel:2001",
    callflow_modifier: [{
        log: "Away", method: "INVITE", code: 302, stop: true,
        custom_headers: [{ name: "Contact", replace: true, value: "<tel:666>" }],
    }],
}
"""


# -- what the manual shows ---------------------------------------------------------------------------------


def test_call_barring_by_the_beginning_of_the_number() -> None:
    """Manual §7.1."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:+447700900123", body=alice.sdp())
        refusal = await call.final()
        assert refusal.status == 403
        assert refusal.get_all("Reason") == ['SIP; cause=21; text="Not abroad"']
        assert call.statuses == [403]
        assert "Not abroad: applies to INVITE received" in lab.log_text()
        lab.nothing_left()

    play(scenario, CONFIG.replace("echo: [", f"echo: [{NO_ABROAD}, "))


def test_call_forward_to_another_number() -> None:
    """Manual §7.2: the 302 of the callee's modifier reaches the caller, registered or not."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:2001", body=alice.sdp())
        forward = await call.final()
        assert forward.status == 302
        assert forward.get_all("Contact") == ["<tel:666>"]
        # What a phone does with it: it calls the other number (RFC 3261 §8.1.3.4).
        again = alice.send("INVITE", "tel:666", body=alice.sdp())
        mo = alice.ack(again, await again.response(200))
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200

    play(scenario, CONFIG.replace('"tel:0600000002"', f'{AWAY}, "tel:0600000002"'))


def test_a_caller_that_is_not_registered_is_refused_as_ever() -> None:
    async def scenario(lab: Lab) -> None:
        mallory = await lab.peer("mallory")
        assert (await mallory.send("INVITE", "tel:2001", body=mallory.sdp()).final()).status == 403
        assert "Away" not in lab.log_text()

    play(scenario, CONFIG.replace('"tel:0600000002"', f'{AWAY}, "tel:0600000002"'))


# -- registration ------------------------------------------------------------------------------------------


def test_register_is_ignored_once_retransmissions_included() -> None:
    """`code: -1`; `ttl` counts messages, not retransmissions."""

    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        headers = [("Contact", f"<{alice.uri}>")]
        first = alice.send("REGISTER", f"sip:{DOMAIN}", headers, to=f"<sip:alice@{DOMAIN}>")
        await asyncio.sleep(40)
        assert first.timed_out_ and not first.responses
        assert lab.log_text().count("cfm#0: applies to REGISTER received (ignored)") == 1
        assert (await alice.register()).status == 200

    play(scenario, having("alice", '{method: "REGISTER", code: -1, ttl: 1}'))


def test_a_phone_is_refused_by_its_imei() -> None:
    async def scenario(lab: Lab) -> None:
        stolen, fine = await lab.peer("alice"), await lab.peer("alice")
        answer = await stolen.register(contact=f"<{stolen.uri}>;{INSTANCE}")
        assert answer.status == 403
        other = INSTANCE.replace("210987", "210988")
        assert (await fine.register(contact=f"<{fine.uri}>;{other}")).status == 200

    play(scenario, having("alice", f'{{method: "REGISTER", code: 403, imei: "{IMEI.replace("-", "")}"}}'))


def test_registration_by_access_network() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        for access, status in (
            ("3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01", 200),
            ("IEEE-802.11n;i-wlan-node-id=ac9e17000000", 503),
            ("3gpp-nr-tdd;utran-cell-id-3gpp=001010000641234501", 503),
            ("3GPP-UTRAN-FDD", 200),
        ):
            answer = await alice.register(P_Access_Network_Info=access)
            assert answer.status == status, access
            if status == 503:
                assert answer.get("Retry-After") == "120"
        assert (await alice.register()).status == 200

    retry = 'custom_headers: [{name: "Retry-After", value: "120"}]'
    play(scenario, having("alice", f'{{method: "REGISTER", code: 503, access_network: "nr,n3gpp", {retry}}}'))


def test_interval_too_brief() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        answer = await alice.register(expires=60)
        assert answer.status == 423
        assert answer.get("Min-Expires") == "7200"
        assert (await alice.register(expires=7200)).status == 200

    brief = 'custom_headers: [{name: "Min-Expires", value: "7200"}]'
    play(scenario, having("alice", f'{{method: "REGISTER", code: 423, ttl: 1, {brief}}}'))


def test_only_emergency_registrations() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert (await alice.register()).status == 200
        assert (await alice.register(contact=f"<{alice.uri};sos>")).status == 380

    play(scenario, having("alice", '{method: "REGISTER.SOS", code: 380}'))


def test_headers_of_a_modifier_without_code_go_into_the_final_response() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        answer = await alice.register()
        assert answer.status == 200
        assert answer.get("X-Test") == "yes"
        assert answer.get("P-Associated-URI") is None

    headers = 'custom_headers: [{name: "X-Test", value: "yes"}, {name: "P-Associated-URI"}]'
    play(scenario, having("alice", f'{{method: "REGISTER", transparent: true, {headers}}}'))


def test_tts_passes_messages_over_before_ttl_begins() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert [(await alice.register()).status for _ in range(6)] == [200, 200, 486, 486, 200, 200]

    play(scenario, having("alice", '{method: "REGISTER", code: 486, tts: 2, ttl: 2}'))


def test_modifiers_that_are_replaced_count_from_the_beginning() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert [(await alice.register()).status for _ in range(2)] == [486, 200]
        settings = lab.config.current.ue_db[0]
        lab.server.users.replace(Subscriber.of(settings))
        assert (await alice.register()).status == 200  # the same configuration goes on counting
        copy = having("alice", '{method: "REGISTER", code: 486, ttl: 1}')
        other = Lab(lab.loop, copy).config.current.ue_db[0]
        lab.server.users.replace(Subscriber.of(other))
        assert [(await alice.register()).status for _ in range(2)] == [486, 200]

    play(scenario, having("alice", '{method: "REGISTER", code: 486, ttl: 1}'))


def test_a_delayed_answer_to_register() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        begun = lab.loop.time()
        assert (await alice.register()).status == 500
        assert 3.0 <= lab.loop.time() - begun < 3.2

    play(scenario, having("alice", '{method: "REGISTER", code: 500, send_delay: 3}'))


# -- requests in calls ------------------------------------------------------------------------------------


def test_whose_modifiers_count() -> None:
    """MO: the callee's; MT: the caller's. Here the caller's must not touch the caller's own dialog."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.get("X-Of") == "alice"
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        assert answer.get("X-Of") == "bob"
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    def mark(step: str, who: str) -> str:
        header = f'custom_headers: [{{name: "X-Of", value: "{who}"}}]'
        return f'{{method: "{step}", transparent: true, {header}}}'

    config = having("alice", mark("INVITE", "alice"), mark("INVITE.OK", "alice"))
    entry = f'{{impu: "sip:bob", callflow_modifier: [{mark("INVITE.OK", "bob")}]}}'
    play(scenario, config.replace('impu: ["sip:bob"', f"impu: [{entry}"))


def test_outgoing_barring_by_the_callers_modifier() -> None:
    """A code on a sent INVITE: the callee is never called, the caller gets the code."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        assert (await call.final()).status == 603
        await asyncio.sleep(5)
        assert not bob.incoming

    play(scenario, having("alice", '{method: "INVITE", code: 603}'))


@pytest.mark.parametrize(
    ("impu", "status"), [("sip:alice", 486), ("tel:0600000001", 486), ("sip:carol", 180)]
)
def test_only_for_one_caller(impu: str, status: int) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        if status == 180:
            bob.respond(await bob.expect("INVITE"), 486)
        assert (await call.final()).status == 486
        assert (100 in call.statuses) == (status == 180)

    play(scenario, having("bob", f'{{method: "INVITE", code: 486, impu: "{impu}"}}'))


def test_only_for_one_callee_imei() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        bob = await lab.peer("bob")
        assert (await bob.register(contact=f"<{bob.uri}>;{INSTANCE}")).status == 200
        call = alice.send("INVITE", BOB, body=alice.sdp())
        assert (await call.final()).status == 480

    play(
        scenario,
        having("alice", f'{{method: "INVITE", dir: "tx", code: 480, imei: "{IMEI.replace("-", "")}"}}'),
    )


def test_the_ack_is_left_out_and_its_repetitions_too() -> None:
    """`skip`: the callee repeats its 200; `ttl: 1` is one ACK, however often it is due."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await asyncio.sleep(20)
        assert not bob.acks
        assert lab.log_text().count("applies to ACK sent (not sent)") == 1
        bob.answered(invite)
        await hung_up(alice, mo, bob)
        second, _ = await connected(alice, bob)
        await hung_up(alice, second, bob)

    play(scenario, having("alice", '{method: "ACK", skip: true, stop: false, ttl: 1}'))


def test_a_modifier_stops_the_dialog_by_default() -> None:
    """INFO from the caller: its answer is the modifier's, then both sides get a BYE."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        assert (await alice.in_dialog(mo, "INFO").final()).status == 500
        for peer in (alice, bob):
            peer.respond(await peer.expect("BYE"), 200)

    play(scenario, having("bob", '{method: "INFO", code: 500}'))


@pytest.mark.parametrize(("code", "stops"), [(-1, False), (-2, True)])
def test_an_update_is_ignored(code: int, stops: bool) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        update = alice.in_dialog(mo, "UPDATE", alice.sdp(version=2))
        if stops:
            for peer in (alice, bob):
                peer.respond(await peer.expect("BYE"), 200)
        await asyncio.sleep(40)
        assert update.timed_out_
        if not stops:
            await hung_up(alice, mo, bob)

    play(scenario, having("bob", f'{{method: "UPDATE", code: {code}}}', more="dialog_timeout: 0,"))


def test_a_reinvite_and_not_the_invite() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        assert (await alice.in_dialog(mo, "INVITE", alice.sdp(version=2)).final()).status == 488
        await asyncio.sleep(1)
        assert not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "REINVITE", code: 488, stop: false}'))


def test_bye_is_answered_otherwise_and_the_call_goes_on() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 500
        await asyncio.sleep(2)
        assert not bob.incoming
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        alice.respond(await alice.expect("BYE"), 481)

    play(scenario, having("bob", '{method: "BYE", dir: "rx", code: 500, stop: false}'))


def test_a_bye_that_is_refused_ends_the_call_all_the_same_by_default() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 481
        bob.respond(await bob.expect("BYE"), 200)
        await asyncio.sleep(1)
        assert not alice.incoming

    play(scenario, having("bob", '{method: "BYE", code: 481}'))


def test_a_cancel_is_one_message() -> None:
    """The hook sees each message once: the caller's CANCEL and ours are two."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        await call.final()
        assert lab.server.counters.messages["sip_cancel"] == 2

    play(scenario)


def test_cancel_is_not_heard() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        await asyncio.sleep(1)
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)

    play(scenario, having("bob", '{method: "CANCEL", dir: "rx", code: -1}'))


def test_cancel_is_not_sent() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        assert (await call.final()).status == 487
        await asyncio.sleep(50)
        assert not bob.cancels
        bob.respond(invite, 486)

    play(scenario, having("alice", '{method: "CANCEL", skip: true}'))


def test_cancel_carries_another_reason() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 180)
        await call.response(180)
        assert call.transaction is not None
        call.transaction.cancel()
        bob.respond(await bob.expect_cancel(), 487)
        cancels = [packet.data for packet in packets_to(lab, bob) if packet.data.startswith(b"CANCEL")]
        assert cancels and b"Reason: Test;cause=1" in cancels[0] and cancels[0].count(b"Reason:") == 1

    header = 'custom_headers: [{name: "Reason", value: "Test;cause=1", replace: true}]'
    play(scenario, having("alice", f'{{method: "CANCEL", transparent: true, {header}}}'), trace=True)


def test_an_ack_that_is_ignored_is_a_missing_ack() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp())
        alice.ack(call, await call.response(200))
        for peer in (alice, bob):
            peer.respond(await peer.expect("BYE"), 200)

    play(scenario, having("bob", '{method: "ACK", dir: "rx", code: -1}'))
