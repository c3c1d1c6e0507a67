"""The SIP trunk through the whole server, message by message, on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from support.lab import CONFIG, DOMAIN, SDP_TYPE, Lab, Peer, play

TRUNK = "10.0.1.1"
"""The first peer that a test makes is the far end."""


def config(*properties: str, sockets: str = "") -> str:
    text = CONFIG
    if sockets:
        text = text.replace('sip_addr: ["10.0.0.1", "[2001:db8::1]"]', f"sip_addr: [{sockets}]")
    more = "".join(f", {each}" for each in properties)
    return text + f'trunk: {{ addr: "{TRUNK}", name: "account"{more} }},'


PLAIN = config()


async def far_end(lab: Lab, *names: str) -> tuple[Peer, ...]:
    """The trunk's far end and registered phones."""
    far = await lab.peer("far")
    assert far.host == TRUNK
    return far, *await lab.registered(*names)


async def answered(lab: Lab, caller: Peer, callee: Peer, request: Request) -> tuple[Dialog, Request]:
    """A call that rings, is answered and has media; the caller's dialog and the callee's INVITE."""
    call = caller.send_request(request)
    invite = await callee.expect("INVITE")
    callee.respond(invite, 180)
    await call.response(180)
    callee.respond(invite, 200, callee.sdp())
    dialog = caller.ack(call, await call.response(200))
    await callee.expect_ack()
    await asyncio.sleep(0.1)
    return dialog, invite.request


async def hung_up(caller: Peer, dialog: Dialog, callee: Peer) -> None:
    bye = caller.in_dialog(dialog, "BYE")
    assert (await bye.final()).status == 200
    callee.respond(await callee.expect("BYE"), 200)


