"""The phone's side of a security agreement where things go wrong, against a scripted registrar.

What goes right, and with whom, is in `tests/scenario/test_phones_ipsec.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.protected_pool import FIRST_PORT, LAST_PORT, PortPool
from libreims.net.protected_ports import ProtectedPorts
from libreims.net.simulated import SimulatedNetwork
from libreims.net.sip_transport import SipTransport
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.sip.digest import MD5
from libreims.ue.phone import Phone
from libreims.ue.registration import RegistrationError
from libreims.ue.security import Ipsec
from support.phones import MILENAGE, RegistrarStub, phone_config
from support.protected import ProtectedNetwork, SimulatedTunnel
from support.virtual import run

PAIRS = (("hmac-sha-1-96", "aes-cbc"), ("hmac-sha-1-96", "null"))
SERVER = "spi-c=4000;spi-s=4001;port-c=20000;port-s=20001"
GOOD = f"ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;ealg=aes-cbc;{SERVER}"


class Rig:
    """A phone, and the registrar that it asks."""

    def __init__(self, pool: PortPool | None = None, **changes: object) -> None:
        loop = asyncio.get_running_loop()
        self.network = SimulatedNetwork(loop)
        self.inside = ProtectedNetwork(loop)
        self.registrar = RegistrarStub(self.network, loop)
        self.registrar.algorithm = "AKAv1-MD5"
        self.registrar.security_server = GOOD
        values = {"sim": MILENAGE, "scheme": "AKAv1-MD5", "ipsec": PAIRS, **changes}
        config = phone_config(1, self.registrar.address, **values)
        self.tunnel = SimulatedTunnel(self.inside, [config.local_host])
        self.pool = PortPool(Tokens(1)) if pool is None else pool
        self.phone = Phone(self.network, loop, Tokens(2), config, ipsec=Ipsec(self.tunnel, self.pool))

    async def refused(self, words: str) -> None:
        """Register in vain; nothing is left of it."""
        with pytest.raises(RegistrationError, match=words):
            await self.phone.register()
        assert not self.inside.in_use and not list(self.tunnel) and not self.pool.spis
        self.phone.close()
        assert not len(self.pool)


def play(scenario: Callable[[Rig], Awaitable[None]], **changes: object) -> None:
    async def work() -> None:
        rig = Rig(**changes)  # type: ignore[arg-type]
        await rig.registrar.start()
        await rig.phone.start()
        await scenario(rig)

    run(work)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "without Security-Server"),
        (f"ipsec-3gpp;alg=null;ealg=null;{SERVER}", "nothing of that is what we offered"),
    ],
)
def test_weaker_than_what_was_offered_is_not_accepted(said: str, words: str) -> None:
    async def scenario(rig: Rig) -> None:
        rig.registrar.security_server = said
        await rig.refused(words)
        assert len(rig.registrar.registers) == 1, "the challenge is not answered in clear"

    play(scenario)


def test_a_challenge_that_brings_no_keys() -> None:
    async def scenario(rig: Rig) -> None:
        rig.registrar.algorithm = MD5
        await rig.refused("the server asks for MD5: that has no keys for IPsec")

    play(scenario, password="secret")


def test_a_tunnel_that_does_not_take_the_associations() -> None:
    async def scenario(rig: Rig) -> None:
        def refuse(associations: Iterable[SecurityAssociation]) -> None:
            raise LibreImsError("there is no room")

        rig.tunnel.install = refuse  # type: ignore[method-assign]
        await rig.refused("no security associations with hmac-sha-1-96/aes-cbc: there is no room")

    play(scenario)


@pytest.mark.parametrize("port", [FIRST_PORT, FIRST_PORT + 1], ids=["server port", "client port"])
def test_a_port_that_is_taken(port: int) -> None:
    async def scenario(rig: Rig) -> None:
        other = rig.inside.udp((rig.phone.config.local_host, port), lambda data, remote: None)
        with pytest.raises(RegistrationError, match="Address already in use"):
            await rig.phone.register()
        other.close()
        assert not rig.inside.in_use and not rig.pool.spis
        rig.phone.close()
        assert not len(rig.pool)

    play(scenario)


def test_an_answer_that_nobody_hears() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.refused("nothing comes back through IPsec")

    play(scenario)


def test_a_server_that_does_not_challenge() -> None:
    async def scenario(rig: Rig) -> None:
        rig.registrar.algorithm = ""
        await rig.refused("registered us without a challenge, and so without keys for IPsec")

    play(scenario)


def test_a_registration_that_is_ended_while_it_runs() -> None:
    async def scenario(rig: Rig) -> None:
        running = asyncio.create_task(rig.refused("was ended while it was being renewed"))
        await asyncio.sleep(0.0015)
        assert rig.phone.agent.security is not None
        rig.phone.agent.security.leave()
        await running

    play(scenario)


def test_a_registration_that_is_ended_while_the_server_port_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(rig: Rig) -> None:
        protect = SipTransport.protect

        async def slow(*what: Any) -> ProtectedPorts:
            await asyncio.sleep(0)
            assert rig.phone.agent.security is not None
            rig.phone.agent.security.leave()
            return await protect(*what)

        monkeypatch.setattr(SipTransport, "protect", slow)
        await rig.refused("was ended while it was being renewed")

    play(scenario)


def test_no_port_left() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.refused("all 1 protected ports of 10.0.0.1 are taken")

    play(scenario, pool=PortPool(Tokens(1), LAST_PORT, LAST_PORT))


@pytest.mark.parametrize(
    ("status", "words"),
    [(421, "421 .*: the server insists on IPsec, and this phone registers without"), (494, "494 .*without")],
)
def test_a_phone_without_ipsec_is_told_what_it_lacks(status: int, words: str) -> None:
    async def scenario(rig: Rig) -> None:
        rig.registrar.refuse = status
        assert rig.phone.agent.security is None
        await rig.refused(words)

    play(scenario, ipsec=())
