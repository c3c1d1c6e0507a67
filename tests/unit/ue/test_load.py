"""Many phones at a rate."""

from __future__ import annotations

import asyncio
import resource

import pytest

from libreims.net.simulated import SimulatedNetwork
from libreims.ue.incoming import ANSWER
from libreims.ue.load import LoadRun, allow_descriptors
from libreims.ue.script import parse_steps
from support.phones import RegistrarStub, phone_config
from support.virtual import run

Result = tuple[bool, LoadRun, RegistrarStub, list[str]]


def load(count: int, rate: float, *, refuse: int | None = None) -> Result:
    said: list[str] = []

    async def whole() -> Result:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        registrar = RegistrarStub(network, loop)
        registrar.refuse = refuse
        await registrar.start()
        steps = parse_steps(["register", "wait", "3"])
        config = phone_config(1, registrar.address)
        work = LoadRun(
            network, loop, config, steps, count=count, rate=rate, answer_mode=ANSWER, say=said.append
        )
        ok = await work.run()
        return ok, work, registrar, said

    return run(whole)


def test_phones_begin_at_the_rate_with_identities_counted_up() -> None:
    ok, work, registrar, said = load(100, 20.0)
    assert ok
    registers = [request for request in registrar.registers if request.expires]
    assert len({request.from_.uri_text for request in registers}) == 100
    assert len({request.contacts[0].uri_text for request in registers}) == 100
    totals = work.totals["register"]
    assert (totals.ok, totals.failed) == (100, 0)
    assert totals.rate == pytest.approx(20, rel=0.05)
    assert totals.quantile(0.95) == pytest.approx(0.002, abs=0.001)
    assert "21 of 100 phones" in said[0] or "20 of 100 phones" in said[0]
    assert work.summary()[0].startswith("register: 100 ok, 0 failed, 20")
    # They leave as they came.
    assert sum(request.expires == 0 for request in registrar.registers) == 100


def test_failures_are_counted_and_the_first_is_told() -> None:
    ok, work, _, _ = load(5, 100.0, refuse=403)
    assert not ok
    assert "0 ok, 5 failed" in work.summary()[0] and "403 Forbidden" in work.summary()[0]
    assert "wait" not in work.totals


def test_the_limit_of_open_files_is_raised_where_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        lower = min(before[0], 256)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lower, before[1]))
        allow_descriptors(300)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert soft == 364 or soft == before[1]
        allow_descriptors(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
