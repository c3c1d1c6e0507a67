"""`docs/remote-api.md`: its examples are played and have to be true, its list of messages is the table's.

`LIBREIMS_WRITE_DOCS=1` writes the list anew.
"""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from libreims.api.table import Parameter, Table
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


HEADING = "## Every message and its parameters\n"


def parameter(each: Parameter) -> str:
    """One line of the list."""
    limits = each.kind.range()
    name = each.kind.name.rstrip(",")
    kind = f"{name}, {limits}" if limits else name
    return f"- `{each.name}` ({kind}{', mandatory' if each.required else ''}): {each.doc}"


def listed(table: Table) -> str:
    """The list as it has to be."""
    parts = []
    for command in sorted(table, key=lambda command: command.name):
        old = " Of an older version." if command.legacy else ""
        lines = [f"**`{command.name}`** {command.doc}{old}", *map(parameter, command.parameters)]
        parts.append("\n".join(lines))
    return "\n" + "\n\n".join(parts) + "\n"


def test_every_message_is_listed_with_its_parameters() -> None:
    async def scenario(lab: Lab) -> None:
        text = PAGE.read_text(encoding="utf-8")
        before, _, after = text.partition(HEADING)
        expected = listed(lab.server.api.table)
        if os.environ.get("LIBREIMS_WRITE_DOCS"):
            PAGE.write_text(before.rstrip("\n") + "\n\n" + HEADING + expected, encoding="utf-8")
            return
        assert after == expected, "LIBREIMS_WRITE_DOCS=1 writes the list anew"

    play(scenario)
