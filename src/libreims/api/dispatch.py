"""From a request to its responses: the one way through which every command is used.

The WebSocket server, the monitor, `sim_events` and tests call `submit` or `ask`.  This is the third and last
place that catches any exception (the others are `cscf.router` and `call.session`): a fault in a handler costs
one `error` response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from libreims.api.client import Client, Frame
from libreims.api.redact import redacted
from libreims.api.schedule import Job, Schedule
from libreims.api.services import ApiServices
from libreims.api.table import REQUEST, Deferred, Members, Table, bind, ignored, read
from libreims.base.errors import LibreImsError, Reject

LONGEST_ERROR: Final = 4000
"""Characters of an `error`."""

Answer = Callable[[Frame], None]
"""Takes a response."""


class Dispatcher:
    """Checks requests, runs their handlers, makes the responses."""

    def __init__(self, table: Table, services: ApiServices) -> None:
        self.table = table
        self._services = services
        self._log = services.log.layer("com")
        self.left: Callable[[Client], None] = lambda client: None
        """Told when a client has gone."""
        self.schedule = Schedule(services.clock, services.clock.time(), self._run)

    @property
    def time(self) -> float:
        """Seconds since the process began."""
        return self.schedule.now()

    def submit(self, client: Client, message: object, answer: Answer) -> None:
        """Process one request; `answer` gets each response, before this returns where that is possible."""
        try:
            job = self._accept(client, message, answer)
            self.schedule.start(job)
        except Exception as error:  # noqa: BLE001 a fault in a command costs one response, not the server
            frame = message if isinstance(message, dict) else {}
            response = self.response(frame, self.time, self._refusal(frame.get("message"), error))
            self.show("TO", client, response)
            answer(response)

    async def ask(self, client: Client, message: Frame) -> Frame:
        """The (first) response to a request."""
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

        def answered(frame: Frame) -> None:
            if not future.done():
                future.set_result(frame)

        self.submit(client, message, answered)
        return await future

    def leave(self, client: Client) -> None:
        """The client has gone."""
        client.connected = False
        self.schedule.leave(client)
        self.left(client)

    def close(self) -> None:
        """Give up everything that waits: the server goes down."""
        self.schedule.close()

    def response(self, frame: Frame, time: float, members: Members) -> Frame:
        """A response to `frame`, the processing of which began at `time`."""
        response: Frame = {}
        for name in ("message", "message_id"):
            if name in frame:
                response[name] = frame[name]
        return {**response, "time": round(time, 6), **members, "utc": round(self._services.utc(), 6)}

    # -- one request -------------------------------------------------------------------------------

    def _accept(self, client: Client, message: object, answer: Answer) -> Job:
        if not isinstance(message, dict):
            raise LibreImsError("a message is an object with the member message, or an array of such objects")
        name = message.get("message")
        if not isinstance(name, str):
            raise LibreImsError("message: string expected, the name of a message (`help` lists them)")
        command = self.table.find(name)
        if not command.quiet:
            self.show("FROM", client, message)
        envelope = read(REQUEST, message)
        invocation = bind(command, message, self._services.config.directory)
        for line in () if command.quiet else ignored(name, invocation.ignored):
            self._log.info(f"{client.name}: {line}")
        return Job(client, message, invocation, answer, **envelope)

    def _run(self, job: Job) -> None:
        started = self.time
        index = job.index
        late = job.late
        try:
            result = job.invocation(job.client)
            if isinstance(result, dict):
                self._answer(job, started, index, late, result)
                return
            deferred = result if isinstance(result, Deferred) else self._task(job, result)
            self._check_room(job.client, deferred)
        except Exception as error:  # noqa: BLE001 the same for the handler
            self._answer(job, started, index, late, self._refusal(job.invocation.command.name, error))
            return

        def completed(members: Members) -> None:
            self.schedule.settle(job, deferred)
            self._answer(job, started, index, late, members)

        self.schedule.expect(job, deferred)
        deferred.then(completed)

    def _answer(self, job: Job, started: float, index: int, late: bool, members: Members) -> None:
        head: Members = {}
        if late:
            head["absolute_time"] = "late"
        if job.loop_count:
            head["loop_index"] = index
        response = self.response(job.frame, started, {**head, **members})
        if not job.invocation.command.quiet:
            self.show("TO", job.client, response)
        job.answer(response)

    def _check_room(self, client: Client, deferred: Deferred) -> None:
        try:
            self.schedule.check(client)
        except LibreImsError:
            deferred.cancel()
            raise

    def _task(self, job: Job, procedure: Coroutine[Any, Any, Members]) -> Deferred:
        """A handler that waits, as a deferred answer."""
        deferred = Deferred(lambda: task.cancel())
        task = asyncio.get_running_loop().create_task(self._wait(job, procedure, deferred))
        job.client.procedures.add(task)
        task.add_done_callback(job.client.procedures.discard)
        task.add_done_callback(lambda task: procedure.close())  # given up, it may not have begun
        return deferred

    async def _wait(self, job: Job, procedure: Coroutine[Any, Any, Members], deferred: Deferred) -> None:
        try:
            members = await procedure
        except Exception as error:  # noqa: BLE001 the same for handlers that wait
            members = self._refusal(job.invocation.command.name, error)
        deferred.complete(members)

    def _refusal(self, name: object, error: Exception) -> Members:
        """The `error` of a response; what nobody meant to raise is logged and counted as well."""
        if isinstance(error, LibreImsError | Reject):
            return {"error": one_line(error)}
        self._services.counters.error("internal")
        self._log.exception(f"fault in the command {name}", error)
        return {"error": f"internal error: {type(error).__name__}; the log has the details"}

    def show(self, direction: str, client: Client, frame: Frame) -> None:
        """Write a message into the log, without secrets."""
        log = self._log
        if log.debug_on:
            log.debug(f"{client.name} {redacted(frame, keys=log.options.key)}", dir=direction)


def one_line(error: Exception) -> str:
    """The text of an error for a response; what was wrong may be of any length, the sentence is not."""
    line = "; ".join(str(error).splitlines())
    return line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]}..."
