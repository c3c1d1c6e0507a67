"""Many phones in one process: each runs the same script, one begins after the other at a given rate.

What is measured is told every second and at the end, for each kind of step: how many, how long.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from libreims.base.clock import Clock
from libreims.base.tokens import Tokens
from libreims.net.port import Network
from libreims.ue.config import PhoneConfig, plus
from libreims.ue.incoming import AnswerMode
from libreims.ue.phone import Phone
from libreims.ue.script import Script, Step, StepResult
from libreims.ue.security import Ipsec

_DESCRIPTORS_PER_PHONE = 6
_DESCRIPTORS_OF_IPSEC = 6
"""Server port of UDP and TCP, client port, connections, and another client port for a while."""


@dataclass(slots=True)
class StepTotals:
    """All runs of one kind of step."""

    ok: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of those that succeeded."""
    first: float | None = None
    last: float = 0.0
    error: str = ""
    """The first one."""

    def add(self, result: StepResult, now: float) -> None:
        """Count a result."""
        if self.first is None:
            self.first = now - result.seconds
        self.last = now
        if result.ok:
            self.ok += 1
            self.seconds.append(result.seconds)
        else:
            self.failed += 1
            self.error = self.error or result.text

    @property
    def rate(self) -> float:
        """Successes per second, from the first begin to the last end."""
        span = self.last - self.first if self.first is not None else 0.0
        return self.ok / span if span > 0 else 0.0

    def quantile(self, part: float) -> float:
        """Seconds that `part` (0 to 1) of the successes did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

    def __str__(self) -> str:
        text = f"{self.ok} ok, {self.failed} failed, {self.rate:.1f}/s"
        if self.seconds:
            mean = sum(self.seconds) / len(self.seconds)
            text += f", {1000 * mean:.1f} ms mean, {1000 * self.quantile(0.95):.1f} ms for 95 %"
        return f"{text}; first error: {self.error}" if self.error else text


class LoadRun:
    """Phones in numbers."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        config: PhoneConfig,
        steps: Sequence[Step],
        *,
        count: int,
        rate: float,
        answer_mode: AnswerMode,
        say: Callable[[str], None],
        ipsec: Ipsec | None = None,
    ) -> None:
        """`ipsec`: what all of them register through, where `config` says so."""
        self._network = network
        self._clock = clock
        self._config = replace(config, record=False)
        self._steps = steps
        self._count = count
        self._rate = rate
        self._answer_mode = answer_mode
        self._say = say
        self._ipsec = ipsec
        self.totals: dict[str, StepTotals] = {}
        self.begun = 0
        self.succeeded = 0

    async def run(self) -> bool:
        """Run all; True when every phone came through."""
        each = _DESCRIPTORS_PER_PHONE + (_DESCRIPTORS_OF_IPSEC if self._ipsec is not None else 0)
        allow_descriptors(each * self._count)
        ticker = asyncio.create_task(self._tick())
        began = self._clock.time()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._count):
                    delay = began + number / self._rate - self._clock.time()
                    if delay > 0:
                        await asyncio.sleep(delay)
                    group.create_task(self._one(number))
        finally:
            ticker.cancel()
        self._report()
        return self.succeeded == self._count

    async def _one(self, number: int) -> None:
        phone = Phone(
            self._network,
            self._clock,
            Tokens(),
            plus(self._config, number),
            answer_mode=self._answer_mode,
            ipsec=self._ipsec,
        )
        self.begun += 1
        script = Script(phone)
        script.listener = self._count_result
        try:
            await phone.start()
        except OSError as error:
            self._count_result(StepResult(Step("start"), False, str(error), 0.0))
            return
        try:
            if await script.run(self._steps):
                self.succeeded += 1
            await script.tidy_up()
        finally:
            phone.close()

    def _count_result(self, result: StepResult) -> None:
        totals = self.totals.setdefault(result.step.name, StepTotals())
        totals.add(result, self._clock.time())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._report()

    def _report(self) -> None:
        done = "; ".join(
            f"{name} {totals.ok} ok {totals.failed} failed" for name, totals in self.totals.items()
        )
        self._say(f"{self.begun} of {self._count} phones, {self.succeeded} done: {done}")

    def summary(self) -> list[str]:
        """A line for each kind of step."""
        return [f"{name}: {totals}" for name, totals in self.totals.items()]


def allow_descriptors(wanted: int) -> None:
    """Raise the limit of open files as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted + 64 if hard == resource.RLIM_INFINITY else min(hard, wanted + 64)
    if soft != resource.RLIM_INFINITY and limit > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
