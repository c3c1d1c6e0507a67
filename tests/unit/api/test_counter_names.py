"""`api.counter_names` and the places that count say the same."""

from __future__ import annotations

import re
from pathlib import Path

import libreims
from libreims.api.counter_names import ERRORS, MESSAGES
from support.lab import Lab, play

SOURCE = Path(libreims.__file__).parent


def counted(method: str) -> set[str]:
    pattern = re.compile(rf'counters\.{method}\(\s*"([^"]+)"')
    return {name for path in SOURCE.rglob("*.py") for name in pattern.findall(path.read_text())}


def test_what_is_counted_has_a_name() -> None:
    assert counted("error") <= ERRORS.keys()
    assert counted("count") <= MESSAGES.keys()
    assert "internal" in counted("error") and "call" in counted("count")


def test_messages_are_counted_under_these_names() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("alice")
        assert {"sip_register", "sip_200"} <= lab.server.counters.messages.keys() <= MESSAGES.keys()

    play(scenario)
