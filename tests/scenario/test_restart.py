"""The server ends, in order or by kill -9, and another one goes on with its file while the clock runs."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from itertools import pairwise
from pathlib import Path

from libreims.base.errors import Reject
from libreims.base.log import Log
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.sequence import split
from libreims.proto.aka.usim import Usim
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from libreims.store.opening import open_store
from libreims.users.bindings import Cause, Change
from support.calls import connected, hung_up
from support.full_disk import full_disk
from support.lab import CONFIG, DOMAIN, Lab, Peer
from support.restarts import Kept, crashing, play
from support.secure_phone import SECURE, secure_phone
from support.sim_phone import SimPhone

REG = (("Event", "reg"), ("Expires", "600000"))
K, OPC = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
SIM = CONFIG.replace('authent_type: "none"', f'sim_algo: "milenage", opc: "{OPC}"')
MD5 = CONFIG.replace('authent_type: "none"', 'pwd: "secret", authent_qop: "auth"')


async def notified(phone: Peer) -> Request:
    transaction = await phone.expect("NOTIFY")
    phone.respond(transaction, 200)
    return transaction.request


def version(request: Request) -> int:
    found = re.search(rb'version="(\d+)"', request.body)
    assert found is not None
    return int(found[1])


def events(request: Request) -> list[str]:
    body = request.body.decode().partition("</registration>")[0]
    return re.findall(r'<contact [^>]*event="(\w+)"', body)


@crashing
def test_a_phone_of_before_is_called_right_after_the_start(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice, bob = await lab.registered("alice", "bob")
        numbers = {binding.impi: binding.number for binding in lab.server.bindings}
        await kept.restart(crash=crash, down=60)
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)
        assert {binding.impi: binding.number for binding in lab.server.bindings} == numbers
        assert "2 registrations of before the restart go on" in kept.logged()
        # Registrations of before and after have identifiers of their own.
        (carol,) = await lab.registered("carol")
        assert len({binding.number for binding in lab.server.bindings}) == 3
        await kept.restart(crash=crash)
        mo, _ = await connected(bob, carol)
        await hung_up(bob, mo, carol)

    play(scenario, tmp_path)


def test_without_a_file_nobody_is_there_any_more(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        await lab.registered("alice")
        await lab.server.stop()
        await lab.restart(None)
        assert len(lab.server.bindings) == 0

    play(scenario, tmp_path)


@crashing
def test_all_of_a_binding_comes_back(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice = await lab.peer("alice", ipv6=True)
        contact = (
            f"<{alice.uri}>;q=0.5;+g.3gpp.smsip;video;reg-id=3;"
            '+sip.instance="<urn:gsma:imei:35693803-564380-0>"'
        )
        assert (await alice.register(contact=contact, User_Agent="Phone \u00e9")).status == 200
        (before,) = lab.server.bindings
        assert before.features.sms and before.features.video and before.imei and before.user_agent
        await kept.restart(crash=crash)
        (after,) = lab.server.bindings
        # The phone may send the REGISTER again whose answer it did not get.
        assert after == dataclasses.replace(before, cseq=before.cseq - 1)

    play(scenario, tmp_path)


def test_a_register_that_is_sent_again_after_the_crash_is_answered(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice = await lab.peer("alice")
        headers = (("Call-ID", "same"), ("Expires", "3600"))
        target, aor = f"sip:{DOMAIN}", f"<sip:alice@{DOMAIN}>"
        assert (await alice.send("REGISTER", target, headers, to=aor).final()).status == 200
        await kept.restart(crash=True)
        assert (await alice.send("REGISTER", target, headers, to=aor).final()).status == 200
        assert len(lab.server.bindings) == 1
        assert (await alice.send("REGISTER", target, headers, to=aor).final()).status == 500

    play(scenario, tmp_path)


@crashing
def test_what_expired_while_the_server_was_down_is_told(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        phone, tablet = await lab.peer("alice"), await lab.peer("alice")
        assert (await tablet.register(600)).status == 200
        assert (await phone.register(100_000)).status == 200
        outcome = phone.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG)
        assert (await outcome.final()).status == 200
        first = await notified(phone)
        (bob,) = await lab.registered("bob")
        await kept.restart(crash=crash, down=1000)
        last = await notified(phone)
        assert sorted(events(last)) == ["expired", "registered"]
        assert version(last) == version(first) + 1
        assert last.cseq.number == first.cseq.number + 1
        assert f"expired while the server was down: {tablet.uri}" in kept.logged()
        assert len(kept.records("binding")) == 2  # alice's phone and bob
        mo, _ = await connected(bob, phone, f"sip:alice@{DOMAIN}")
        await hung_up(bob, mo, phone)
        assert not tablet.incoming

    play(scenario, tmp_path)


@crashing
def test_a_subscription_goes_on(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        (alice,) = await lab.registered("alice")
        outcome = alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", (("Event", "reg;id=5"), *REG[1:]))
        answer = await outcome.final()
        assert answer.status == 200 and outcome.transaction is not None
        own = Dialog.from_response(outcome.transaction.request, answer)
        seen = [await notified(alice)]
        await asyncio.sleep(10)
        await kept.restart(crash=crash, down=5)
        await asyncio.sleep(10)
        assert not alice.incoming, "there was nothing new to tell"
        for _ in range(3):
            assert (await alice.register(7200)).status == 200
            seen.append(await notified(alice))
            await kept.restart(crash=crash)
        assert [version(each) for each in seen] == [0, 1, 2, 3]
        numbers = [each.cseq.number for each in seen]
        assert numbers == sorted(set(numbers))
        assert {each.get("Event") for each in seen} == {"reg;id=5"}
        assert {each.call_id for each in seen} == {answer.call_id}
        assert len(kept.records("subscription")) == 1
        # Time has gone on for it too, and the phone ends it in its dialog.
        remaining = int((seen[-1].get("Subscription-State") or "").rpartition("=")[2])
        assert 600_000 - 60 < remaining < 600_000
        ended = alice.in_dialog(own, "SUBSCRIBE", headers=(("Event", "reg;id=5"), ("Expires", "0")))
        assert (await ended.final()).status == 200
        last = await notified(alice)
        assert "terminated" in (last.get("Subscription-State") or "") and version(last) == 4
        await asyncio.sleep(1)
        assert kept.records("subscription") == []

    play(scenario, tmp_path)


def test_a_phone_is_told_what_it_could_not_be_told_before_the_crash(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        (alice,) = await lab.registered("alice")
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
        await kept.restart(crash=True)  # before the first NOTIFY has left
        first = await notified(alice)
        assert version(first) == 0 and events(first) == ["registered"]
        await asyncio.sleep(0.1)
        other = await lab.peer("alice")
        assert (await other.register()).status == 200  # within the five seconds after the last one
        await kept.restart(crash=True)
        second = await notified(alice)
        assert version(second) == 1 and len(events(second)) == 2
        await kept.restart(crash=True)
        await asyncio.sleep(10)
        assert not alice.incoming

    play(scenario, tmp_path)


def test_subscriptions_without_a_registration_end_after_the_restart(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice, bob = await lab.registered("alice", "bob")
        for phone, seconds in ((alice, "600000"), (bob, "60")):
            headers = (("Event", "reg"), ("Expires", seconds))
            assert (
                await phone.send("SUBSCRIBE", f"sip:{phone.name}@{DOMAIN}", headers).final()
            ).status == 200
            await notified(phone)
        await kept.restart(crash=True, down=4000)
        last = await notified(alice)
        assert last.get("Subscription-State") == "terminated;reason=noresource"
        await asyncio.sleep(10)
        assert not bob.incoming  # its subscription ended before, for itself too
        assert kept.records("subscription") == [] and kept.records("binding") == []
        assert "2 expired meanwhile" in kept.logged()

    play(scenario, tmp_path)


def test_sqn_go_on(tmp_path: Path) -> None:
    """No vector is given out twice, and the card takes each of them without a resynchronisation."""

    async def scenario(lab: Lab, kept: Kept) -> None:
        alice = await lab.peer("alice")
        card = Usim(sim_algorithm("milenage", bytes.fromhex(K), opc=bytes.fromhex(OPC)), 0)
        sim = SimPhone(f"alice@{DOMAIN}", card=card, qop="auth")
        used: list[int] = []

        async def register(number: int) -> None:
            common = (("Call-ID", f"call {number}"), ("Expires", "3600"))
            target, aor = f"sip:{DOMAIN}", f"<sip:alice@{DOMAIN}>"
            first = await alice.send(
                "REGISTER", target, (*common, ("Authorization", sim.first(DOMAIN))), to=aor
            ).final()
            assert first.status == 401
            answer = sim.answer(refusal(first))
            assert "auts" not in answer and sim.result is not None
            used.append(sim.result.sqn)
            again = (*common, ("CSeq", "2 REGISTER"), ("Authorization", answer))
            assert (await alice.send("REGISTER", target, again, to=aor).final()).status == 200

        for number in range(50):
            await register(number)
            if number % 20 == 3:
                await kept.restart(crash=True)
            if number % 20 == 13:
                await kept.restart()
        assert used == sorted(set(used))
        steps = [(b[0] - a[0], (b[1] - a[1]) % 32) for a, b in pairwise(map(split, used))]
        # Each restart costs the rest of a block, and leaves SEQ and IND in step.
        assert all(1 <= seq <= 32 and seq % 32 == ind for seq, ind in steps), steps
        assert 0 < sum(seq > 1 for seq, _ in steps) <= 5

    play(scenario, tmp_path, SIM)


def refusal(response: Response) -> Reject:
    """A challenge as `SimPhone` reads it."""
    return Reject(
        response.status, "", headers=(("WWW-Authenticate", response.get("WWW-Authenticate") or ""),)
    )


def test_a_password_phone_is_challenged_anew_without_being_asked_for_its_password(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice = await lab.peer("alice")
        sim = SimPhone(f"alice@{DOMAIN}", password=b"secret", qop="auth")

        async def register(number: int, authorization: str) -> Response:
            headers = (("Call-ID", "c"), ("CSeq", f"{number} REGISTER"), ("Authorization", authorization))
            return await alice.send("REGISTER", f"sip:{DOMAIN}", headers, to=f"<sip:alice@{DOMAIN}>").final()

        challenge = await register(1, sim.first(DOMAIN, "MD5"))
        assert (await register(2, sim.answer(refusal(challenge)))).status == 200
        assert (await register(3, sim.again())).status == 200
        await kept.restart()
        challenge = await register(4, sim.again())
        assert challenge.status == 401 and "stale=true" in (challenge.get("WWW-Authenticate") or "")
        assert (await register(5, sim.answer(refusal(challenge)))).status == 200

    play(scenario, tmp_path, MD5)


@crashing
def test_a_phone_with_tcp_is_reached_by_a_new_connection_to_its_contact(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice, bob = await lab.registered("alice", "bob", transport="TCP")
        (before,) = lab.server.bindings.of(f"bob@{DOMAIN}")
        assert before.flow.connection and before.flow.remote != bob.address
        await kept.restart(crash=crash, down=1)
        (after,) = lab.server.bindings.of(f"bob@{DOMAIN}")
        assert after.flow == ("TCP", before.flow.local, bob.address, 0)
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)

    play(scenario, tmp_path)


def test_what_cannot_come_back_is_dropped_with_a_line_each(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        _, bob, _ = await lab.registered("alice", "bob", "carol")
        (dave,) = await lab.registered("dave", ipv6=True)
        (binding,) = lab.server.bindings.of(f"bob@{DOMAIN}")
        protected = dataclasses.replace(binding, protected=True)
        lab.server.bindings.apply(binding.impi, [Change(Cause.REFRESHED, protected, binding)])
        without_carol = re.sub(r"\{[^{}]*carol[^{}]*\},", "", CONFIG).replace(', "[2001:db8::1]"', "")
        await kept.restart(config=without_carol)
        assert [each.impi for each in lab.server.bindings] == [f"alice@{DOMAIN}"]
        said = kept.logged()
        for user, why in (
            (bob, "its IPsec keys ended with the server, so the phone has to register again"),
            (dave, "the server has no address any more from which 2001:db8::100:4 can be reached"),
        ):
            assert f"The registration of {user.name}@{DOMAIN} at {user.uri} is dropped: {why}" in said
        assert re.search("carol.* is dropped: there is no such user in ue_db any more", said)
        await kept.restart()
        assert "dropped" not in kept.logged(), "their records are gone"

    play(scenario, tmp_path)


def test_another_address_of_the_server_takes_over(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice, bob = await lab.registered("alice", "bob")
        await kept.restart(config=CONFIG.replace('["10.0.0.1", ', '["10.0.0.2", '))
        alice.server = bob.server = ("10.0.0.2", 5060)
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)

    play(scenario, tmp_path)


def test_records_that_cannot_be_read_cost_only_themselves(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        await lab.registered("alice")
        kept.store.records("binding").put("99", {"impi": f"bob@{DOMAIN}"})
        kept.store.records("binding").put("x", {})
        kept.store.records("subscription").put("y", {"impi": 3})
        kept.store.records("sqn").put(f"bob@{DOMAIN}", {"last": "much"})
        await kept.restart()
        assert [each.impi for each in lab.server.bindings] == [f"alice@{DOMAIN}"]
        assert kept.logged().count("cannot be read and is dropped") == 4
        assert [len(kept.records(kind)) for kind in ("binding", "subscription", "sqn")] == [1, 0, 0]

    play(scenario, tmp_path)


def test_on_a_full_disk_nothing_is_accepted_that_would_be_lost(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice, bob = await lab.registered("alice", "bob")
        carol = await lab.peer("carol")
        assert (await bob.send("SUBSCRIBE", f"sip:bob@{DOMAIN}", REG).final()).status == 200
        await notified(bob)
        before = set(lab.server.bindings)
        with full_disk():
            refused = await carol.register()
            assert (refused.status, refused.get("Retry-After")) == (500, "60")
            assert (await alice.register(0)).status == 500
            refused = await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()
            assert (refused.status, refused.get("Retry-After")) == (500, "60")
            assert set(lab.server.bindings) == before
            assert len(lab.server.reg_event) == 1
            mo, _ = await connected(alice, bob)
            await hung_up(alice, mo, bob)
            await asyncio.sleep(3700)
            assert len(lab.server.bindings) == 0  # time goes on all the same
            last = await notified(bob)
            assert "noresource" in (last.get("Subscription-State") or "")
        said = kept.logged()
        assert len(re.findall(r"ims\.db cannot be written: .*; .*\. Until it can be", said)) == 1
        assert "The registration of carol@ims.test is refused, as it cannot be kept" in said
        assert (await carol.register()).status == 200
        assert "can be written again" in kept.logged()
        await kept.restart(crash=True)
        await asyncio.sleep(1)
        assert [each.impi for each in lab.server.bindings] == [f"carol@{DOMAIN}"]

    play(scenario, tmp_path)


def test_a_sim_gets_no_vector_that_might_be_given_out_again(tmp_path: Path) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        (alice, bob) = await lab.peer("alice"), await lab.peer("bob")
        assert (await alice.register()).status == 401
        with full_disk():
            assert (await alice.register()).status == 401, "from the block that is reserved"
            assert (await bob.register()).status == 504
        assert "bob@ims.test gets no challenge, as its SQN cannot be kept" in kept.logged()
        assert (await bob.register()).status == 401

    play(scenario, tmp_path, SIM)


def test_the_log_of_a_quiet_start_is_quiet(tmp_path: Path) -> None:
    log = Log(utc=float)
    open_store(str(tmp_path / "new.db"), log.layer("ims")).close()
    assert log.ring.since(0)[1] == []


@crashing
def test_a_phone_behind_ipsec_registers_again(tmp_path: Path, crash: bool) -> None:
    async def scenario(lab: Lab, kept: Kept) -> None:
        alice = await secure_phone(lab, "alice")
        assert (await alice.secure()).status == 200
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
        await notified(alice)
        (before,) = lab.server.bindings
        await kept.restart(crash=crash, down=5)
        assert len(lab.server.bindings) == 0 and len(lab.server.reg_event) == 0
        assert re.search(
            f"registration of alice@{DOMAIN} at .* is dropped: its IPsec keys ended with the server, so the "
            "phone has to register again",
            kept.logged(),
        )
        alice.forget()  # it got no answer any more (TS 24.229 §5.1.1.4.1)
        answer = await alice.secure()
        assert answer.status == 200, lab.log_text()
        (after,) = lab.server.bindings
        assert after.protected and after.flow != before.flow
        assert (await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", REG).final()).status == 200
        await notified(alice)
        assert len(kept.records("binding")) == len(kept.records("subscription")) == 1

    play(scenario, tmp_path, SECURE)
