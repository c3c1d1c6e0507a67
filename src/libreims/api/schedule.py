"""When requests are processed: at once, later, or over and over (`start_time`, `loop_count`; manual §6.1).

What has not been processed when its client goes is given up, unless it is `standalone`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libreims.api.client import Client, Frame
from libreims.api.table import Deferred, Invocation
from libreims.base.clock import Cancellable, Clock
from libreims.base.errors import LibreImsError

PENDING_PER_CLIENT: Final = 1000
PENDING: Final = 10_000
"""Most requests that wait, for one client and for all."""


class Job:
    """One accepted request, from its arrival to its last response."""

    __slots__ = (
        "absolute",
        "answer",
        "client",
        "frame",
        "index",
        "invocation",
        "late",
        "loop_count",
        "loop_delay",
        "open",
        "standalone",
        "start_time",
        "timer",
    )

    def __init__(
        self,
        client: Client,
        frame: Frame,
        invocation: Invocation,
        answer: Callable[[Frame], None],
        *,
        start_time: float | None = None,
        absolute_time: bool = False,
        standalone: bool = False,
        loop_count: int = 0,
        loop_delay: float = 0.0,
    ) -> None:
        if loop_count and not loop_delay:
            raise LibreImsError("loop_delay: number expected, the parameter is missing and loop_count is set")
        self.client = client
        self.frame = frame
        self.invocation = invocation
        self.answer = answer
        self.start_time = start_time
        self.absolute = absolute_time and start_time is not None
        self.standalone = standalone
        self.loop_count = loop_count
        self.loop_delay = loop_delay
        self.late = False
        """`absolute_time` was past already."""
        self.index = 0
        """Number of the repetition, from 0."""
        self.timer: Cancellable | None = None
        self.open: set[Deferred] = set()
        """Responses that are to come."""


class Schedule:
    """Runs jobs when their time has come."""

    def __init__(self, clock: Clock, origin: float, run: Callable[[Job], None]) -> None:
        self._clock = clock
        self._origin = origin
        self._run = run
        self._waiting: dict[Client, dict[Job, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Jobs that wait for their time or for their response."""
        return self._count

    def now(self) -> float:
        """Seconds since the process began: `time` in responses."""
        return self._clock.time() - self._origin

    def start(self, job: Job) -> None:
        """Run a job now or when its time comes. Raises LibreImsError where too many wait."""
        wait = job.start_time or 0.0
        if job.absolute:
            wait -= self.now()
            job.late = wait < 0
        if wait > 0 or job.loop_count:
            self.check(job.client)
        if wait <= 0:
            self._turn(job, self.now())
            return
        self._hold(job)
        job.timer = self._clock.call_later(wait, self._turn, job, self.now() + wait)

    def check(self, client: Client) -> None:
        """Raise LibreImsError where nothing more may wait."""
        if len(self._waiting.get(client, ())) >= PENDING_PER_CLIENT or self._count >= PENDING:
            raise LibreImsError(
                f"too many messages wait already: {PENDING_PER_CLIENT} of a connection and {PENDING} in all "
                "are the most"
            )

    def _turn(self, job: Job, planned: float) -> None:
        """One repetition; the next one keeps its distance from when this one should have been."""
        job.timer = None
        if job.index < job.loop_count:
            self._hold(job)
            wait = max(planned + job.loop_delay - self.now(), 0.0)
            job.timer = self._clock.call_later(wait, self._next, job, planned + job.loop_delay)
        self._run(job)
        self.settle(job)

    def _next(self, job: Job, planned: float) -> None:
        job.index += 1
        job.late = False
        self._turn(job, planned)

    def expect(self, job: Job, deferred: Deferred) -> None:
        """A response is still to come."""
        job.open.add(deferred)
        self._hold(job)

    def settle(self, job: Job, deferred: Deferred | None = None) -> None:
        """A response has been given; forget the job where it was the last one."""
        if deferred is not None:
            job.open.discard(deferred)
        if job.timer is None and not job.open:
            jobs = self._waiting.get(job.client)
            if jobs is not None and job in jobs:
                del jobs[job]
                self._count -= 1
                if not jobs:
                    del self._waiting[job.client]

    def leave(self, client: Client) -> None:
        """A client has gone: give up what is not standalone."""
        for job in tuple(self._waiting.get(client, ())):
            if not job.standalone:
                self._give_up(job)

    def close(self) -> None:
        """The server goes down: give up everything."""
        for jobs in tuple(self._waiting.values()):
            for job in tuple(jobs):
                self._give_up(job)

    def _give_up(self, job: Job) -> None:
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        for deferred in tuple(job.open):
            job.open.discard(deferred)
            deferred.cancel()
        self.settle(job)

    def _hold(self, job: Job) -> None:
        jobs = self._waiting.setdefault(job.client, {})
        if job not in jobs:
            jobs[job] = None
            self._count += 1
