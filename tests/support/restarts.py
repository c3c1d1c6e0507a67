"""A server in a lab that keeps its state in a file, and is started again with it while the clock goes on."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from libreims.store.opening import open_store
from support.lab import CONFIG, Lab
from support.virtual import VirtualLoop, run

crashing = pytest.mark.parametrize("crash", [False, True], ids=["in order", "kill -9"])


class Kept:
    """A lab whose server has a file."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._crashes = 0
        self._logged = 0
        self.store = open_store(str(folder / "ims.db"), lab.log.layer("ims"))

    async def restart(self, *, crash: bool = False, down: float = 0.0, config: str = "") -> None:
        """End the server and start it again; a crash leaves what had reached the system by then."""
        path = Path(self.store.path)
        if crash:
            self._crashes += 1
            left = self._folder / str(self._crashes)
            left.mkdir()
            for name in (path.name, f"{path.name}-wal"):
                shutil.copy(path.with_name(name), left / name)
        await self.lab.server.stop()
        self.store.close()
        await asyncio.sleep(down)
        if crash:
            path = left / path.name
        self.store = open_store(str(path), self.lab.log.layer("ims"))
        await self.lab.restart(self.store, config=config)

    def logged(self) -> str:
        """What was logged since the last time."""
        text = self.lab.log_text()
        new, self._logged = text[self._logged :], len(text)
        return new

    def records(self, kind: str) -> list[str]:
        return [key for key, _ in self.store.records(kind).items()]


Scenario = Callable[[Lab, Kept], Awaitable[None]]


def play(scenario: Scenario, folder: Path, config: str = CONFIG) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        lab = Lab(loop, config)
        kept = Kept(lab, folder)
        lab.server = lab.make_server(1, kept.store)
        await lab.server.start()
        await scenario(lab, kept)
        await lab.server.stop()
        kept.store.close()
        assert not re.search("Traceback|fault of the server", lab.log_text())

    run(whole)
