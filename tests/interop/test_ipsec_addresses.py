"""Which addresses of `sip_addr` have IPsec: with `bind_addr`, and beside one that is translated."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.ue.phone import Phone
from support.hosts import Link, ipsec_missing
from support.process import FAULTS, Program
from support.secure_phones import SecurePhones, properties

pytestmark = pytest.mark.skipif(bool(ipsec_missing()), reason=f"no IPsec tunnel here: {ipsec_missing()}")
PUBLIC = "203.0.113.5"


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


def play(folder: Path, link: Link, sip_addr: str, *, ipv6: bool = False) -> str:
    """A phone registers with IPsec and leaves; the log of the server."""
    config = folder / "ims.cfg"
    config.write_text(f'sip_addr: [{sip_addr}], log_filename: "ims.log", log_sync: true, {properties(1)}')
    enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{link.a.namespace.fileno()}", "--")
    command = [*enter, sys.executable, "-m", "libreims", str(config)]
    with Program(command, folder / "server.out") as server:
        server.wait_for(r"(?m)^Ready: ", 20.0)
        asyncio.run(life(link, ipv6=ipv6))
        server.process.terminate()
        assert server.wait() == 0
        assert FAULTS.search(server.text) is None
    return (folder / "ims.log").read_text()


async def life(link: Link, *, ipv6: bool) -> None:
    phones = SecurePhones(link.b, link.a)
    try:
        phone: Phone = await phones.phone(1, ("hmac-sha-1-96", "aes-cbc"), ipv6=ipv6)
        await phone.register()
        await phone.reregister(fresh=True)
        await phone.deregister()
        assert phones.dropped == {}
    finally:
        phones.close()


@pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_bind_addr_is_every_address_and_addr_one_of_this_machine(
    link: Link, tmp_path: Path, ipv6: bool
) -> None:
    addr, bind = (f"[{link.a.v6}]", "[::]") if ipv6 else (link.a.v4, "0.0.0.0")
    log = play(tmp_path, link, f'{{ addr: "{addr}", bind_addr: "{bind}" }}', ipv6=ipv6)
    assert "There is no IPsec" not in log and "has agreed on" in log


def test_an_address_that_is_translated_costs_the_others_nothing(link: Link, tmp_path: Path) -> None:
    translated = f'{{ addr: "{PUBLIC}", bind_addr: "{link.a.v4}" }}'
    log = play(tmp_path, link, f'{translated}, "[{link.a.v6}]"', ipv6=True)
    assert f"There is no IPsec on {PUBLIC}: it is no address of this machine" in log
    assert f"IPsec is set up for {link.a.v6}: " in log
