"""Any octets in the headers of security agreements, and phones that do the steps of one in any order."""

from __future__ import annotations

import asyncio
import itertools
import os
import random

import pytest

from libreims.base.errors import LibreImsError
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Response
from libreims.proto.sip.security_agreement import mechanisms, same
from support.lab import DOMAIN, USERS, Lab, play
from support.process import FAULTS
from support.secure_phone import SECURE, SecurePhone, secure_phone

PIECES = (
    *("ipsec-3gpp", "tls", "alg", "ealg", "mod", "prot", "spi-c", "spi-s", "port-c", "port-s", "q", "null"),
    *("hmac-md5-96", "aes-cbc", "esp", "trans", "=", ";", ",", '"', "\\", " ", "\t", "0", "1", "4294967296"),
    *("65536", "9" * 30, ".", "0.5", "é", "<", ">", "\0", "-"),
)


def nonsense(dice: random.Random) -> str:
    return "".join(dice.choice(PIECES) for _ in range(dice.randrange(40)))


def test_any_text_is_read_or_refused() -> None:
    dice = random.Random(3)
    read = 0
    for _ in range(20_000):
        text = nonsense(dice)
        try:
            found = mechanisms([text])
        except SipParseError as error:
            assert error.status == 400
            continue
        read += 1
        for mechanism in found:
            proposal = mechanism.ipsec()
            if proposal is not None:
                assert 0 < proposal.port_c < 65536 and 0 <= proposal.spi_s < 1 << 32
        assert same([text], [text])
    assert read > 1000


class Wild:
    """A phone that does what comes into its head."""

    def __init__(self, phone: SecurePhone, dice: random.Random) -> None:
        self.phone = phone
        self.dice = dice
        self.authorization = ""
        self.challenge: Response | None = None

    async def step(self) -> None:
        phone, dice = self.phone, self.dice
        action = dice.choice(
            (self.ask, self.ask, self.enter, self.confirm, self.refresh, self.call, self.off, self.change)
        )
        try:
            async with asyncio.timeout(40):
                await action()
        except (TimeoutError, AssertionError, RuntimeError, LibreImsError, OSError):  # its own mistakes
            phone.incoming.clear()

    def spoilt(self) -> dict[str, object]:
        """Now and then a header is wrong or missing."""
        if self.dice.random() < 0.7:
            return {}
        name = self.dice.choice(("Security_Client", "Security_Verify", "Require", "Contact", "Expires"))
        values = (
            None,
            nonsense(self.dice).replace("\0", "").strip() or "x",
            "0",
            self.phone.server_says or "1",
        )
        return {name: self.dice.choice(values)}

    async def ask(self) -> None:
        challenge = await self.phone.ask(**self.spoilt())
        if challenge.status == 401 and challenge.get("Security-Server"):
            self.challenge = challenge
            if self.dice.random() < 0.8:
                await self.enter()
                await self.confirm()

    async def enter(self) -> None:
        if self.challenge is not None:
            self.authorization = await self.phone.enter(self.challenge)

    async def confirm(self) -> None:
        await self.phone.confirm(self.authorization, **self.spoilt()).final()

    async def refresh(self) -> None:
        await self.phone.refresh(**self.spoilt())

    async def call(self) -> None:
        other = self.dice.choice(USERS)
        outcome = self.phone.send("INVITE", f"sip:{other}@{DOMAIN}", body=self.phone.sdp())
        answer = await outcome.final()
        if answer.status == 200:
            dialog = self.phone.ack(outcome, answer)
            await self.phone.in_dialog(dialog, "BYE").final()

    async def change(self) -> None:
        """The other transport, another server port, or the numbers of earlier once more."""
        phone = self.phone
        what = self.dice.randrange(3)
        if what == 0:
            phone.kind = "TCP" if phone.kind == "UDP" else "UDP"
        elif what == 1 and phone.ports is None:
            phone.port_s = self.dice.choice((6000, 6200))
        else:
            phone.serial = itertools.count(1000, 2)

    async def off(self) -> None:
        self.phone.forget()


@pytest.mark.parametrize("seed", range(int(os.environ.get("LIBREIMS_AGREEMENT_SEEDS", "8"))))
def test_any_order_of_steps_leaves_nothing(seed: int) -> None:
    """Steps of four phones at once on a network that loses packets; no fault of the server, nothing left."""

    async def scenario(lab: Lab) -> None:
        dice = random.Random(seed)
        transports = ("UDP", "TCP")
        phones = [await secure_phone(lab, name, dice.choice(transports)) for name in USERS]
        for phone in phones:
            phone.sim.qop = dice.choice(("", "auth"))

        async def live(wild: Wild) -> None:
            for _ in range(40):
                await wild.step()
                while wild.phone.incoming:
                    wild.phone.respond(wild.phone.incoming.popleft(), dice.choice((200, 486, 500)))
                await asyncio.sleep(dice.random() * 30)

        await asyncio.gather(
            *(live(Wild(phone, random.Random(seed * 7 + n))) for n, phone in enumerate(phones))
        )
        for phone in phones:
            phone.forget()
        await asyncio.sleep(4000)
        agreements = lab.server.agreements
        assert agreements is not None and len(agreements) == 0
        pool = agreements.installer.pool
        assert (len(pool), pool.spis) == (0, 0)
        assert not FAULTS.search(lab.log_text())

    play(scenario, SECURE, seed=seed, loss=0.05 * (seed % 3), settle=400.0)
