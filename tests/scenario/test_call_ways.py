"""Ways of messages in calls: NAT, odd contacts, loops, broken connections."""

from __future__ import annotations

import asyncio

from libreims.proto.sip.message import Response
from libreims.proto.sip.multipart import Part, join
from support.calls import CONFIG_PATIENT, connected, ended_by_server, hung_up
from support.lab import DOMAIN, Lab, play

BOB = f"sip:bob@{DOMAIN}"


def test_a_phone_that_registers_the_servers_address_makes_no_loop() -> None:
    """Its calls go to where its registration came from; what it names as target then ends with us."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        bob = await lab.peer("bob")
        assert (await bob.register(contact="<sip:bob@10.0.0.1:5060>")).status == 200
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_callee_whose_target_is_the_server_itself_is_found_out_and_the_call_ends() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.host, host = "10.0.0.1", bob.host  # what `respond` writes into Contact
        body = bob.sdp().replace(b"10.0.0.1", host.encode())
        bob.respond(invite, 200, body)
        bob.host = host
        mo = alice.ack(call, await call.response(200))
        inform = alice.in_dialog(mo, "INFO", b"x", (("Content-Type", "a/b"),))
        assert (await inform.final()).status == 500
        await ended_by_server(alice, reason="481")
        bob.stack.stop()  # it never got its ACK

    play(scenario)


def test_both_phones_behind_a_nat_are_reached_where_they_are_seen() -> None:
    """Contacts and Vias with private addresses: requests go back to where messages come from."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.peer("alice"), await lab.peer("bob")
        for number, peer in enumerate((alice, bob), 1):
            private = f"192.168.0.{number}"
            seen = peer.host
            assert (await peer.register(contact=f"<sip:{peer.name}@{private}>")).status == 200
            assert seen == peer.host
        fields = (("Contact", "<sip:alice@192.168.0.1>"),)
        call = alice.send("INVITE", BOB, fields, alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.uri == "sip:bob@192.168.0.2"
        response_fields = (("X-Nothing", "1"),)
        bob.respond(invite, 200, bob.sdp(), response_fields)
        alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        assert (await bob.in_dialog(bob.answered(invite), "BYE").final()).status == 200
        bye = await alice.expect("BYE")
        assert bye.request.uri == "sip:alice@192.168.0.1"
        alice.respond(bye, 200)

    play(scenario)


def test_a_call_to_the_own_number_is_busy_and_another_phone_of_the_same_user_rings() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        own = f"sip:alice@{DOMAIN}"
        assert (await alice.send("INVITE", own, body=alice.sdp()).final()).status == 486
        (second,) = await lab.registered("alice")
        mo, _ = await connected(alice, second, own)
        await hung_up(alice, mo, second)

    play(scenario)


def test_a_call_outlives_the_connection_that_it_was_made_on() -> None:
    """RFC 3261 §18: a dialog is not tied to a connection; the phone is called at its contact."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob", transport="TCP")
        mo, mt = await connected(alice, bob)
        for stream in sorted(lab.network._streams, key=lambda each: (each.local, each.remote)):
            stream.end(ConnectionResetError("cut by the test"))
        await asyncio.sleep(1)
        assert len(lab.server.calls.sessions) == 1
        assert (await bob.in_dialog(mt, "BYE").final()).status == 200
        bye = await alice.expect("BYE")
        assert bye.request.call_id == mo.call_id
        alice.respond(bye, 200)

    play(scenario, CONFIG_PATIENT)


def test_a_phone_that_vanished_does_not_keep_the_call() -> None:
    """The BYE to it gets no answer: the dialog goes all the same (§15.1.1)."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        lab.network.cut(bob.host)
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200
        assert lab.server.calls.dialogs == 1
        await asyncio.sleep(40)
        assert lab.server.calls.dialogs == 0

    play(scenario)


def test_a_reinvite_to_a_phone_that_vanished_ends_the_call() -> None:
    """RFC 3261 §12.2.1.2: no response at all."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        lab.network.cut(bob.host)
        change = alice.in_dialog(mo, "INVITE", alice.sdp())
        assert (await change.final()).status == 504
        await ended_by_server(alice)

    play(scenario, CONFIG_PATIENT)


def test_session_descriptions_among_other_parts_of_a_body() -> None:
    """An INVITE with a location (RFC 6442) and an answer with something else beside it; 415 without SDP."""

    def multipart(*parts: Part) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        content_type, body = join(list(parts))
        return body, (("Content-Type", content_type),)

    location = Part(("Content-Type: application/pidf+xml",), b"<presence/>")

    def described(sdp: bytes) -> Part:
        return Part(("Content-Type: application/sdp",), sdp)

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        body, headers = multipart(location, described(alice.sdp()))
        call = alice.send("INVITE", BOB, headers, body)
        invite = await bob.expect("INVITE")
        assert invite.request.content_type == "application/sdp"
        body, headers = multipart(described(bob.sdp()), location)
        answer = Response.to_request(
            invite.request,
            200,
            tag=invite.local_tag,
            headers=[("Contact", f"<{bob.uri}>"), *headers],
            body=body,
        )
        invite.respond(answer)
        accepted = await call.response(200)
        assert accepted.content_type == "application/sdp" and b"m=audio " in accepted.body
        mo = alice.ack(call, accepted)
        await bob.expect_ack()
        body, headers = multipart(location, described(alice.sdp(version=2, direction="sendonly")))
        change = alice.in_dialog(mo, "INVITE", body, headers)
        again = await bob.expect("INVITE")
        assert b"a=sendonly" in again.request.body
        bob.respond(again, 200, bob.sdp(version=2, direction="recvonly"))
        alice.ack(change, await change.response(200))
        await bob.expect_ack()
        await hung_up(alice, mo, bob)
        body, headers = multipart(location)
        assert (await alice.send("INVITE", BOB, headers, body).final()).status == 415

    play(scenario)
