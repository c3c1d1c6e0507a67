"""Every action of `dialog_set` and calls of the server at any moment, between phones that do anything.

The laws: an action is carried out or refused with a sentence, the lists can always be read, and when it is
all over nothing is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from libreims.base.errors import LibreImsError
from libreims.call.control import ACTIONS
from libreims.call.history import DialogChanged
from support.lab import CONFIG, Lab
from support.virtual import VirtualLoop, run
from support.wild_phone import WildPhone

CAST = ("alice", "bob", "carol", "carol")
LIFE = 20.0
REST = 400.0
STATES = {
    "init": {"ringing", "start", "stop"},
    "ringing": {"start", "stop"},
    "start": {"hold", "stop"},
    "hold": {"start", "stop"},
}
ECHO = 'echo: ["sip:echo", { impu: "tel:666", remote_control: true }], dialog_timeout: 5,'


class Operator:
    """Presses every button."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab = lab
        self.random = random.Random(seed)
        self.done = 0
        self.refused = 0

    async def live(self, seconds: float) -> None:
        end = self.lab.loop.time() + seconds
        while self.lab.loop.time() < end:
            await asyncio.sleep(self.random.random() * 0.4)
            try:
                self.press()
                self.done += 1
            except LibreImsError as error:
                assert str(error)
                self.refused += 1

    def press(self) -> None:
        control, dice = self.lab.server.control, self.random
        if dice.random() < 0.15:
            control.mt_call(
                impi=f"{dice.choice(CAST)}@ims.test",
                caller=dice.choice((None, "Lab", "0600000001")),
                duration=dice.choice((None, 2.0)),
            )
            return
        dialogs = list(control.dialog_get())
        target = dice.choice(dialogs).session_id if dialogs and dice.random() < 0.8 else "*"
        control.dialog_set(
            target,
            dice.choice([action for action in ACTIONS if action != "stop" or dice.random() < 0.3]),
            code=dice.choice((None, None, 180, 200, 486)),
            media=dice.choice((None, None, "audio", "video")),
            rtp=dice.choice((None, True, False)),
        )


async def live(lab: Lab, seed: int, manners: float) -> Operator:
    await lab.server.start()
    phones = []
    for number, name in enumerate(CAST, 1):
        phone = WildPhone(lab, name, f"10.0.1.{number}", "UDP", seed * 10 + number, manners)
        await phone.start()
        while (await phone.register()).status != 200:
            pass
        phones.append(phone)
    states: dict[str, str] = {}

    def changed(event: DialogChanged) -> None:
        dialog = event.dialog
        before = states.get(dialog.session_id, "init")
        assert dialog.state in STATES[before], f"{before} -> {dialog.state}"
        states[dialog.session_id] = dialog.state

    lab.server.dialogs.bus.subscribe(DialogChanged, changed)
    operator = Operator(lab, seed)
    await asyncio.gather(operator.live(LIFE), *(phone.live(LIFE) for phone in phones))
    for _ in range(3):
        for phone in phones:
            phone.hang_up_all()
        with contextlib.suppress(LibreImsError):
            while True:
                lab.server.control.dialog_set("*", "stop")
        await asyncio.sleep(REST)

    log = lab.log_text()
    for fault in ("is ended by a fault", "Traceback", "internal error", "listener of"):
        place = log.find(fault)
        assert place < 0, log[max(0, place - 300) : place + 3000]
    lab.loop.raise_errors()
    lab.nothing_left()
    assert lab.server.stack.transactions == 0
    assert not len(lab.server.dialogs), "dialogs are still listed"
    assert set(states.values()) <= {"stop"}
    await lab.server.stop()
    for phone in phones:
        phone.stack.stop()
        phone.transport.close()
    await asyncio.sleep(4000)
    assert lab.loop.pending_timers() == 0, "a timer of the server still runs"
    return operator


def play(seed: int, manners: float, **network: float) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        config = CONFIG.replace('echo: ["tel:666", "sip:echo"],', ECHO)
        assert config != CONFIG
        operator = await live(Lab(loop, config, seed=seed, **network), seed, manners)
        assert operator.done > 10

    run(whole)


@pytest.mark.parametrize("seed", range(30))
def test_actions_at_any_moment(seed: int) -> None:
    play(seed, (0.3, 0.7, 0.95)[seed % 3])


@pytest.mark.parametrize("seed", range(100, 110))
def test_actions_on_a_network_that_loses_and_reorders(seed: int) -> None:
    play(seed, 0.8, loss=0.1, duplicate=0.1, jitter=0.02, reorder=0.1)
