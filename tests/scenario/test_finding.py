"""Finding the callee through the whole server: match, forms of numbers, several phones, shared SIMs."""

from __future__ import annotations

import asyncio

import pytest

from libreims.call.fork import PATIENCE
from libreims.config.load import loads
from support.lab import CONFIG, DOMAIN, Lab, Peer, play

IMEIS = ("35123456789012", "35123456789029", "35123456789036")


async def one_call(caller: Peer, callee: Peer, uri: str) -> None:
    """A whole call that `callee` answers."""
    call = caller.send("INVITE", uri, body=caller.sdp())
    invite = await callee.expect("INVITE")
    callee.respond(invite, 200, callee.sdp())
    dialog = caller.ack(call, await call.response(200))
    await callee.expect_ack()
    bye = caller.in_dialog(dialog, "BYE")
    callee.respond(await callee.expect("BYE"), 200)
    assert (await bye.final()).status == 200


def with_users(*users: str, echo: str = '"tel:666"') -> str:
    head = CONFIG[: CONFIG.index("echo:")]
    return f"{head}echo: [{echo}], log_options: 'all.level=debug', ue_db: [{', '.join(users)}],".replace(
        "'", '"'
    )


def user(name: str, impus: str, more: str = "") -> str:
    return f'{{ impi: "{name}@ims.test", authent_type: "none", impu: [{impus}]{more} }}'


