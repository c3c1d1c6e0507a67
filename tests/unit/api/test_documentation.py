"""`docs/remote-api.md`: its examples are played against a server and have to be true."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.api import Link
from support.lab import CONFIG, Lab, play

PAGE = Path(__file__).parents[3] / "docs" / "remote-api.md"
BLOCKS = [
    block.splitlines()
    for block in re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    if "\n>" in block or block.startswith(">")
]


def shown(line: str) -> Any:
    """An expected frame; `...` says that there may be more, which is always allowed."""
    return json.loads(re.sub(r", \.\.\.(?=[}\]])", "", line))


def holds(expected: Any, value: Any) -> bool:
    """Whether all that is expected is there."""
    if expected == "...":
        return True
    if isinstance(expected, dict):
        return isinstance(value, dict) and all(
            name in value and holds(each, value[name]) for name, each in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(value, list)
            and len(value) >= len(expected)
            and all(holds(each, got) for each, got in zip(expected, value, strict=False))
        )
    return bool(expected == value)


@pytest.mark.parametrize("lines", BLOCKS, ids=lambda lines: lines[0][:40])
def test_an_example(lines: list[str]) -> None:
    extra = "".join(line.removeprefix("#") + "," for line in lines if line.startswith("#"))

    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        heard = 0 if lines[0].startswith(("<", "#")) else 1
        for line in lines:
            if line.startswith("> "):
                link.say(line[2:])
            elif line.startswith("< "):
                await asyncio.sleep(3)
                assert len(link.frames) > heard, f"nothing came for {line}"
                assert holds(shown(line[2:]), link.frames[heard]), (line, link.frames[heard])
                heard += 1
        assert heard == len(link.frames)

    play(scenario, CONFIG + extra)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 6
