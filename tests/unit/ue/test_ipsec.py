"""The tunnel of the phones of one process: where it is, and what is said when there can be none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.net.tunnel import TunnelError
from libreims.ue import ipsec
from libreims.ue.config import PhoneConfig, PhoneConfigError
from libreims.ue.ipsec import Evidence, opened, placed
from libreims.ue.security_offer import SecurityError
from support.phones import MILENAGE, phone_config
from support.virtual import run

PAIRS = (("hmac-sha-1-96", "aes-cbc"),)


def config(server: str = "127.0.0.1", local: str = "", *, secure: bool = True) -> PhoneConfig:
    made = phone_config(1, (server, 5060), sim=MILENAGE, ipsec=PAIRS if secure else ())
    return replace(made, local=(local, 0))


def place(made: PhoneConfig, *bound: str) -> PhoneConfig:
    async def work() -> PhoneConfig:
        network = SimulatedNetwork(asyncio.get_running_loop())
        for host in bound:
            network.udp((host, 0), lambda data, remote: None)
        return placed(made, network, Tokens(1))

    return run(work)


def test_beside_a_server_on_loopback_it_has_a_loopback_address_of_its_own() -> None:
    host, port = place(config()).local
    assert host.startswith("127.") and host != "127.0.0.1" and port == 0


def test_elsewhere_it_is_the_address_that_leads_to_the_server() -> None:
    assert place(config("192.0.2.1"), "198.51.100.7").local == ("198.51.100.7", 0)


def test_what_is_given_stays() -> None:
    assert place(config(local="127.9.9.9")).local == ("127.9.9.9", 0)
    assert place(config(secure=False)).local == ("", 0)


@pytest.mark.parametrize(
    ("made", "bound", "words"),
    [
        (config("192.0.2.1"), (), "there is no way to 192.0.2.1: give --local"),
        (config("192.0.2.1"), ("192.0.2.1",), "192.0.2.1 is the server: give --local another"),
        (config("127.0.0.1", "127.0.0.1"), (), "127.0.0.1 is the server"),
    ],
)
def test_no_place_for_it(made: PhoneConfig, bound: tuple[str, ...], words: str) -> None:
    with pytest.raises(PhoneConfigError, match=words):
        place(made, *bound)


def test_without_ipsec_nothing_is_opened() -> None:
    async def work() -> None:
        with opened(config(secure=False), Evidence(), Tokens(1)) as tunnel:
            assert tunnel is None

    asyncio.run(work())


def test_missing_rights_are_told_with_the_ways_out_of_a_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(addresses: list[str], **options: Any) -> None:
        raise TunnelError("IPsec needs CAP_NET_RAW, which this program does not have", "set ipsec_ifname")

    monkeypatch.setattr(ipsec, "open_tunnel", refused)

    async def work() -> None:
        with opened(config(local="127.9.9.9"), Evidence(), Tokens(1)):
            raise AssertionError

    with pytest.raises(SecurityError) as caught:
        asyncio.run(work())
    assert str(caught.value) == (
        "IPsec needs CAP_NET_RAW, which this program does not have: run it as root, or leave --ipsec out"
    )


def test_an_address_that_cannot_have_ipsec() -> None:
    async def work() -> None:
        with opened(config("2001:db8::1", "::1"), Evidence(), Tokens(1)):
            raise AssertionError

    with pytest.raises(LibreImsError, match="cannot have ::1"):
        asyncio.run(work())
