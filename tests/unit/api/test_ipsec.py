"""`api.ipsec` and the IPsec part of `users_get`, with the fields and types of the manual (§6.5)."""

from __future__ import annotations

import pytest

from scenario.test_ipsec import left
from support.api import ask
from support.lab import Lab, play
from support.secure_phone import SECURE, secure_phone

TYPES = {
    "type": str,
    "dir": str,
    "spi": int,
    "ue_id": int,
    "mode": str,
    "src": str,
    "dst": str,
    "src_prefix": int,
    "dst_prefix": int,
    "authent_key": str,
    "cipher_key": str,
}


@pytest.mark.parametrize(("ipv6", "kind", "prefix"), [(False, "IPv4", 32), (True, "IPv6", 128)])
def test_the_four_associations_of_a_phone(ipv6: bool, kind: str, prefix: int) -> None:
    async def scenario(lab: Lab) -> None:
        assert (await ask(lab, "ipsec"))["SAs"] == []
        alice = await secure_phone(lab, "alice", ipv6=ipv6)
        assert (await alice.secure()).status == 200
        (binding,) = lab.server.bindings
        rows = (await ask(lab, "ipsec"))["SAs"]
        for row in rows:
            assert {name: type(value) for name, value in row.items()} == TYPES
            assert (row["type"], row["mode"], row["ue_id"]) == (kind, "transport", binding.number)
            assert row["src_prefix"] == row["dst_prefix"] == prefix
        ends = {(row["dir"], row["src"], row["dst"]) for row in rows}
        server = alice.server[0]
        assert ends == {("in", alice.host, server), ("out", server, alice.host)}
        installed = {(each.direction, each.spi) for each in alice.associations}
        swap = {"in": "out", "out": "in"}
        assert {(swap[row["dir"]], row["spi"]) for row in rows} == installed
        assert {row["authent_key"] for row in rows} == {alice.associations[0].authentication_key.hex()}
        assert {row["cipher_key"] for row in rows} == {alice.associations[0].encryption_key.hex()}
        await left(alice)

    play(scenario, SECURE)


def test_keys_that_are_not_there_are_empty() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        offer = alice.propose((("hmac-md5-96", "null"),))
        assert (await alice.ask(Security_Client=offer)).status == 401
        rows = (await ask(lab, "ipsec"))["SAs"]
        assert {row["cipher_key"] for row in rows} == {""} and all(row["authent_key"] for row in rows)
        assert {row["ue_id"] for row in rows} == {0}, "nobody is registered yet"

    play(scenario, SECURE, settle=300.0)


def test_the_ipsec_block_of_a_user() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice")
        assert (await alice.secure()).status == 200
        users = (await ask(lab, "users_get", registered_only=True))["users"]
        block = users[0]["bindings"][0]["ipsec"]
        theirs = alice.offer[0]
        assert block["auth"] == "hmac-sha-1-96" and block["cipher"] == "aes-cbc"
        assert (block["src"], block["dst"]) == (alice.host, "10.0.0.1")
        assert block["local_port_s"] == alice.peer_port[1]
        assert block["local_spi_s"] == block["local_spi_c"] + 1
        assert (block["remote_port_c"], block["remote_port_s"]) == (theirs.port_c, theirs.port_s)
        assert (block["remote_spi_c"], block["remote_spi_s"]) == (theirs.spi_c, theirs.spi_s)
        await left(alice)

    play(scenario, SECURE)
