"""What becomes of media ports and addresses when a call is set up, changed, refused, forked and ended."""

from __future__ import annotations

import asyncio

import pytest

from libreims.net.port import Address
from libreims.proto.sip.message import Message
from support.calls import changed, connected, described, ended_by_server, hung_up
from support.lab import CONFIG, DOMAIN, Lab, Peer, play

BOB = f"sip:bob@{DOMAIN}"
FEW_PORTS = CONFIG.replace(
    'sip_addr: ["10.0.0.1", "[2001:db8::1]"]',
    'sip_addr: [{addr: "10.0.0.1", port_min: 20000, port_max: 20005}]',
)
BEHIND_ADDRESS = CONFIG.replace(
    'sip_addr: ["10.0.0.1", "[2001:db8::1]"]', 'sip_addr: [{addr: "10.0.0.1", bind_addr: "10.0.0.9"}]'
)


class Ear:
    """A media port of a phone."""

    def __init__(self, lab: Lab, peer: Peer, port: int = 40000) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.socket = lab.network.udp(
            (peer.host, port), lambda data, source: self.heard.append((data, source))
        )

    def say(self, number: int, where: Message, line: int = 0) -> None:
        address = described(where).rtp_address(line)
        assert address is not None
        self.socket.send(b"\x80\x00" + bytes([number]) + bytes(9), address)

    @property
    def numbers(self) -> list[int]:
        return [data[2] for data, _ in self.heard]


async def moment() -> None:
    await asyncio.sleep(0.05)


def test_a_changed_address_moves_the_media_once_it_is_accepted() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        old, new, mouth = Ear(lab, alice), Ear(lab, alice, 41000), Ear(lab, bob)
        mouth.say(1, invite.request)
        await moment()
        change = alice.in_dialog(mo, "INVITE", alice.sdp(41000, version=2))
        asked = await bob.expect("INVITE")
        assert described(asked.request).rtp_address(0) == described(invite.request).rtp_address(0)
        mouth.say(2, invite.request)
        await moment()
        bob.respond(asked, 200, bob.sdp())
        alice.send_ack(mo, (await change.response(200)).cseq.number)
        await bob.expect_ack()
        mouth.say(3, invite.request)
        await moment()
        assert (old.numbers, new.numbers) == ([1, 2], [3])
        for each in (old, new, mouth):
            each.socket.close()
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_refused_change_leaves_addresses_ports_and_bridge_as_they_were() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        change = alice.in_dialog(mo, "INVITE", alice.sdp(41000, media=("-audio", "video")))
        bob.respond(await bob.expect("INVITE"), 488, headers=(("Warning", '305 bob "no"'),))
        refusal = await change.final()
        assert refusal.status == 488 and refusal.get("Warning") == '305 bob "no"'
        await moment()
        assert len(lab.server.relay) == 2
        ear, mouth = Ear(lab, alice), Ear(lab, bob)
        mouth.say(1, invite.request)
        ear.say(2, answer)
        await moment()
        assert (ear.numbers, mouth.numbers) == ([1], [2])
        ear.socket.close()
        mouth.socket.close()
        # What follows is checked against what is in force, not against the refused offer.
        await changed(alice, mo, bob, offer=alice.sdp(version=3), answer=bob.sdp())
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_stream_that_was_taken_away_comes_back() -> None:
    """RFC 3264 §8.1, §8.2: an m-line with port 0 may be used again."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        for media, ports in ((("audio", "video"), 4), (("audio", "-video"), 2), (("audio", "video"), 4)):
            await changed(alice, mo, bob, offer=alice.sdp(media=media), answer=bob.sdp(media=media))
            assert len(lab.server.relay) == ports
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_change_that_reached_the_callee_only_never_takes_m_lines_away() -> None:
    """RFC 3264 §8: never fewer m-lines than before, although the caller cancelled the one that was new."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, mt = await connected(alice, bob)
        both = ("audio", "video")
        change = alice.in_dialog(mo, "INVITE", alice.sdp(media=both))
        asked = await bob.expect("INVITE")
        await change.response(100)
        assert change.transaction is not None
        change.transaction.cancel()
        bob.respond(asked, 200, bob.sdp(media=both))
        assert (await change.final()).status == 487
        await bob.expect_ack()
        back = await bob.expect("INVITE")
        assert [media.port != 0 for media in described(back.request).media] == [True, False]
        bob.respond(back, 200, bob.sdp(media=("audio", "-video")))
        await bob.expect_ack()
        await moment()
        assert len(lab.server.relay) == 2
        done = await changed(alice, mo, bob, offer=alice.sdp(), answer=bob.sdp(media=("audio", "-video")))
        assert len(described(done.responses[-1]).media) == 1
        mt.local_cseq = 5
        wide = bob.in_dialog(mt, "INVITE", bob.sdp(media=both))
        asked = await alice.expect("INVITE")
        alice.respond(asked, 200, alice.sdp(media=both))
        bob.send_ack(mt, (await wide.response(200)).cseq.number)
        await alice.expect_ack()
        await moment()
        assert len(lab.server.relay) == 4
        await hung_up(alice, mo, bob)

    play(scenario)


