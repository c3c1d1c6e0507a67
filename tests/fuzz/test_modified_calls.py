"""Any callflow modifiers, on phones that do anything in any order: nothing stays behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from libreims.config.schema_common import METHODS
from support.lab import CONFIG, Lab
from support.virtual import VirtualLoop, run
from support.wild_phone import WildPhone

CAST = ("alice", "bob", "carol", "carol")
LIFE = 20.0
REST = 400.0
FAULTS = ("fault", "Traceback", "internal error")
STEPS = tuple(method for method in METHODS if not method.startswith("REGISTER"))


def modifier(dice: random.Random) -> str:
    """A callflow modifier of a configuration file."""
    step = dice.choice(STEPS)
    what = [f'method: "{step}"', f'dir: "{dice.choice(("tx", "rx", "both"))}"']
    if dice.random() < 0.6:
        what.append(f"code: {dice.choice((-1, -2, 100, 180, 183, 200, 302, 486, 500, 603))}")
    for name, chance in (("transparent", 0.3), ("skip", 0.2)):
        if dice.random() < chance:
            what.append(f"{name}: true")
    if dice.random() < 0.5:
        what.append("stop: false")
    if dice.random() < 0.3:
        what.append(f"send_delay: {dice.choice((0.02, 0.5, 6, 60))}")
    if dice.random() < 0.2:
        what.append(f"send_retry: 2, send_retry_delay: {dice.choice((0, 0.3))}")
    if dice.random() < 0.2:
        what.append('content: null, content_type: "application/sdp"')
    if dice.random() < 0.2:
        name = dice.choice(("Contact", "To", "Call-ID", "Via", "CSeq", "Content-Length", "X"))
        value = "<sip:somebody@10.0.9.9>" if name == "Contact" else "7"  # phones read contacts unguarded
        what.append(f'custom_headers: [{{name: "{name}", value: "{value}", replace: true}}]')
    if step == "BYE" or dice.random() < 0.5:  # a call whose BYEs are never heard, on hold, never ends
        what.append(f"tts: {dice.randrange(3)}, ttl: {dice.randrange(1, 3 if step == 'BYE' else 9)}")
    return "{" + ", ".join(what) + "}"


def configuration(seed: int) -> str:
    dice = random.Random(seed)
    config = CONFIG
    for user in ("alice", "bob", "carol"):
        modifiers = ", ".join(modifier(dice) for _ in range(dice.randrange(1, 4)))
        config = config.replace(
            f'impu: ["sip:{user}"', f'impu: [{{impu: "sip:{user}", callflow_modifier: [{modifiers}]}}'
        )
    return config


async def live(lab: Lab, seed: int) -> None:
    await lab.server.start()
    phones = []
    for number, name in enumerate(CAST, 1):
        transport = "TCP" if (seed + number) % 5 == 0 else "UDP"
        phone = WildPhone(
            lab, name, f"10.0.1.{number}", transport, seed * 10 + number, 0.5 + 0.1 * (seed % 5)
        )
        await phone.start()
        lab.peers.append(phone)
        assert (await phone.register()).status == 200
        phones.append(phone)
    await asyncio.gather(*(phone.live(LIFE) for phone in phones))
    for _ in range(5):
        for phone in phones:
            phone.hang_up_all()
        await asyncio.sleep(REST)
    log = lab.log_text()
    for fault in FAULTS:
        place = log.find(fault)
        assert place < 0, log[max(0, place - 300) : place + 3000]
    lab.loop.raise_errors()
    # A phone whose BYE is refused or ignored by a modifier keeps its call: the timeout of silence ends it.
    await asyncio.sleep(lab.config.current.dialog_timeout * 2)
    lab.nothing_left()
    assert lab.server.stack.transactions == 0
    await lab.server.stop()
    for phone in phones:
        phone.stack.stop()
        phone.transport.close()
    await asyncio.sleep(4000)
    assert lab.loop.pending_timers() == 0, "a timer of the server still runs"


@pytest.mark.parametrize("seed", range(40))
def test_nothing_stays_behind(seed: int) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await live(Lab(loop, configuration(seed), seed=seed), seed)

    run(whole)
