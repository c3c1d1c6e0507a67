"""`api.remote_api`: the table is what the documentation says."""

import subprocess
import sys
from dataclasses import replace

import pytest

from libreims.base.errors import LibreImsError
from libreims.config import surface
from libreims.config.declare import WORKS
from support.lab import Lab, play


def test_the_documentation_lists_as_working_what_is_in_the_table() -> None:
    async def scenario(lab: Lab) -> None:
        table = lab.server.api.table
        works = {name for name, state in surface.OTHERS["remote_api"].items() if state is WORKS}
        assert works == {*table.names, "authenticate"}  # that one is of the connection
        legacy = {name for name, state in surface.OTHERS["remote_api_legacy"].items() if state is WORKS}
        assert legacy == {command.name for command in table if command.legacy}
        assert not {command.name for command in table if command.later} & works
        assert set(table.events) == set(surface.OTHERS["remote_api_event"])
        assert all(each.doc and parameter.doc for each in table for parameter in each.parameters)

    play(scenario)


def test_a_server_without_remote_api_does_not_load_its_web_server() -> None:
    """It takes longer than all the rest of the start."""
    code = "import sys, libreims.run; sys.exit('aiohttp' in sys.modules or 'prompt_toolkit' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
    )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "libreims.api.server", raising=False)

    async def scenario(lab: Lab) -> None:
        lab.config.replace(replace(lab.config.current, com_addr=("127.0.0.1", 0)))
        with pytest.raises(LibreImsError, match="needs the Python package aiohttp"):
            await lab.server.api.start()
        assert lab.server.api.server is None

    play(scenario)