def test_without_a_free_port_the_caller_is_told_when_to_try_again() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        (carol,) = await lab.registered("carol")
        refusal = await carol.send("INVITE", BOB, body=carol.sdp()).final()
        assert refusal.status == 503 and refusal.get("Retry-After")
        assert "raise port_max" in lab.log_text()
        # Nor for more in the running call: that change is refused and gives back what it had got.
        change = await alice.in_dialog(mo, "INVITE", alice.sdp(media=("audio", "video"))).final()
        assert change.status == 503
        assert len(lab.server.relay) == 2
        await hung_up(alice, mo, bob)

    play(scenario, FEW_PORTS)


def test_the_advertised_address_is_what_phones_see_and_the_bound_one_carries_the_media() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp())
        answer = await call.response(200)
        mo = alice.ack(call, answer)
        await bob.expect_ack()
        for message in (invite.request, answer):
            address = described(message).rtp_address(0)
            assert address is not None and address[0] == "10.0.0.1"
            assert message.contacts[0].uri.host == "10.0.0.1"
            assert ("10.0.0.9", address[1]) in lab.network.bound
        await hung_up(alice, mo, bob)

    async def behind(lab: Lab) -> None:
        """What is sent to the advertised address arrives at the bound one, as a router in front would do."""
        original = lab.network.datagram

        def forwarded(source: Address, destination: Address, data: bytes) -> None:
            host = "10.0.0.9" if destination[0] == "10.0.0.1" else destination[0]
            origin = "10.0.0.1" if source[0] == "10.0.0.9" else source[0]
            original((origin, source[1]), (host, destination[1]), data)

        lab.network.datagram = forwarded  # type: ignore[method-assign]
        await scenario(lab)

    play(behind, BEHIND_ADDRESS)


