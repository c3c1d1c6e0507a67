"""Phones with IPsec and the server through anything in any order: they register again, and nothing is left.

Links are cut, the server is restarted and forgets, registrations are renewed, ended by either side and begun
in the middle of each other.  `LIBREIMS_PHONE_SEEDS=500` plays more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable

import pytest

from libreims.base.errors import LibreImsError
from libreims.ue.phone import Phone
from scenario.test_phones import CONFIG, switched_on
from support.lab import SERVER, Lab, play

PAIRS = ((("hmac-sha-1-96", "aes-cbc"),), (("null", "aes-gcm"), ("hmac-md5-96", "null")))
SEEDS = int(os.environ.get("LIBREIMS_PHONE_SEEDS", "25"))


class Life:
    """What happens to two phones."""

    def __init__(self, lab: Lab, dice: random.Random, phones: list[Phone]) -> None:
        self.lab = lab
        self.dice = dice
        self.phones = phones
        self.cuts = 0
        self.running: set[asyncio.Task[None]] = set()
        self.actions: list[Callable[[Phone], Awaitable[object]]] = [
            lambda phone: phone.register(),
            lambda phone: phone.register(),
            lambda phone: phone.reregister(),
            lambda phone: phone.reregister(fresh=True),
            lambda phone: phone.reregister(fresh=True),
            lambda phone: phone.deregister(),
            lambda phone: phone.sms.send("tel:1002" if phone is phones[0] else "tel:1001", "hello"),
            self.call,
            self.cut,
            self.ended_by_the_network,
            self.restart,
        ]

    async def call(self, phone: Phone) -> None:
        call = phone.call("1002" if phone is self.phones[0] else "1001")
        try:
            await call.wait_answered(20)
            await asyncio.sleep(self.dice.choice((0, 1, 40)))
        finally:
            call.hang_up()
            await call.wait_ended(40)

    async def cut(self, phone: Phone) -> None:
        """Inside, outside or both, for a while."""
        networks = self.dice.choice(
            ((self.lab.inside,), (self.lab.network,), (self.lab.inside, self.lab.network))
        )
        for network in networks:
            network.cut(phone.config.local_host)
        self.cuts += 1
        await asyncio.sleep(self.dice.choice((0.5, 5, 70)))
        self.cuts -= 1
        for network in networks:
            network.mend(phone.config.local_host)

    async def ended_by_the_network(self, phone: Phone) -> None:
        bindings = self.lab.server.bindings.of(phone.config.impi)
        for binding in bindings:
            self.lab.server.registrar.unregister(binding.contact)

    async def restart(self, phone: Phone) -> None:
        # No kernel is simulated that tells a phone that its TCP connection has died in the meantime.
        if not self.cuts and self.dice.random() < 0.3:
            await self.lab.server.stop()
            await self.lab.restart(None)

    async def one(self, action: Callable[[Phone], Awaitable[object]], phone: Phone) -> None:
        with contextlib.suppress(LibreImsError):
            await action(phone)

    async def play(self, steps: int) -> None:
        for _ in range(steps):
            work = self.one(self.dice.choice(self.actions), self.dice.choice(self.phones))
            task = asyncio.create_task(work)
            self.running.add(task)
            if self.dice.random() < 0.6:
                await task
            else:
                await asyncio.sleep(self.dice.choice((0.001, 0.006, 0.012, 1, 33)))
        for task in self.running:
            await task


@pytest.mark.parametrize("seed", range(SEEDS))
def test_anything_in_any_order(seed: int) -> None:
    dice = random.Random(seed)

    async def scenario(lab: Lab) -> None:
        phones = [
            await switched_on(
                lab,
                number,
                ipsec=PAIRS[number - 1],
                transport=dice.choice(("UDP", "TCP")),
                subscribe=dice.random() < 0.5,
                rtcp_interval=0.0,
            )
            for number in (1, 2)
        ]
        await Life(lab, dice, phones).play(12)
        await asyncio.sleep(1)
        for one in phones:
            lab.inside.mend(one.config.local_host)
            lab.network.mend(one.config.local_host)
            # At the latest after 32 s without an answer it begins anew, outside of IPsec.
            await one.reregister(fresh=True)
            assert one.is_registered and one.agent.security is not None and one.agent.security.is_on
            await one.deregister()
        await asyncio.sleep(34)
        for one in phones:
            security = one.agent.security
            assert security is not None and not security.is_on and not security.is_pending
            assert security.flow is None
            one.close()
            assert not len(security._pool) and not security._pool.spis
        assert not any(address[0] != SERVER for address in lab.inside.bound)

    play(scenario, CONFIG, loss=0.05 if seed % 3 == 0 else 0.0)
