"""Phones that do anything before the answer: reliable responses, PRACK, UPDATE, preconditions in any order.

The laws are those of `test_call_events`: no fault, one final response for each request, and nothing left.
"""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.log_ring import LogRing
from support.lab import CONFIG, Lab
from support.virtual import VirtualLoop, run
from support.wild_early import VOLTE, WildEarlyPhone

CAST = ("alice", "bob", "carol", "carol")
LIFE = 15.0
REST = 500.0
FAULTS = ("fault", "Traceback", "internal error")
CONFIGS = ("", 'precondition: "off",', "use183: false,", "early_media: false,", "session_expires: 90,")


def play(seed: int, manners: float, **network: float) -> int:
    acknowledged = 0

    async def whole() -> None:
        nonlocal acknowledged
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        lab = Lab(loop, CONFIG + CONFIGS[seed % len(CONFIGS)], seed=seed, **network)
        lab.log.ring = LogRing(1_000_000)
        await lab.server.start()
        phones = []
        for number, name in enumerate(CAST, 1):
            phone = WildEarlyPhone(lab, name, f"10.0.1.{number}", "UDP", seed * 10 + number, manners)
            await phone.start()
            while (await phone.register(contact=f"<{phone.uri}>;{VOLTE}")).status != 200:
                pass
            phones.append(phone)
        await asyncio.gather(*(phone.live(LIFE) for phone in phones))
        for _ in range(3):
            for phone in phones:
                phone.hang_up_all()
            await asyncio.sleep(REST)
        acknowledged = sum(phone.acknowledged for phone in phones)
        log = "\n".join(
            entry.message + entry.dump for entry in lab.log.ring.since(0)[1] if entry.layer == "ims"
        )
        for fault in FAULTS:
            place = log.find(fault)
            assert place < 0, log[max(0, place - 300) : place + 3000]
        assert not lab.server.counters.errors.get("internal", 0)
        loop.raise_errors()
        lab.nothing_left()
        assert lab.server.stack.transactions == 0
        await lab.server.stop()

    run(whole)
    return acknowledged


@pytest.mark.parametrize("seed", range(20))
def test_anything_before_the_answer(seed: int) -> None:
    assert play(seed, manners=0.4 + (seed % 4) * 0.2) > 0


@pytest.mark.parametrize("seed", range(100, 108))
def test_anything_before_the_answer_on_a_network_that_loses(seed: int) -> None:
    play(seed, 0.8, loss=0.1, duplicate=0.1, jitter=0.02, reorder=0.1)