def test_phones_that_did_not_answer_give_their_ports_back_at_once() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two, three = await lab.registered("bob", "bob", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        first, second, third = [await each.expect("INVITE") for each in (one, two, three)]
        assert len(lab.server.relay) == 4
        one.respond(first, 180)
        three.respond(third, 486)
        await moment()
        assert len(lab.server.relay) == 3
        two.respond(second, 200, two.sdp())
        answer = await call.response(200)
        mo = alice.ack(call, answer)
        await two.expect_ack()
        one.respond(await one.expect_cancel(), 200, one.sdp())  # crosses the CANCEL
        await one.expect_ack()
        await ended_by_server(one, reason="Call completed elsewhere")
        assert len(lab.server.relay) == 2
        ear, mouth = Ear(lab, alice), Ear(lab, two)
        ear.say(1, answer)
        mouth.say(2, second.request)
        await moment()
        assert (ear.numbers, mouth.numbers) == ([2], [1])
        ear.socket.close()
        mouth.socket.close()
        await hung_up(alice, mo, two)

    play(scenario)


def test_early_media_of_one_phone_does_not_bind_the_answer_of_another() -> None:
    """The phone that previews refuses video; the one that answers takes it: both ways flow."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp(media=("audio", "video")))
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        one.respond(first, 183, one.sdp(media=("audio", "-video")))
        await call.response(183)
        ear, voice = Ear(lab, alice), Ear(lab, one)
        voice.say(1, first.request)
        await moment()
        assert ear.numbers == [1]
        two.respond(second, 200, two.sdp(media=("audio", "video")))
        answer = await call.response(200)
        mo = alice.ack(call, answer)
        one.respond(await one.expect_cancel(), 487)
        eye, camera = Ear(lab, alice, 40002), Ear(lab, two, 40002)
        camera.say(2, second.request, line=1)
        eye.say(3, answer, line=1)
        await moment()
        assert (eye.numbers, camera.numbers) == ([2], [3])
        for each in (ear, voice, eye, camera):
            each.socket.close()
        await two.expect_ack()
        await hung_up(alice, mo, two)

    play(scenario)


def test_6xx_of_one_phone_ends_the_ringing_of_all() -> None:
    """RFC 3261 §16.7 step 5."""

    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        one, two = await lab.registered("bob", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp())
        first, second = await one.expect("INVITE"), await two.expect("INVITE")
        two.respond(second, 180)
        one.respond(first, 603)
        two.respond(await two.expect_cancel(), 487)
        assert (await call.final()).status == 603
        assert len(lab.server.relay) == 0

    play(scenario)


def test_identifiers_in_the_log_are_those_of_the_manual() -> None:
    """Manual §9: that of the binding in layer `ims`, that of the SIP dialog in layers `sip` and `media`."""

    async def scenario(lab: Lab) -> None:
        bob, alice = await lab.registered("bob", "alice")
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)
        assert (await alice.send("INVITE", "sip:nobody@ims.test", body=alice.sdp()).final()).status == 404
        entries = lab.log.ring.since(0)[1]
        dialogs = {each.id for each in entries if each.layer == "sip" and "INVITE sip:" in each.message}
        media = {each.id for each in entries if each.layer == "media"}
        refused = next(each.id for each in entries if each.layer == "sip" and "404 " in each.message)
        assert len(media) == 2
        assert media == dialogs - {refused}
        (binding,) = lab.server.bindings.of(f"alice@{DOMAIN}")
        assert binding.number not in media
        told = [each for each in entries if each.layer == "ims" and "call " in each.message]
        assert any("call to sip:nobody" in each.message for each in told)
        assert {each.id for each in told} == {binding.number}

    play(scenario)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_held_call_stays_and_a_resumed_one_is_watched_again(direction: str) -> None:
    """`dialog_timeout`: most phones send nothing on hold, whatever they announced."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        quiet = {"sendonly": "recvonly", "inactive": "inactive"}[direction]
        await changed(alice, mo, bob, offer=alice.sdp(direction=direction), answer=bob.sdp(direction=quiet))
        await asyncio.sleep(600)
        assert not alice.incoming and not bob.incoming
        await changed(alice, mo, bob, offer=alice.sdp(), answer=bob.sdp())
        await ended_by_server(alice, bob, reason="Media timeout")

    play(scenario)


def test_dialog_timeout_switched_off_during_a_call_holds_for_it() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        lab.config.update({"dialog_timeout": 0})
        await asyncio.sleep(600)
        assert not alice.incoming and not bob.incoming
        await hung_up(alice, mo, bob)

    play(scenario)


def test_a_call_without_any_stream_is_possible_and_not_timed_out() -> None:
    """RFC 3264 §5: an offer may have no m-line at all."""

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        call = alice.send("INVITE", BOB, body=alice.sdp(media=()))
        invite = await bob.expect("INVITE")
        bob.respond(invite, 200, bob.sdp(media=()))
        mo = alice.ack(call, await call.response(200))
        await bob.expect_ack()
        await asyncio.sleep(300)
        assert len(lab.server.relay) == 0 and not alice.incoming
        await hung_up(alice, mo, bob)

    play(scenario)