@pytest.mark.parametrize(
    ("dialled", "uri"),
    [
        ("tel:+33123456789", f"sip:+33123456789@{TRUNK}"),
        (f"tel:0123456789;phone-context={DOMAIN}", f"sip:0123456789@{TRUNK}"),
        (f"sip:0123456789;phone-context={DOMAIN}@{DOMAIN};user=phone", f"sip:0123456789@{TRUNK}"),
        ("sip:0123456789@10.0.0.1", f"sip:0123456789@{TRUNK}"),
        (f"sip:somebody@{DOMAIN}", f"sip:somebody@{TRUNK}"),
    ],
)
def test_a_call_to_an_unknown_number_goes_to_the_trunk(dialled: str, uri: str) -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        request = alice.build("INVITE", dialled, body=alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        assert invite.uri == uri
        assert invite.to.uri_text == uri
        assert invite.from_.uri_text == f"sip:account@{TRUNK}"
        assert invite.get_all("P-Asserted-Identity") == [f"<sip:account@{TRUNK}>"]
        assert len(lab.server.relay) == 2
        await hung_up(alice, dialog, far)

    play(scenario, PLAIN)


def test_the_trunk_has_a_domain_of_its_own() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        headers = (("From", f'"Alice" <sip:alice@{DOMAIN}>;tag=a'),)
        request = alice.build("INVITE", "tel:0123456789", headers, body=alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        assert invite.uri == "sip:0123456789@carrier.test"
        assert invite.from_.uri_text == "sip:account@carrier.test"
        assert invite.from_.display == "Alice"
        await hung_up(alice, dialog, far)

    play(scenario, config('domain: "carrier.test"'))


def test_who_is_known_here_is_not_looked_for_at_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        absent = await alice.send("INVITE", "tel:0600000002", body=alice.sdp()).final()
        assert absent.status == 480
        assert not far.incoming
        assert "bob@ims.test is known but not registered now" in lab.log_text()

    play(scenario, PLAIN)


def test_emergency_numbers_do_not_go_to_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        assert (await alice.send("INVITE", "urn:service:sos", body=alice.sdp()).final()).status == 404
        assert not far.incoming

    play(scenario, PLAIN)


def incoming(far: Peer, uri: str = "sip:0600000001@10.0.0.1", *headers: tuple[str, str]) -> Request:
    given = dict(headers)
    given.setdefault("From", f'"Far Away" <sip:+33199@{TRUNK}>;tag=f')
    return far.build("INVITE", uri, tuple(given.items()), body=far.sdp())


def test_a_call_from_the_trunk_rings_a_phone() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        dialog, invite = await answered(lab, far, alice, incoming(far))
        assert invite.from_.uri_text == f"sip:+33199@{TRUNK}"
        assert invite.from_.display == "Far Away"
        assert invite.get("P-Asserted-Identity") == f"<sip:+33199@{TRUNK}>"
        await hung_up(far, dialog, alice)
        assert "call from trunk 10.0.1.1 to alice@ims.test" in lab.log_text()

    play(scenario, PLAIN)


def test_the_phone_hangs_up_a_call_from_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        call = far.send_request(incoming(far))
        invite = await alice.expect("INVITE")
        alice.respond(invite, 200, alice.sdp())
        far.ack(call, await call.response(200))
        await alice.expect_ack()
        assert (await alice.in_dialog(alice.answered(invite), "BYE").final()).status == 200
        far.respond(await far.expect("BYE"), 200)

    play(scenario, PLAIN)


def test_what_the_trunk_asserts_is_passed_on() -> None:
    """RFC 3325 §5: a trusted element's P-Asserted-Identity is kept."""

    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        asserted = ("P-Asserted-Identity", "<tel:+33177>")
        dialog, invite = await answered(lab, far, alice, incoming(far, "tel:0600000001", asserted))
        assert invite.get_all("P-Asserted-Identity") == ["<tel:+33177>"]
        await hung_up(far, dialog, alice)

    play(scenario, PLAIN)


def test_the_trunk_calls_from_any_port_and_over_tcp() -> None:
    async def scenario(lab: Lab) -> None:
        _, alice = await far_end(lab, "alice")
        other = Peer(lab, "far", TRUNK, "TCP")
        await other.start(5099)
        dialog, _ = await answered(lab, other, alice, incoming(other))
        await hung_up(other, dialog, alice)

    play(scenario, PLAIN)


def test_a_call_from_elsewhere_is_refused_in_plain_words() -> None:
    async def scenario(lab: Lab) -> None:
        await far_end(lab, "alice")
        stranger = await lab.peer("stranger")
        assert (await stranger.send_request(incoming(stranger)).final()).status == 403
        assert (
            "INVITE from sip:+33199@10.0.1.1 at 10.0.1.3:5060 refused: no phone is registered from this "
            "address with this identity, and the trunk is 10.0.1.1 (trunk.addr)" in lab.log_text()
        )

    play(scenario, PLAIN)


def test_a_number_that_nobody_has_is_not_sent_back_to_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, _ = await far_end(lab, "alice")
        for uri, why in (
            ("sip:0999@10.0.0.1", "It came from the trunk, to which it is not sent back"),
            ("sip:account@10.0.0.1", "The trunk calls its account name: give it to the user"),
        ):
            refusal = await far.send_request(incoming(far, uri)).final()
            assert refusal.status == 404
            assert refusal.get("Reason") == 'Q.850;cause=1;text="Unallocated number"'
            assert why in lab.log_text()
        assert not far.incoming

    play(scenario, PLAIN)


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("PUBLISH", 405), ("BYE", 481), ("UPDATE", 481), ("REGISTER", 404)],
)
def test_every_request_of_the_trunk_gets_an_answer(method: str, status: int) -> None:
    async def scenario(lab: Lab) -> None:
        far, _ = await far_end(lab, "alice")
        assert (await far.send(method, "sip:0999@10.0.0.1").final()).status == status

    play(scenario, PLAIN)


