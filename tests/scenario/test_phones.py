"""Simulated phones and the whole server on virtual time: what lasts, what heals, what is left behind."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from libreims.base.tokens import Tokens
from libreims.net.protected_pool import PortPool
from libreims.ue.config import PhoneConfig
from libreims.ue.errors import CallError
from libreims.ue.incoming import ANSWER, DECLINE, AnswerMode
from libreims.ue.phone import Phone
from libreims.ue.security import Ipsec
from support.lab import SERVER, SERVER6, Lab, play
from support.phones import MILENAGE, OPC, K
from support.protected import SimulatedTunnel

CONFIG = (
    """
domain: "ims.test",
sip_addr: ["10.0.0.1", "[2001:db8::1]"],
timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
binding_expires: 3600,
echo: ["tel:666"],
ue_db: [
"""
    + "".join(
        f'{{ sim_algo: "milenage", imsi: "00101{number:010d}", K: "{K.hex()}", opc: "{OPC.hex()}", '
        f'impi: "00101{number:010d}@ims.test", authent_type: "AKAv1", '
        f'impu: ["sip:00101{number:010d}", "tel:100{number}"] }},\n'
        for number in (1, 2, 3)
    )
    + '{ imsi: "000000000000000", impi: "alice", pwd: "secret", impu: ["sip:alice", "tel:1009"] },'
    + "],"
)
DAY = 86400.0


async def phone(lab: Lab, number: int, *, ipv6: bool = False, **changes: object) -> Phone:
    """A phone of the test network, switched on and registered."""
    one = await switched_on(lab, number, ipv6=ipv6, **changes)
    await one.register()
    return one


async def switched_on(lab: Lab, number: int, *, ipv6: bool = False, **changes: object) -> Phone:
    """A phone that has not registered yet; with algorithms in `ipsec` it has a tunnel."""
    user = f"00101{number:010d}"
    values: dict[str, object] = {
        "impi": f"{user}@ims.test",
        "impu": f"sip:{user}@ims.test",
        "server": (SERVER6 if ipv6 else SERVER, 5060),
        "local": (f"2001:db8::100:{number}" if ipv6 else f"10.0.1.{number}", 5060),
        "sim": MILENAGE,
        "scheme": "AKAv1-MD5",
        **changes,
    }
    config = PhoneConfig(**values)  # type: ignore[arg-type]
    tokens = Tokens(1000 + number)
    ipsec = None
    if config.ipsec:
        ipsec = Ipsec(SimulatedTunnel(lab.inside, [config.local_host]), PortPool(tokens))
    one = Phone(lab.network, lab.loop, tokens, config, ipsec=ipsec)
    await one.start()
    return one


async def talk(caller: Phone, callee: Phone, number: str, seconds: float = 2.0) -> None:
    """A call with voice both ways, held and resumed."""
    call = caller.call(number)
    await call.wait_answered()
    other = await callee.incoming()
    await asyncio.sleep(seconds)
    await call.hold()
    assert other.media.held_by_peer
    await asyncio.sleep(1)
    await call.resume()
    await asyncio.sleep(seconds)
    call.hang_up()
    await call.wait_ended()
    await other.wait_ended()
    for each in (call, other):
        counts = each.counts["audio"]
        assert counts.packets == pytest.approx(100 * seconds, abs=8)
        assert (counts.lost, counts.own, counts.strange) == (0, 0, 0)


def test_two_days_of_registrations_and_calls_between_ipv4_and_ipv6() -> None:
    async def scenario(lab: Lab) -> None:
        a = await phone(lab, 1, subscribe=True)
        b = await phone(lab, 2, ipv6=True, transport="TCP")
        for _ in range(4):
            await talk(a, b, "1002")
            await talk(b, a, "1001")
            await asyncio.sleep(DAY / 2)
            assert a.is_registered and b.is_registered
        # binding_expires 3600: renewed 600 s before, thus every 3000 s.
        assert a.registration.refreshed == pytest.approx(2 * DAY / 3000, abs=2)
        assert a.registration.resynchronised == 0
        assert a.subscription.active
        await a.deregister()
        await b.deregister()

    play(scenario, CONFIG)


def test_a_server_that_is_unreachable_for_a_while() -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2)
        lab.network.cut(SERVER)
        call = a.call("1002")
        with pytest.raises(CallError, match="no answer"):
            await call.wait_answered()
        lab.network.mend(SERVER)
        await talk(a, b, "1002")
        await asyncio.sleep(7200)
        assert a.is_registered and b.is_registered

    play(scenario, CONFIG)


def test_every_request_challenged_with_407() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await phone(
            lab, 9, impi="alice", impu="sip:alice@ims.test", sim=None, scheme=None, password="secret"
        )
        call = alice.call("666")
        await call.wait_answered()
        await asyncio.sleep(1)
        counts = call.counts["audio"]
        assert counts.own == counts.packets > 40
        call.hang_up()
        await call.wait_ended()
        challenges = [each for each in alice.recorder.messages(sent=False) if "Proxy-Authenticate" in each]
        assert len(challenges) >= 2

    play(scenario, CONFIG + "auth_on_register_only: false, proxy_auth: true,")


@pytest.mark.parametrize("seed", range(6))
def test_ten_percent_loss_ends_every_call_with_one_state(seed: int) -> None:
    async def scenario(lab: Lab) -> None:
        a, b = await phone(lab, 1), await phone(lab, 2)
        modes = (ANSWER, DECLINE, AnswerMode(delay=0.0), AnswerMode(status=None))
        for mode in modes:
            b.answer_mode = mode
            call = a.call("1002")
            with contextlib.suppress(CallError):  # the loss may win, but never leave anything behind
                await call.wait_answered(60)
                await call.hold()
                await call.resume()
            await asyncio.sleep(1)
            call.hang_up()
            await call.wait_ended(300)
            for other in b.calls:
                await other.wait_ended(300)
        # Retransmissions win against one packet in ten.
        assert [call.established_at is not None for call in a.calls] == [True, False, True, False]
        assert a.calls[1].outcome is not None and a.calls[1].outcome.status == 603

    play(scenario, CONFIG, seed=seed, loss=0.1, duplicate=0.1, reorder=0.1)
