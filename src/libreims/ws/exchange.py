"""One conversation with a server: messages out, answers and events in, until there is nothing to wait for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from libreims.base.errors import LibreImsError
from libreims.ws.connection import Connection, Unreachable
from libreims.ws.messages import Answers, Frame

Message = dict[str, Any]


class LateError(LibreImsError):
    """What was waited for has not come in time."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How long to go on."""

    events: tuple[str, ...] = ()
    """Events to register for."""
    listen: bool = False
    """Go on after the answers."""
    count: int = 0
    """Events to wait for; 0: any number."""
    timeout: float | None = None
    """Seconds for all together."""

    @property
    def goes_on(self) -> bool:
        """Whether there is something to wait for besides answers."""
        return self.listen or bool(self.events) or self.count > 0


class Exchange:
    """Sends frames and shows what comes."""

    def __init__(self, frames: Iterable[Frame], wishes: Wishes, show: Callable[[Message], None]) -> None:
        register: list[Frame] = []
        if wishes.events:
            register.append({"message": "register", "register": list(wishes.events)})
        self._registered = not register
        self._answers = Answers([*register, *frames])
        self._wishes = wishes
        self._show = show
        self._events = 0

    @property
    def failed(self) -> bool:
        """Whether an answer was an error."""
        return self._answers.failed

    async def run(self, connection: Connection) -> None:
        """Talk until everything has come. Raises LateError, Unreachable."""
        sender = asyncio.get_running_loop().create_task(self._send(connection))
        try:
            async with asyncio.timeout(self._wishes.timeout):
                while self._waits():
                    await self._receive(connection)
        except TimeoutError:
            self._late()
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Unreachable):
                await sender

    def _waits(self) -> bool:
        wishes = self._wishes
        if self._answers.left or not wishes.goes_on:
            return self._answers.left > 0
        return not wishes.count or self._events < wishes.count

    async def _send(self, connection: Connection) -> None:
        for frame in self._answers.frames:
            await connection.send(frame)

    async def _receive(self, connection: Connection) -> None:
        message = await connection.receive()
        if message is None:
            if self._answers.left:
                raise Unreachable(
                    f"the server closed the connection, {self._answers.left} answers had still to come"
                )
            raise Unreachable("the server closed the connection")
        answer = self._answers.take(message)
        if answer is None:
            self._events += "error" not in message
            self._show(message)
        elif not self._registered and "error" not in answer:
            self._registered = True  # ours; its answer says nothing
        else:
            self._show(answer)

    def _late(self) -> None:
        """What a time-out means."""
        wishes = self._wishes
        if self._answers.left:
            raise LateError(f"{self._answers.left} answers did not come within {wishes.timeout:g} s")
        if wishes.count and self._events < wishes.count:
            raise LateError(f"{self._events} of {wishes.count} events came within {wishes.timeout:g} s")