@pytest.mark.parametrize(
    "headers",
    [
        (("Privacy", "id"), ("P-Preferred-Identity", f"<sip:alice@{DOMAIN}>")),
        (("Privacy", "header;user;id;critical"),),
    ],
)
def test_anonymous_calls_go_to_the_trunk_only_where_that_is_wanted(
    headers: tuple[tuple[str, str], ...],
) -> None:
    async def refused(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        refusal = await alice.send("INVITE", "tel:0123", headers, alice.sdp()).final()
        assert refusal.status == 433
        assert not far.incoming
        assert "set trunk.anonymous to true" in lab.log_text()

    async def forwarded(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        request = alice.build("INVITE", "tel:0123", headers, alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        assert invite.from_.uri_text == "sip:anonymous@anonymous.invalid"
        assert "alice" not in invite.encode().decode()
        assert invite.get("Privacy") == headers[0][1]
        assert invite.get("P-Asserted-Identity") == f"<sip:account@{TRUNK}>"
        await hung_up(alice, dialog, far)

    play(refused, PLAIN)
    play(forwarded, config("anonymous: true"))


@pytest.mark.parametrize(
    "headers",
    [
        {"From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=f'},
        {"Privacy": "id", "P-Asserted-Identity": "<tel:+33177>"},
    ],
)
def test_an_anonymous_call_from_the_trunk_shows_nobody(headers: dict[str, str]) -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        dialog, invite = await answered(
            lab, far, alice, incoming(far, "tel:0600000001", *headers.items(), ("Subject", "+33177"))
        )
        text = invite.encode().decode()
        assert invite.from_.uri_text == "sip:anonymous@anonymous.invalid"
        assert invite.get("Privacy") == "id"
        assert "P-Asserted-Identity" not in text
        assert "33177" not in text and "33199" not in text
        await hung_up(far, dialog, alice)

    play(scenario, PLAIN)


def test_its_own_tcp_threshold() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        for callee, uri, transport in ((far, "tel:0123", "TCP"), (alice, "tel:0600000001", "UDP")):
            caller = alice if callee is far else far
            call = caller.send_request(caller.build("INVITE", uri, body=caller.sdp()))
            invite = await callee.expect("INVITE")
            assert invite.flow.transport == transport
            callee.respond(invite, 486)
            assert (await call.final()).status == 486

    play(scenario, config("tcp_threshold: 300"))


@pytest.mark.parametrize("flag", [True, False])
def test_the_address_of_the_trunk_is_used_towards_it(flag: bool) -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        request = alice.build("INVITE", "tel:0123", body=alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        host = "10.0.0.2" if flag else "10.0.0.1"
        assert invite.via.host == host
        assert invite.contacts[0].uri.host == host
        assert f"c=IN IP4 {host}".encode() in invite.body
        await hung_up(alice, dialog, far)

    mark = ", trunk: true" if flag else ""
    play(
        scenario,
        config(sockets=f'"10.0.0.1", {{ addr: "10.0.0.2", port_min: 30000, port_max: 31000{mark} }}'),
    )


def test_a_trunk_behind_a_proxy_that_records_its_route() -> None:
    """RFC 3261 §16.6 step 4: in-dialog requests of both sides go through the proxy."""

    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        hidden = await lab.peer("hidden")
        record = ("Record-Route", f"<sip:{TRUNK};lr>")
        # To the trunk: the answer comes through the proxy and names a contact behind it.
        call = alice.send("INVITE", "tel:0123", body=alice.sdp())
        invite = await far.expect("INVITE")
        headers = (("Contact", f"<{hidden.uri}>"), ("Record-Route", record[1]), ("Content-Type", SDP_TYPE))
        tag = invite.local_tag
        invite.respond(Response.to_request(invite.request, 200, tag=tag, headers=headers, body=far.sdp()))
        mo = alice.ack(call, await call.response(200))
        ack = await far.expect_ack()
        assert ack.uri == hidden.uri and ack.get("Route") == f"<sip:{TRUNK};lr>"
        await hung_up(alice, mo, far)
        # From the trunk: our BYE takes the way that the INVITE came.
        call = far.send_request(
            far.build("INVITE", "tel:0600000001", (record, ("Contact", f"<{hidden.uri}>")), far.sdp())
        )
        invite = await alice.expect("INVITE")
        alice.respond(invite, 200, alice.sdp())
        answer = await call.response(200)
        assert answer.get("Record-Route") == f"<sip:{TRUNK};lr>"
        far.ack(call, answer)
        await alice.expect_ack()
        assert (await alice.in_dialog(alice.answered(invite), "BYE").final()).status == 200
        bye = await far.expect("BYE")
        assert bye.request.uri == hidden.uri
        far.respond(bye, 200)
        assert not hidden.incoming

    play(scenario, PLAIN)


def test_a_trunk_that_does_not_answer() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        refusal = await alice.send("INVITE", "tel:0123", body=alice.sdp()).final()
        assert refusal.status == 503
        assert "Network out of order" in (refusal.get("Reason") or "")
        assert "trunk 10.0.1.77 does not answer an INVITE" in lab.log_text()

    play(scenario, PLAIN.replace(TRUNK, "10.0.1.77"))


def test_a_trunk_that_wants_credentials() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        call = alice.send("INVITE", "tel:0123", body=alice.sdp())
        challenge = ("Proxy-Authenticate", 'Digest realm="x", nonce="y"')
        far.respond(await far.expect("INVITE"), 407, headers=(challenge,))
        refusal = await call.final()
        assert refusal.status == 480
        assert refusal.get("Proxy-Authenticate") is None
        assert "trunk 10.0.1.1 asks the server for credentials (407)" in lab.log_text()

    play(scenario, PLAIN)


def test_the_caller_gives_up_a_call_to_the_trunk() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        call = alice.send("INVITE", "tel:0123", body=alice.sdp())
        invite = await far.expect("INVITE")
        far.respond(invite, 183, far.sdp())
        await call.response(183)
        assert call.transaction is not None
        call.transaction.cancel()
        far.respond(await far.expect_cancel(), 487)
        assert (await call.final()).status == 487

    play(scenario, PLAIN)


def test_a_phone_registered_from_the_trunks_address_is_a_phone() -> None:
    """One machine with both: who names itself and is registered here is no trunk."""

    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        bob = Peer(lab, "bob", TRUNK)
        await bob.start(5070)
        assert (await bob.register()).status == 200
        dialog, invite = await answered(
            lab, bob, alice, bob.build("INVITE", "tel:0600000001", body=bob.sdp())
        )
        assert invite.from_.uri_text == f"sip:bob@{DOMAIN}"
        await hung_up(bob, dialog, alice)
        dialog, invite = await answered(lab, far, alice, incoming(far))
        assert invite.from_.uri_text == f"sip:+33199@{TRUNK}"
        await hung_up(far, dialog, alice)

    play(scenario, PLAIN)


def test_a_trunk_over_ipv6() -> None:
    async def scenario(lab: Lab) -> None:
        far = await lab.peer("far", ipv6=True)
        (alice,) = await lab.registered("alice")
        request = alice.build("INVITE", "tel:0123", body=alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        assert invite.uri == "sip:0123@[2001:db8::100:1]"
        assert b"c=IN IP6 2001:db8::1\r\n" in invite.body
        await hung_up(alice, dialog, far)
        request = far.build("INVITE", "tel:0600000001", body=far.sdp())
        dialog, _ = await answered(lab, far, alice, request)
        await hung_up(far, dialog, alice)

    play(scenario, PLAIN.replace(TRUNK, "2001:db8::100:1"))


def test_a_trunk_that_is_configured_by_name() -> None:
    async def scenario(lab: Lab) -> None:
        far, alice = await far_end(lab, "alice")
        lab.network.names["carrier.test"] = [TRUNK]
        refusal = await alice.send("INVITE", "tel:0123", body=alice.sdp()).final()
        assert refusal.status == 503
        assert "the trunk cannot be used: its name carrier.test is unknown" in lab.log_text()
        await lab.server.trunk.start()
        request = alice.build("INVITE", "tel:0123", body=alice.sdp())
        dialog, invite = await answered(lab, alice, far, request)
        assert invite.uri == "sip:0123@carrier.test"
        await hung_up(alice, dialog, far)
        dialog, _ = await answered(lab, far, alice, incoming(far))
        await hung_up(far, dialog, alice)

    play(scenario, PLAIN.replace(f'addr: "{TRUNK}"', 'addr: "carrier.test"'))


def test_without_a_trunk_an_unknown_number_is_404() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        refusal = await alice.send("INVITE", "tel:0123", body=alice.sdp()).final()
        assert refusal.status == 404
        assert "call to tel:0123 refused: nobody has this number; add it as impu" in lab.log_text()

    play(scenario)
