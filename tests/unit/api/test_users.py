"""`api.users`: the messages about users, with the fields and types of the manual (§6.6)."""

from __future__ import annotations

import asyncio

from libreims.api.client import Client
from libreims.users.reading import SLICE
from support.api import ask, error
from support.callflow import connected
from support.calls import hung_up
from support.lab import DOMAIN, Lab, play

TYPES = {
    "impi": str,
    "force_sms_over_sg": bool,
    "bindings": list,
    "dialogs": list,
    "sms": int,
}
BINDING_TYPES = {"uri": str, "impu": list, "q": float, "video": bool, "expires": int}
OPTIONAL = {"sms": bool, "imei": str, "volte": bool, "sos": bool}


def test_users_get() -> None:
    async def scenario(lab: Lab) -> None:
        response = await ask(lab, "users_get")
        assert [each["impi"] for each in response["users"]] == [
            f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "dave")
        ]
        assert all(
            each["bindings"] == each["dialogs"] == [] and each["sms"] == 0 for each in response["users"]
        )
        assert (await ask(lab, "users_get", registered_only=True))["users"] == []
        alice, bob = await lab.registered("alice", "bob")
        instance = '"<urn:gsma:imei:35876543-210987-1>"'
        contact = (
            f"<sip:alice@{alice.host}:5060>;+sip.instance={instance};+g.3gpp.smsip;video;q=0.5;"
            '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"'
        )
        assert (await alice.register(contact=contact)).status == 200
        await asyncio.sleep(10)
        mo, _ = await connected(alice, bob)
        users = (await ask(lab, "users_get", registered_only=True))["users"]
        for user in users:
            assert {name: type(value) for name, value in user.items()} == TYPES
            for binding in user["bindings"]:
                allowed = BINDING_TYPES | OPTIONAL
                assert BINDING_TYPES.keys() <= binding.keys() <= allowed.keys()
                assert all(isinstance(value, allowed[name]) for name, value in binding.items())
        assert [each["impi"] for each in users] == ["alice@ims.test", "bob@ims.test"]
        (binding,) = users[0]["bindings"]
        assert binding["impu"] == ["sip:alice@ims.test", "tel:0600000001"], "SIP first, tel second"
        assert binding["imei"] == "358765432109871" and binding["video"] and binding["volte"]
        assert binding["q"] == 0.5 and binding["sms"] is False and 3500 < binding["expires"] < 3595
        assert "sms" not in users[1]["bindings"][0]
        assert users[0]["dialogs"] == [{"remote": "bob@ims.test"}]
        assert users[1]["dialogs"] == [{"remote": "alice@ims.test"}]
        await hung_up(alice, mo, bob)
        await asyncio.sleep(1)
        users = (await ask(lab, "users_get", registered_only=True))["users"]
        assert users[0]["dialogs"] == users[1]["dialogs"] == []

    play(scenario)


def test_who_is_at_the_other_end() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        call = alice.send("INVITE", "tel:666", body=alice.sdp())
        mo = alice.ack(call, await call.response(200))
        session = (await ask(lab, "mt_call", impi="alice@ims.test", caller="Lab"))["session_id"]
        ringing = await alice.expect("INVITE")
        users = (await ask(lab, "users_get", registered_only=True))["users"]
        assert users[0]["dialogs"] == [{"remote": "tel:666"}, {"remote": "Lab"}]
        await ask(lab, "dialog_set", session_id=session, action="stop")
        alice.respond(await alice.expect_cancel(), 487)
        assert ringing.request.method == "INVITE"
        assert (await alice.in_dialog(mo, "BYE").final()).status == 200

    play(scenario)


def test_users_add() -> None:
    async def scenario(lab: Lab) -> None:
        new = {"impi": "erin@ims.test", "impu": ["sip:erin"], "pwd": "topsecret"}
        response = await ask(lab, "users_add", users=[new])
        assert "error" not in response
        erin = (await ask(lab, "users_get"))["users"][-1]
        assert erin["impi"] == "erin@ims.test"
        assert "users[0]: impi: there is a user erin@ims.test already" in await error(
            lab, "users_add", users=[new]
        )
        assert await error(lab, "users_add") == "users: array of users expected, the parameter is missing"
        assert await error(lab, "users_add", users="erin") == "users: array of objects expected"
        assert "topsecret" not in lab.log_text()

    play(scenario)


