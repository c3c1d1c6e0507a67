"""Phones that do anything in any order, on the whole server: whatever happens, it all ends.

The laws: no fault in the log, one final response for each request, no 2xx without ACK, none without BYE, and
when everything is over no call, dialog, media port, transaction or timer is left.
"""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.log_ring import LogRing
from support.lab import CONFIG, Lab, Outcome
from support.virtual import VirtualLoop, run
from support.wild_phone import WildPhone
from support.wire import violations

CAST = ("alice", "bob", "carol", "carol")
LIFE = 20.0
REST = 400.0
"""Seconds until the last transaction, ringing phone and unanswered BYE is given up."""

FAULTS = ("fault", "Traceback", "internal error")


async def live(lab: Lab, seed: int, manners: float, unplug: bool, lossless: bool) -> None:
    await lab.server.start()
    phones = []
    for number, name in enumerate(CAST, 1):
        transport = "TCP" if (seed + number) % 5 == 0 else "UDP"
        phone = WildPhone(lab, name, f"10.0.1.{number}", transport, seed * 10 + number, manners)
        await phone.start()
        lab.peers.append(phone)
        while (await phone.register()).status != 200:
            pass
        phones.append(phone)
    begun = lab.loop.time()
    if unplug:
        for number, phone in enumerate(phones):
            lab.loop.call_later(3.0 + number, lab.network.cut, phone.host)
            lab.loop.call_later(6.0 + 10 * number, lab.network.mend, phone.host)
    await asyncio.gather(*(phone.live(LIFE) for phone in phones))
    for phone in phones:
        lab.network.mend(phone.host)
        phone.hang_up_all()
    assert lab.loop.time() - begun < 2 * LIFE
    await asyncio.sleep(5)
    for phone in phones:
        phone.hang_up_all()
    await asyncio.sleep(REST)
    for phone in phones:
        phone.hang_up_all()
    await asyncio.sleep(REST)

    assert not lab.server.counters.errors.get("internal", 0)
    log = "\n".join(entry.message + entry.dump for entry in lab.log.ring.since(0)[1] if entry.layer == "ims")
    assert log
    for fault in FAULTS:
        place = log.find(fault)
        assert place < 0, log[max(0, place - 300) : place + 3000]
    lab.loop.raise_errors()
    lab.nothing_left()
    assert lab.server.stack.transactions == 0
    assert not len(lab.server._serial)
    if lossless:
        assert not [each for phone in phones for each in phone.outcomes if not ended(each)]
        assert not [each for phone in phones for each in phone.unacknowledged]
        assert not violations(lab)
    await lab.server.stop()
    for phone in phones:
        phone.stack.stop()
        phone.transport.close()
    await asyncio.sleep(4000)  # cancelled timers stay in their wheel until they are due
    assert lab.loop.pending_timers() == 0, "a timer of the server still runs"
    assert lab.network.in_use == 0


def ended(outcome: Outcome) -> bool:
    return any(status >= 200 for status in outcome.statuses)


def play(seed: int, manners: float, unplug: bool = False, **network: float) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        lab = Lab(loop, CONFIG, seed=seed, trace=True, **network)
        lab.log.ring = LogRing(1_000_000)  # the whole life
        await live(lab, seed, manners, unplug, not unplug and not network)

    run(whole)


@pytest.mark.parametrize("seed", range(30))
def test_phones_without_manners(seed: int) -> None:
    play(seed, manners=(seed % 4) * 0.3)


@pytest.mark.parametrize("seed", range(100, 115))
def test_phones_without_manners_on_a_network_that_loses_and_reorders(seed: int) -> None:
    play(seed, 0.7, loss=0.1, duplicate=0.1, jitter=0.02, reorder=0.1)


@pytest.mark.parametrize("seed", range(200, 210))
def test_phones_that_are_unplugged_and_plugged_in_again(seed: int) -> None:
    play(seed, 0.8, unplug=True)
