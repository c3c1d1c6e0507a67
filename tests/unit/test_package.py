"""What makes `pip install .` work."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import libreims

ROOT = Path(libreims.__file__).parent.parent.parent


def test_the_shipped_configuration_is_in_the_package() -> None:
    shipped = Path(libreims.__file__).parent / "shipped"
    for name in ("ims.cfg", "ue_db-ims.cfg", "mt_call.sdp"):
        assert (shipped / name).read_text() == (ROOT / "config" / name).read_text()


def test_both_commands_are_the_program() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == {"libreims", "lteims"}
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_every_page_is_in_the_table_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## Where to go next")[2].partition("\n## ")[0]
    linked = set(re.findall(r"\| \[(docs/[^]]+)\]\((docs/[^)]+)\) \|", table))
    assert linked == {(f"docs/{page.name}",) * 2 for page in (ROOT / "docs").glob("*.md")}


def test_no_possessive_repetition_of_a_group() -> None:
    """Python 3.11.2, which Debian 12 has, matches too much there; later versions do not."""
    # `()` with nothing in it is no group of ours but a row of a table of characters.
    possessive_group = re.compile(r"(?<!\()\)(?:[*+?]|\{\d*,?\d*\})\+|\(\?>")
    assert possessive_group.search(r"(?:a|b)*+")
    assert not possessive_group.search(r"[ab]*+(?:a|b)*")
    for path in (ROOT / "src").rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not possessive_group.search(line), f"{path}:{number}"
