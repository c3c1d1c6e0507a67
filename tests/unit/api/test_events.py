"""`api.events`: who is told what (manual §6.7)."""

import asyncio
from typing import Any

import pytest

from libreims.api import events
from libreims.call.history import DialogChanged, InvitePending
from support.api import Link, ask
from support.calls import connected, hung_up
from support.lab import CONFIG, DOMAIN, Lab, Peer, play

QUIET = CONFIG.replace("all.level=debug", "all.level=warn")


def of(link: Link, name: str) -> list[dict[str, Any]]:
    return [frame for frame in link.frames if frame["message"] == name]


def test_only_what_was_asked_for_and_only_while_it_is() -> None:
    async def scenario(lab: Lab) -> None:
        bus = lab.server.api.services.bus
        listener, other = Link(lab), Link(lab)
        alice, bob = await lab.registered("alice", "bob")
        assert len(listener.frames) == 1
        listener.say({"message": "register", "register": ["dialog", "users_update"]})
        other.say({"message": "register", "register": "users_update"})
        mo, _ = await connected(alice, bob)
        assert {frame["message"] for frame in listener.frames[2:]} == {"dialog", "users_update"}
        assert {frame["message"] for frame in other.frames[2:]} == {"users_update"}
        listener.say({"message": "register", "unregister": ["dialog", "users_update", "sms"]})
        other.leave()
        assert not bus.wanted(DialogChanged)
        heard = len(listener.frames), len(other.frames)
        await hung_up(alice, mo, bob)
        await asyncio.sleep(5)
        assert (len(listener.frames), len(other.frames)) == heard

    play(scenario)


def test_dialog_tells_each_state_of_both_dialogs_in_order() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "dialog"})
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        await hung_up(alice, mo, bob)
        await asyncio.sleep(1)
        events = of(link, "dialog")
        times = [event["time"] for event in events]
        assert times == sorted(times)
        states: dict[str, list[str]] = {}
        for event in events:
            states.setdefault(event["dialog"]["type"], []).append(event["dialog"]["state"])
        assert states == {"server": ["ringing", "start", "stop"], "mt call": ["ringing", "start", "stop"]}
        listed = (await ask(lab, "dialog_get"))["dialogs"]
        assert {event["dialog"]["session_id"] for event in events} == {each["session_id"] for each in listed}
        last = {event["dialog"]["session_id"]: event["dialog"] for event in events}
        assert set(last[listed[0]["session_id"]]) == set(listed[0])

    play(scenario, QUIET)


def test_users_update_is_what_users_get_shows() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "users_update"})
        (alice,) = await lab.registered("alice")
        await asyncio.sleep(1)
        (event,) = of(link, "users_update")
        shown = (await ask(lab, "users_get", registered_only=True))["users"]
        event["users_update"][0]["bindings"][0]["expires"] = shown[0]["bindings"][0]["expires"]
        assert event["users_update"] == shown
        await alice.register(expires=0)
        await asyncio.sleep(1)
        assert of(link, "users_update")[-1]["users_update"][0]["bindings"] == []

    play(scenario, QUIET)


def test_a_call_changes_both_users() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        alice, bob = await lab.registered("alice", "bob")
        link.say({"message": "register", "register": "users_update"})
        mo, _ = await connected(alice, bob)
        await asyncio.sleep(1)
        users = {user["impi"]: user for frame in of(link, "users_update") for user in frame["users_update"]}
        assert users[f"alice@{DOMAIN}"]["dialogs"] == [{"remote": f"bob@{DOMAIN}"}]
        assert users[f"bob@{DOMAIN}"]["dialogs"] == [{"remote": f"alice@{DOMAIN}"}]
        await hung_up(alice, mo, bob)
        await asyncio.sleep(1)
        users = {user["impi"]: user for frame in of(link, "users_update") for user in frame["users_update"]}
        assert [user["dialogs"] for user in users.values()] == [[], []]

    play(scenario, QUIET)


def test_a_storm_of_changes_is_told_together() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        peers = await lab.registered("alice", "bob", "carol", "dave")
        await asyncio.sleep(1)
        link.say({"message": "register", "register": "users_update"})
        for _ in range(5):
            await asyncio.gather(*(peer.register() for peer in peers))
        await asyncio.sleep(1)
        events = of(link, "users_update")
        assert 1 <= len(events) <= 2
        assert len(events[0]["users_update"]) == 4

    play(scenario, QUIET)


def test_a_change_by_the_remote_api_is_a_change_too() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "users_update"})
        await ask(lab, "user_set", impi=f"alice@{DOMAIN}", force_sms_over_sg=True)
        await ask(lab, "impu_add", impi="echo", impu="tel:777")
        await asyncio.sleep(1)
        (event,) = of(link, "users_update")
        assert event["users_update"][0]["force_sms_over_sg"] is True
        assert len(event["users_update"]) == 1

    play(scenario, QUIET)


def test_invite_asks_for_an_answer() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "invite"})
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:666", body=alice.sdp())
        await asyncio.sleep(1)
        (event,) = of(link, "invite")
        assert event["to"] == "tel:666"
        assert "alice" in event["from"]
        assert lab.server.api.services.bus.wanted(InvitePending)
        await ask(lab, "dialog_set", session_id=event["session_id"], action="answer")
        mo = alice.ack(call, await call.response(200))
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200

    play(scenario, QUIET.replace('"tel:666"', '{impu: "tel:666", remote_control: true}'))


def test_the_server_ends_and_nobody_is_told_any_more() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": ["users_update", "dialog"]})
        alice: Peer
        (alice,) = await lab.registered("alice")
        await lab.server.api.stop()
        heard = len(link.frames)
        await alice.register(expires=0)
        await asyncio.sleep(1)
        assert len(link.frames) == heard
        link.leave()

    play(scenario, QUIET)


def test_whoever_has_gone_is_not_registered_afterwards() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "dialog", "start_time": 1, "standalone": True})
        link.leave()
        await asyncio.sleep(5)
        assert not lab.server.api.events._clients
        assert not lab.server.api.services.bus.wanted(DialogChanged)

    play(scenario, QUIET)


def test_very_many_changes_are_told_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "TOGETHER", 2)

    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "users_update"})
        for name in ("alice", "bob", "carol", "dave", "alice", "dave"):
            await ask(lab, "user_set", impi=f"{name}@{DOMAIN}", force_sms_over_sg=True)
        await asyncio.sleep(1)
        told = [[user["impi"] for user in each["users_update"]] for each in of(link, "users_update")]
        assert told == [
            [f"{name}@{DOMAIN}" for name in pair] for pair in (("alice", "bob"), ("carol", "dave"))
        ]
        await ask(lab, "user_set", impi=f"bob@{DOMAIN}", force_sms_over_sg=False)
        link.say({"message": "register", "unregister": "users_update"})
        await asyncio.sleep(1)
        assert not of(link, "users_update")[len(told) :]

    play(scenario, QUIET)
