"""What makes `pip install .` work."""

from __future__ import annotations

import importlib
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
