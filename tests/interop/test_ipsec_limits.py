"""At the limit of open files: further phones are refused with a reason, those that are in can call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from support.hosts import Link, ipsec_missing
from support.process import Server, needs
from support.secure_phones import SecurePhones, properties

pytestmark = [
    pytest.mark.skipif(bool(ipsec_missing()), reason=f"no IPsec tunnel here: {ipsec_missing()}"),
    needs("prlimit", "nsenter"),
]
FILES = 160
PAIR = ("hmac-sha-1-96", "aes-cbc")


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


def test_more_phones_than_open_files_allow(link: Link, tmp_path: Path) -> None:
    fit = FILES // 4

    async def play() -> None:
        phones = SecurePhones(link.b, link.a)
        try:
            made = [await phones.phone(number, PAIR) for number in range(1, fit + 6)]
            for phone in made[:fit]:
                await phone.register()
            for phone in made[fit:]:
                with pytest.raises(LibreImsError, match="503"):
                    await phone.register()
            calls = [phone.call("666") for phone in made[:4]]
            for call in calls:
                await call.wait_answered(20)
            for call in calls:
                call.hang_up()
                await call.wait_ended(20)
            await asyncio.gather(*(phone.deregister() for phone in made[:fit]))
        finally:
            phones.close()

    enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{link.a.namespace.fileno()}", "--")
    prefix = (*enter, "prlimit", f"--nofile={FILES}:{FILES}")
    with Server(tmp_path, properties(fit + 5), host=link.a.v4, host6=link.a.v6, prefix=prefix) as server:
        asyncio.run(play())
        log = server.finish()
    assert f"there are {fit} already, and the limit of open files has to leave room for calls" in log
    assert "Too many open files" not in log