def test_many_users_are_added_between_other_things() -> None:
    async def scenario(lab: Lab) -> None:
        new = [
            {"impi": f"n{n}@{DOMAIN}", "authent_type": "none", "impu": f"sip:n{n}"}
            for n in range(2 * SLICE + 1)
        ]
        client = Client("test")
        adding = asyncio.ensure_future(ask(lab, "users_add", client, users=new))
        rounds = 0
        while not adding.done():
            rounds += 1
            known = len(lab.server.users)
            assert known in (4, 4 + len(new)), "all or none"
            await asyncio.sleep(0)
        assert rounds > 5 and "error" not in await adding
        assert known == 4 + len(new)
        wrong = await error(lab, "users_add", users=[*new[:-1], {"impi": 7}])
        assert wrong == f"users[{2 * SLICE}].impi: string expected, not a number", "none is added twice"
        left = Client("test")
        given_up = asyncio.ensure_future(ask(lab, "users_add", left, users=[{"impi": "x"}] * 2 * SLICE))
        await asyncio.sleep(0)
        lab.server.api.dispatcher.leave(left)
        await asyncio.sleep(1)
        assert not given_up.done() and lab.server.users.by_impi("x") is None
        given_up.cancel()

    play(scenario)


def test_user_set() -> None:
    async def scenario(lab: Lab) -> None:
        assert "error" not in await ask(lab, "user_set", impi="bob@ims.test", force_sms_over_sg=True)
        users = (await ask(lab, "users_get"))["users"]
        assert [each["force_sms_over_sg"] for each in users] == [False, True, False, False]
        assert "error" not in await ask(lab, "user_set", impi="bob@ims.test")
        assert (await ask(lab, "users_get"))["users"] == users
        assert "there is no user nobody" in await error(lab, "user_set", impi="nobody")
        wrong = await error(lab, "user_set", impi="bob@ims.test", force_sms_over_sg="yes")
        assert wrong == 'force_sms_over_sg: true or false expected, not "yes"'

    play(scenario)


def test_impus() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("bob")
        uris = [f"sip:bob@{DOMAIN}", "tel:0600000002"]

        async def impus() -> list[str]:
            users = (await ask(lab, "users_get", registered_only=True))["users"]
            result: list[str] = users[0]["bindings"][0]["impu"]
            return result

        assert await impus() == uris
        assert "error" not in await ask(lab, "impu_add", impu="tel:+33555", impi="bob@ims.test")
        assert await impus() == [*uris, "tel:+33555"]
        assert "error" not in await ask(lab, "impu_set", impu="tel:+33555", associated=False, message_id=7)
        assert await impus() == uris
        assert "unused property" not in lab.log_text(), "the envelope is no property"
        assert "use183" in await error(lab, "impu_set", impu="tel:+33555", use183=7)
        assert "error" not in await ask(lab, "impu_del", impu={"impu": "tel:+33555"}, impi="bob@ims.test")
        assert "is no IMPU of bob" in await error(lab, "impu_del", impu="tel:+33555", impi="bob@ims.test")
        assert "error" not in await ask(lab, "impu_add", impu={"impu": "tel:999"}, impi="echo")
        assert "in the echo list already" in await error(lab, "impu_add", impu="tel:999", impi="echo")
        assert "error" not in await ask(lab, "impu_del", impu="tel:999", impi="echo")
        missing = await error(lab, "impu_add")
        assert "impu: IMPU, as string or object, expected" in missing and "impi: string expected" in missing

    play(scenario)


def test_unregister() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        assert "neither a contact nor an IMPU" in await error(lab, "unregister", uri="sip:nobody@x")
        assert "'registered' ends no registration" in await error(
            lab, "unregister", uri=bob.uri, event="registered"
        )
        outcome = bob.send("SUBSCRIBE", f"sip:bob@{DOMAIN}", (("Event", "reg"), ("Expires", "600")))
        await outcome.response(200)
        bob.respond(await bob.expect("NOTIFY"), 200)
        assert "error" not in await ask(lab, "unregister", uri=bob.uri, event="rejected")
        notify = await bob.expect("NOTIFY")
        assert b'event="rejected"' in notify.request.body
        bob.respond(notify, 200)
        assert (await ask(lab, "users_get", registered_only=True))["users"] == []

    play(scenario)
