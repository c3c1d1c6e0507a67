"""The life of a security agreement through the whole server (TS 33.203 §7, TS 24.229 §5.2.2, RFC 3329)."""

from __future__ import annotations

import asyncio

import pytest

from support.lab import Lab, play
from support.secure_phone import SECURE, secure_phone


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("ipv6", [False, True])
def test_a_phone_registers_and_leaves(transport: str, ipv6: bool) -> None:
    async def scenario(lab: Lab) -> None:
        alice = await secure_phone(lab, "alice", transport, ipv6=ipv6)
        answer = await alice.secure()
        assert answer.status == 200, lab.log_text()
        (binding,) = lab.server.bindings
        assert binding.protected
        assert len(list(lab.inside.associations)) == 8
        assert (await alice.refresh(Expires="0")).status == 200
        await asyncio.sleep(100)
        alice.forget()

    play(scenario, SECURE)
