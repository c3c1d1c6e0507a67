"""`config_set` of the remote API: each property counts from the next request on (manual §6.5).

Every case shows a behaviour, changes the property through the remote API, and shows the other behaviour.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from libreims.base.tokens import Tokens
from libreims.net.sockets import SocketNetwork, TcpStream
from libreims.proto.sip.message import Request, Response
from libreims.server import tcp_options
from libreims.ue.config import PhoneConfig
from libreims.ue.phone import Phone
from support.api import Link, ask
from support.calls import connected, ended_by_server, hung_up
from support.lab import CONFIG, DOMAIN, SERVER, Lab, Peer, play
from support.sms_phone import phones

SUBSCRIBE = (("Event", "reg"), ("Accept", "application/reginfo+xml"), ("Expires", "3600"))
VOLTE = ';+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"'


async def change(lab: Lab, **properties: object) -> None:
    response = await ask(lab, "config_set", **properties)
    assert "error" not in response, response


async def invite_to(callee: Peer, caller: Peer, body: bytes = b"") -> tuple[Request, str]:
    """The INVITE that a called phone gets, and over which transport."""
    call = caller.send("INVITE", f"sip:{callee.name}@{DOMAIN}", body=body or caller.sdp())
    invite = await callee.expect("INVITE")
    callee.respond(invite, 486)
    assert (await call.final()).status == 486
    await asyncio.sleep(1)
    return invite.request, invite.flow.transport


def shown(message: Request | Response, name: str) -> str:
    """The value of a header, "" without."""
    return message.get(name) or ""


async def options(peer: Peer) -> Response:
    return await peer.send("OPTIONS", f"sip:{DOMAIN}").final()


def test_binding_expires() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        assert ";expires=3600" in shown(await alice.register(expires=7200), "Contact")
        await change(lab, binding_expires=600)
        assert ";expires=600" in shown(await alice.register(expires=7200), "Contact")

    play(scenario)


def test_subscribe_expires() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await lab.registered("alice")
        for expected in ("3600", "100", "3600"):
            answer = await alice.send("SUBSCRIBE", f"sip:alice@{DOMAIN}", SUBSCRIBE).final()
            assert answer.get("Expires") == expected
            await change(lab, subscribe_expires=100 if expected == "3600" else 0)

    play(scenario)


def test_auth_on_register_only() -> None:
    async def scenario(lab: Lab) -> None:
        alice = Phone(
            lab.network,
            lab.loop,
            Tokens(9),
            PhoneConfig(
                impi="alice",
                impu=f"sip:alice@{DOMAIN}",
                server=(SERVER, 5060),
                local=("10.0.1.9", 5060),
                password="secret",
            ),
        )
        await alice.start()
        await alice.register()

        async def challenges() -> int:
            before = len(alice.recorder.messages(sent=False))
            call = alice.call("666")
            await call.wait_answered()
            call.hang_up()
            await call.wait_ended()
            new = alice.recorder.messages(sent=False)[before:]
            return sum("WWW-Authenticate" in each for each in new)

        assert await challenges() == 0
        await change(lab, auth_on_register_only=False)
        assert await challenges() > 0
        await change(lab, auth_on_register_only=True)
        assert await challenges() == 0

    old = 'impi: "alice@ims.test", authent_type: "none"'
    config = CONFIG.replace(old, 'impi: "alice", pwd: "secret", authent_type: "MD5"')
    assert config != CONFIG
    play(scenario, config)


def test_session_expires() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        assert shown((await invite_to(bob, alice))[0], "Session-Expires").startswith("1800")
        await change(lab, session_expires=600)
        assert shown((await invite_to(bob, alice))[0], "Session-Expires").startswith("600")
        await change(lab, session_expires={"duration": 700, "min": 100})
        invite, _ = await invite_to(bob, alice)
        assert shown(invite, "Session-Expires").startswith("700")
        assert invite.get("Min-SE") == "100"

    play(scenario)


@pytest.mark.parametrize(
    ("name", "off", "tag"), [("100rel", False, "100rel"), ("precondition", "off", "precondition")]
)
def test_100rel_and_precondition(name: str, off: object, tag: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.peer("alice"), await lab.peer("bob")
        for peer in (alice, bob):
            await peer.register(contact=f"<{peer.uri}>{VOLTE}")
        assert tag in (await options(alice)).elements("Supported")
        assert tag in (await invite_to(bob, alice))[0].elements("Supported")
        await change(lab, **{name: off})
        assert tag not in (await options(alice)).elements("Supported")
        assert tag not in (await invite_to(bob, alice))[0].elements("Supported")

    play(scenario)


def test_p_called_party_id() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        assert (await invite_to(bob, alice))[0].get("P-Called-Party-ID") is None
        await change(lab, p_called_party_id=True)
        assert f"sip:bob@{DOMAIN}" in shown((await invite_to(bob, alice))[0], "P-Called-Party-ID")

    play(scenario)


def test_custom_headers() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        headers = [
            {"name": "X-Request", "value": "1", "methods": ["INVITE"]},
            {"name": "X-Answer", "value": "2", "codes": [200], "methods": ["OPTIONS"]},
        ]
        await change(lab, custom_headers=headers)
        assert (await invite_to(bob, alice))[0].get("X-Request") == "1"
        assert (await options(alice)).get("X-Answer") == "2"
        now = (await ask(lab, "config_get"))["custom_headers"]
        assert [(each["name"], each["value"]) for each in now] == [("X-Request", "1"), ("X-Answer", "2")]
        await change(lab, custom_headers=[])
        assert (await invite_to(bob, alice))[0].get("X-Request") is None
        assert (await options(alice)).get("X-Answer") is None

    play(scenario)


def test_tcp_threshold() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        assert (await invite_to(bob, alice))[1] == "UDP"
        await change(lab, tcp_threshold=200)
        assert (await invite_to(bob, alice))[1] == "TCP"
        await change(lab, tcp_threshold=60_000)
        assert (await invite_to(bob, alice, alice.sdp() + b"a=x:" + b"x" * 3000 + b"\r\n"))[1] == "UDP"

    play(scenario)


def test_dialog_timeout() -> None:
    async def scenario(lab: Lab) -> None:
        async def lasts() -> float:
            await connected(alice, bob)
            begin = lab.loop.time()
            await ended_by_server(alice, bob, reason="Media timeout")
            await asyncio.sleep(40)
            return lab.loop.time() - begin - 40

        alice, bob = await lab.registered("alice", "bob")
        assert 29 < await lasts() < 31
        await change(lab, dialog_timeout=5)
        assert 4 < await lasts() < 6
        await change(lab, dialog_timeout=0)
        mo, _ = await connected(alice, bob)
        await asyncio.sleep(300)
        await hung_up(alice, mo, bob)

    play(scenario)


async def test_tcp_keepalive_and_keepcount_of_both_kinds_of_connections() -> None:
    """New connections, those that phones make as well as ours."""
    loop = asyncio.get_running_loop()
    network = SocketNetwork(loop)

    class End:
        def data_received(self, data: bytes) -> None:
            pass

        def closed(self, error: Exception | None) -> None:
            pass

    accepted: list[TcpStream] = []

    def accept(stream: object) -> End:
        assert isinstance(stream, TcpStream)
        accepted.append(stream)
        return End()

    lab = Lab(loop)  # type: ignore[arg-type]
    now: Callable[[], object] = lambda: tcp_options(lab.config.current)  # noqa: E731
    listener = await network.tcp_listen(("127.0.0.1", 0), accept, now)  # type: ignore[arg-type]
    seen = []
    for properties in ({}, {"tcp_keepalive": 33, "tcp_keepcount": 7}, {"tcp_keepalive": 0}):
        await change(lab, **properties)
        client = network.tcp_connect(None, listener.local, End(), tcp_options(lab.config.current))
        client.send(b"x")
        async with asyncio.timeout(5):
            while len(accepted) == len(seen):
                await asyncio.sleep(0.005)
        kernel = accepted[-1].kernel_socket
        assert kernel is not None
        on = kernel.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle = kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        count = kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        seen.append((on, idle, count) if on else None)
        client.close()
    listener.close()
    network.close()
    assert seen == [(1, 900, 2), (1, 33, 7), None]


def test_sms_expires() -> None:
    async def scenario(lab: Lab) -> None:
        for seconds in (100, 1000):
            await change(lab, sms_expires=seconds)
            (alice,) = await phones(lab, "alice")
            await alice.accepted(alice.submit("0600000002"))
            await asyncio.sleep(90)
            assert len(lab.server.sms.centre) == 1
            await asyncio.sleep(20)
            assert len(lab.server.sms.centre) == (0 if seconds == 100 else 1)

    play(scenario, settle=2000)


def test_sms_filter_and_forced_cause() -> None:
    async def scenario(lab: Lab) -> None:
        (alice,) = await phones(lab, "alice")
        await alice.accepted(alice.submit("0600000002"))
        await change(lab, sms_message_filter={"rp_data": {"action": "reject"}})
        assert await alice.refused(alice.submit("0600000002")) == (21, None)
        await change(lab, sms_forced_rp_cause=38)
        assert await alice.refused(alice.submit("0600000002")) == (38, None)
        await change(lab, sms_message_filter={}, sms_forced_rp_cause=0)
        await alice.accepted(alice.submit("0600000002"))
        await ask(lab, "sms_flush", impi=f"bob@{DOMAIN}")

    play(scenario)


def test_sms_hook_only() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "register", "register": "sms"})
        (alice,) = await phones(lab, "alice")
        await change(lab, sms_hook_only=True)
        await alice.accepted(alice.submit("0600000002"))
        assert not len(lab.server.sms.centre)
        assert [each["message"] for each in link.frames[2:]] == ["sms"]
        await change(lab, sms_hook_only=False)
        await alice.accepted(alice.submit("0600000002"))
        assert len(lab.server.sms.centre) == 1
        assert len(link.frames) == 4
        await change(lab, sms_hook_only=True)
        link.leave()  # without anybody who listens the server does it all
        await alice.accepted(alice.submit("0600000002"))
        assert len(lab.server.sms.centre) == 2
        await ask(lab, "sms_flush", impi=f"bob@{DOMAIN}")

    play(scenario)


def test_sms_retry_delay() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await phones(lab, "alice", "bob")
        await change(lab, sms_retry_delay=7)
        await alice.accepted(alice.submit("0600000002"))
        bob.peer.respond(await bob.peer.expect("MESSAGE"), 480)
        begin = lab.loop.time()
        await (await bob.receive()).acknowledge()
        assert lab.loop.time() - begin == pytest.approx(7, abs=1)

    play(scenario)
