"""Memory of registrations; their cost in time is shown by `bench/registrar.py`."""

from __future__ import annotations

import functools
import gc
import tracemalloc

import pytest

from libreims.users.bindings import Cause
from support.registrar_rig import Rig, flow

USERS = 1500
LIMIT = 2048
"""Octets for one registered user (issue: 100,000 users in under 1 GB)."""

CONFIG = 'domain: "ims.test", ue_db: [' + "".join(
    f'{{ impi: "u{n}@ims.test", nai: "u{n}", impu: ["u{n}", "tel:+1555{n:07}"] }},' for n in range(USERS)
)


def lines(number: int) -> str:
    return (
        f'Contact: <sip:u{number}@10.0.0.50:5060>;+sip.instance="<urn:gsma:imei:35693803-{number:06}-0>";'
        '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip;audio;video\n'
        "Supported: path\nUser-Agent: Phone of a certain maker, release 17"
    )


def register(rig: Rig, number: int) -> None:
    host = f"10.0.{number >> 8}.{number & 255}"
    rig.register(f"u{number}", lines(number), at=flow(host), call_id=f"{number:06}-7d1c4e1b@{host}")
    rig.events.clear()


def in_use() -> int:
    """Octets allocated, without what bounded caches of the codec keep."""
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_memory_of_a_registered_user(capsys: pytest.CaptureFixture[str]) -> None:
    rig = Rig(f"{CONFIG}]")
    register(rig, 0)
    tracemalloc.start()
    try:
        before = in_use()
        for number in range(1, USERS):
            register(rig, number)
        per_user = (in_use() - before) / (USERS - 1)
        for _ in range(3):
            for number in range(0, USERS, 10):
                register(rig, number)
        after_refreshes = (in_use() - before) / (USERS - 1)
        rig.bindings.remove(rig.bindings, Cause.UNREGISTERED)
        rig.gate.asked.clear()
        rig.events.clear()
        left = (in_use() - before) / (USERS - 1)
    finally:
        tracemalloc.stop()
    with capsys.disabled():
        print(f"\n{per_user:.0f} octets per registered user, {left:.0f} after de-registration")
    assert per_user < LIMIT
    assert after_refreshes < per_user * 1.05
    assert left < 300