# -- match and forms of numbers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "uri"),
    [
        ("^09[0-9]{2}$", "tel:0912"),
        ("^09[0-9]{2}$", "sip:0912@10.0.0.1"),
        ("^09[0-9]{2}$", f"sip:0912;phone-context={DOMAIN}@{DOMAIN};user=phone"),
        ("^\\\\+33", "tel:+33-123"),
        ("^\\\\+33", "tel:33123"),
        ("^tel:0912$", "tel:0912"),
        ("(bo|ro)b[[:digit:]]+$", f"sip:rob77@{DOMAIN}"),
    ],
)
def test_match_finds_a_user(expression: str, uri: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await one_call(alice, bob, uri)

    play(
        scenario,
        with_users(user("alice", '"sip:alice"'), user("bob", f'"sip:bob", {{ match: "{expression}" }}')),
    )


def test_match_finds_an_echo_number_and_literal_impus_come_first() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", f"sip:echo12@{DOMAIN}", body=alice.sdp())
        dialog = alice.ack(call, await call.response(200))
        assert (await alice.in_dialog(dialog, "BYE").final()).status == 200
        await one_call(alice, bob, f"sip:echo1@{DOMAIN}")
        nobody = await alice.send("INVITE", f"sip:noecho12@{DOMAIN}", body=alice.sdp()).final()
        assert nobody.status == 404

    users = user("alice", '"sip:alice"'), user("bob", '"sip:bob", "sip:echo1"')
    play(scenario, with_users(*users, echo='{ match: "^echo" }'))


@pytest.mark.parametrize("impu", ["tel:+33601", "tel:33601", "sip:+33601", "sip:33601"])
@pytest.mark.parametrize(
    "uri", ["tel:+33601", "tel:33601", "sip:+33601@ims.test;user=phone", "sip:33601@x.test"]
)
def test_numbers_with_and_without_plus(impu: str, uri: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await one_call(alice, bob, uri)

    play(scenario, with_users(user("alice", '"sip:alice"'), user("bob", f'"sip:bob", "{impu}"')))


# -- several phones of one user -----------------------------------------------------------------------


async def phones(lab: Lab, *preferences: float) -> tuple[Peer, ...]:
    """Alice, and phones of bob with these q values."""
    (alice,) = await lab.registered("alice")
    result = [alice]
    for q in preferences:
        peer = await lab.peer("bob")
        assert (await peer.register(contact=f"<{peer.uri}>;q={q}")).status == 200
        result.append(peer)
    return tuple(result)


def test_a_phone_of_lower_preference_rings_after_the_refusal_of_the_others() -> None:
    """RFC 3261 §16.6: highest q first, equal ones together."""

    async def scenario(lab: Lab) -> None:
        alice, low, high, other = await phones(lab, 0.1, 0.8, 0.8)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        first, second = await high.expect("INVITE"), await other.expect("INVITE")
        high.respond(first, 180)
        high.respond(first, 486)
        await asyncio.sleep(1)
        assert not low.incoming
        other.respond(second, 480)
        last = await low.expect("INVITE")
        low.respond(last, 183, low.sdp())
        assert (await call.response(183)).body
        low.respond(last, 200, low.sdp())
        dialog = alice.ack(call, await call.response(200))
        await low.expect_ack()
        bye = alice.in_dialog(dialog, "BYE")
        low.respond(await low.expect("BYE"), 200)
        assert (await bye.final()).status == 200
        assert not high.incoming and not other.incoming

    play(scenario)


def test_the_best_refusal_of_all_phones_counts() -> None:
    async def scenario(lab: Lab) -> None:
        alice, low, high = await phones(lab, 0.1, 0.8)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        high.respond(await high.expect("INVITE"), 486)
        low.respond(await low.expect("INVITE"), 500)
        assert (await call.final()).status == 486

    play(scenario)


@pytest.mark.parametrize("end", ["declined", "answered", "cancelled"])
def test_the_phone_of_lower_preference_is_not_needed(end: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, low, high = await phones(lab, 0.1, 0.8)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        invite = await high.expect("INVITE")
        high.respond(invite, 180)
        await call.response(180)
        if end == "declined":
            high.respond(invite, 603)
            assert (await call.final()).status == 603
        elif end == "cancelled":
            assert call.transaction is not None
            call.transaction.cancel()
            high.respond(await high.expect_cancel(), 487)
            assert (await call.final()).status == 487
        else:
            high.respond(invite, 200, high.sdp())
            dialog = alice.ack(call, await call.response(200))
            await asyncio.sleep(1)
            bye = alice.in_dialog(dialog, "BYE")
            high.respond(await high.expect("BYE"), 200)
            assert (await bye.final()).status == 200
        await asyncio.sleep(2 * PATIENCE)
        assert not low.incoming

    play(scenario)


def test_the_next_phone_is_called_when_the_first_only_rings() -> None:
    async def scenario(lab: Lab) -> None:
        alice, low, high = await phones(lab, 0.1, 0.8)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        ringing = await high.expect("INVITE")
        high.respond(ringing, 180)
        begin = lab.loop.time()
        high.respond(await high.expect_cancel(), 487)
        assert lab.loop.time() - begin == pytest.approx(PATIENCE, abs=0.1)
        invite = await low.expect("INVITE")
        await asyncio.sleep(3 * PATIENCE)  # the last one rings as long as any phone
        low.respond(invite, 200, low.sdp())
        dialog = alice.ack(call, await call.response(200))
        await low.expect_ack()
        bye = alice.in_dialog(dialog, "BYE")
        low.respond(await low.expect("BYE"), 200)
        assert (await bye.final()).status == 200

    play(scenario, CONFIG + "\ndialog_timeout: 0,")


def test_media_ports_run_out_when_it_is_the_next_phones_turn() -> None:
    async def scenario(lab: Lab) -> None:
        alice, high = await phones(lab, 0.8)
        low = await lab.peer("bob", ipv6=True)
        assert (await low.register(contact=f"<{low.uri}>;q=0.1")).status == 200
        taken = lab.server.relay.open("2001:db8::1", 20000, 20001)
        call = alice.send("INVITE", f"sip:bob@{DOMAIN}", body=alice.sdp())
        high.respond(await high.expect("INVITE"), 500)
        assert (await call.final()).status == 500
        assert "bob@ims.test is not called: no media port is free" in lab.log_text()
        taken.close()
        assert not low.incoming

    ports = '{ addr: "[2001:db8::1]", port_min: 20000, port_max: 20001 }'
    play(scenario, CONFIG.replace('"[2001:db8::1]"', ports))


# -- one SIM in several phones --------------------------------------------------------------------------

MULTI = with_users(
    user("alice", '"sip:alice"'),
    user(
        "sim",
        f'"sip:sim", {{ impu: "tel:1", imei: "{IMEIS[0]}0" }}, {{ impu: "tel:2", imei: "{IMEIS[1]}7" }}',
        ', sim_algo: "xor", multi_sim: true',
    ),
)


async def sims(lab: Lab, *numbers: int) -> list[Peer]:
    """Phones with the same SIM; the check digit of their IMEI is 0, as phones send it."""
    result = []
    for number in numbers:
        peer = await lab.peer("sim")
        instance = f'"<urn:gsma:imei:{IMEIS[number][:8]}-{IMEIS[number][8:]}-0>"'
        assert (await peer.register(contact=f"<{peer.uri}>;+sip.instance={instance}")).status == 200
        result.append(peer)
    return result


def test_phones_with_one_sim_call_each_other() -> None:
    async def scenario(lab: Lab) -> None:
        one, two = await sims(lab, 0, 1)
        await one_call(one, two, "tel:2")
        await one_call(two, one, "tel:1")

    play(scenario, MULTI)


def test_each_phone_has_the_number_of_its_imei() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await sims(lab, 0, 1)
        call = two.send("INVITE", f"sip:alice@{DOMAIN}", body=two.sdp())
        invite = await alice.expect("INVITE")
        assert invite.request.get_all("P-Asserted-Identity") == [f"<sip:sim@{DOMAIN}>", "<tel:2>"]
        alice.respond(invite, 486)
        assert (await call.final()).status == 486
        # A number that belongs to the other phone is not its own.
        claimed = (("P-Preferred-Identity", "<tel:1>"),)
        call = two.send("INVITE", f"sip:alice@{DOMAIN}", claimed, two.sdp())
        invite = await alice.expect("INVITE")
        assert "<tel:1>" not in invite.request.get_all("P-Asserted-Identity")
        alice.respond(invite, 486)
        assert (await call.final()).status == 486
        await one_call(alice, one, "tel:1")

    play(scenario, MULTI)


def test_the_shared_number_rings_everywhere_but_at_the_caller() -> None:
    async def scenario(lab: Lab) -> None:
        one, two, three = await sims(lab, 0, 1, 2)
        call = one.send("INVITE", f"sip:sim@{DOMAIN}", body=one.sdp())
        for peer in (two, three):
            peer.respond(await peer.expect("INVITE"), 486)
        assert (await call.final()).status == 486
        assert not one.incoming

    play(scenario, MULTI)


def test_the_phone_with_that_imei_is_not_registered() -> None:
    async def scenario(lab: Lab) -> None:
        one, _ = await sims(lab, 0, 2)
        refusal = await one.send("INVITE", "tel:2", body=one.sdp()).final()
        assert refusal.status == 480
        assert (
            f"call to tel:2 refused: tel:2 of sim@ims.test belongs to the phone with the IMEI {IMEIS[1]}, "
            f"which is not registered now; phones with these IMEIs are: {IMEIS[0]}, {IMEIS[2]}"
            in lab.log_text()
        )

    play(scenario, MULTI)


def test_a_phone_without_imei_has_the_shared_numbers_only() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        peer = await lab.peer("sim")
        assert (await peer.register()).status == 200
        refusal = await alice.send("INVITE", "tel:1", body=alice.sdp()).final()
        assert refusal.status == 480
        assert "phones with these IMEIs are: none, at sip:sim@10.0.1.2:5060" in lab.log_text()
        await one_call(alice, peer, f"sip:sim@{DOMAIN}")
        claimed = (("P-Preferred-Identity", "<tel:1>"),)
        call = peer.send("INVITE", f"sip:alice@{DOMAIN}", claimed, peer.sdp())
        invite = await alice.expect("INVITE")
        assert invite.request.get_all("P-Asserted-Identity") == [f"<sip:sim@{DOMAIN}>"]
        alice.respond(invite, 486)
        assert (await call.final()).status == 486

    play(scenario, MULTI)


# -- refusals that explain themselves ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "status", "reason", "why"),
    [
        ("tel:999", 404, "Q.850;cause=1;", "call to tel:999 refused: nobody has this number; add it as impu"),
        ("tel:0600000002", 480, "Q.850;cause=20;", "refused: bob@ims.test is known but not registered now"),
        ("tel:0600000001", 486, "Q.850;cause=17;", "refused: the number belongs to the calling phone itself"),
    ],
)
def test_refusals_say_why(uri: str, status: int, reason: str, why: str) -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        refusal = await alice.send("INVITE", uri, body=alice.sdp()).final()
        assert refusal.status == status
        assert (refusal.get("Reason") or "").startswith(reason)
        assert why in lab.log_text()

    play(scenario)


def test_the_configurations_of_these_tests_are_clean() -> None:
    assert loads(MULTI).warnings == ()
